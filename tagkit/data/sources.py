"""What a student is taught with: a manifest whose lines say where each file's teaching comes from.

::

    path,split,teach,tags,maybe,votes
    songs/a.opus,train,teachers,,,calm=0.6;sad=0
    stems/piano-1.flac,train,labels,piano,keyboard,
    sounds/rain.flac,train,nothing,,,

``teach``: ``teachers`` (also where the column is absent), music, of which the teachers say what it is;
``labels``, a single instrument, whose ``tags`` are known exactly (none of them, where there is no word
for it), and ``maybe`` those that it might also be said to have; ``nothing``, sound in which no tag is to
be heard. ``votes``, ``name=share`` with shares from 0 to 1, separated by ``;``, are listeners' own
answers, whatever they were asked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tagkit.data import manifest as manifests
from tagkit.data.manifest import Line
from tagkit.errors import DataError, RecipeError
from tagkit.vocab import Tag

Kind = Literal["teachers", "labels", "nothing"]
KINDS: tuple[Kind, ...] = ("teachers", "labels", "nothing")


class Source(NamedTuple):
    """A file to teach with; ``path`` starts from the folder of the data."""

    path: str
    split: str
    teach: Kind = "teachers"
    tags: frozenset[Tag] = frozenset()
    maybe: frozenset[Tag] = frozenset()
    votes: Mapping[str, float] = {}


def read(manifest: Path, root: Path) -> list[Source]:
    """Return every line's file. Each must be there.

    Raises RecipeError for a wrong line or a missing file.
    """
    sources = []
    try:
        for line in manifests.rows(manifest, labels=False):
            sources.append(_source(line, manifest))
            if not (root / line.path).is_file():
                raise DataError(
                    f"line {line.number}: {line.path} is not below {root}",
                    path=manifest,
                    hint="give the folder that the paths are relative to with --data",
                )
    except DataError as error:
        raise RecipeError(error.message, path=error.path, hint=error.hint) from error
    if not sources:
        raise RecipeError("lists no file", path=manifest)
    return sources


def _source(line: Line, manifest: Path) -> Source:
    cells = {name: str(line.cells.get(name) or "") for name in ("teach", "maybe", "votes")}
    split = manifests.split_of(line, manifest)
    kind = next((kind for kind in KINDS if kind == (cells["teach"] or "teachers")), None)
    if kind is None:
        raise DataError(
            f"line {line.number}: teach is {cells['teach']!r}",
            path=manifest,
            hint=f"one of {', '.join(KINDS)}",
        )
    if kind != "labels":  # what stands in tags is then no business of ours
        return Source(line.path, split, kind, votes=_votes(cells["votes"], line, manifest))
    tags, maybe = (
        frozenset(manifests.meaning(text, manifest, line.number) for text in texts)
        for texts in (
            line.tags,
            [text.strip() for text in cells["maybe"].split(";") if text.strip()],
        )
    )
    if not tags | maybe:
        raise DataError(
            f"line {line.number} teaches by labels and has no tags, not even in maybe",
            path=manifest,
            hint="say teach = nothing for sound without any",
        )
    return Source(line.path, split, kind, tags, maybe - tags)


def _votes(text: str, line: Line, manifest: Path) -> dict[str, float]:
    found = {}
    for vote in filter(None, (part.strip() for part in text.split(";"))):
        name, _, share = vote.rpartition("=")
        try:
            found[name.strip()] = float(share)
        except ValueError:
            found[name.strip()] = -1.0
        if not name.strip() or not 0 <= found[name.strip()] <= 1:
            raise DataError(
                f"line {line.number}: {vote!r} is no vote",
                path=manifest,
                hint="name=share, with a share from 0 to 1",
            )
    return found


def identity(sources: Sequence[Source]) -> dict[str, Any]:
    """What tells these sources from others, as plain values."""
    rows = [
        [s.path, s.split, s.teach, sorted(s.tags), sorted(s.maybe), sorted(s.votes.items())]
        for s in sources
    ]
    digest = hashlib.sha256(json.dumps(rows).encode("utf-8", "surrogateescape")).hexdigest()
    return {"sources": len(rows), "digest": digest}
