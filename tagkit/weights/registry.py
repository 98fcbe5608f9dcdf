"""The published checkpoints that ``pull`` can fetch: the rows of ``registry.csv``.

A row names a file at a fixed commit of a public repository and its git blob id, so that what arrives
is what was looked at. A missing size or hash is unknown; none is ever filled in by guessing.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

from tagkit.errors import WeightsError

# How the licence column says that the publisher states none.
_UNSTATED = "none stated"


@dataclass(frozen=True)
class Entry:
    """One published checkpoint. ``None`` means unknown (``size`` in bytes) or unstated (``licence``)."""

    name: str
    architecture: str
    vocabulary: str
    url: str
    git_blob_sha1: str | None
    size: int | None
    licence: str | None
    note: str


@cache
def entries() -> Mapping[str, Entry]:
    """Return the registry by name, in the order of its file."""
    text = (files("tagkit.weights") / "registry.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return MappingProxyType({row["name"]: _entry(row) for row in rows})


def _entry(row: dict[str, str]) -> Entry:
    return Entry(
        name=row["name"],
        architecture=row["architecture"],
        vocabulary=row["vocabulary"],
        url=row["url"],
        git_blob_sha1=row["git_blob_sha1"] or None,
        size=int(row["bytes"]) if row["bytes"] else None,
        licence=None if row["licence"].startswith(_UNSTATED) else row["licence"],
        note=row["note"],
    )


def find(name: str) -> Entry:
    """Return the row called ``name``. Raises WeightsError, naming near ones."""
    known = entries()
    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=3)
    raise WeightsError(
        f"no published checkpoint is called {name!r}",
        hint=f"did you mean {', '.join(near)}?" if near else "tagkit weights list shows them",
    )


def git_blob_sha1(path: str | os.PathLike[str]) -> str:
    """Return the id that git gives the file's content: sha1 of ``"blob <size>\\0"`` and the bytes."""
    with Path(path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
