"""Anybody's dataset: a table of files, as CSV, TSV or JSONL.

::

    path,tags,split,artist,album
    Blur/Song 2.flac,energetic;guitar;genre---britpop,train,Blur,Blur

``path`` starts from the manifest's folder. ``tags``, separated by ``;`` or ``|`` (in JSONL a list), are
canonical names, published spellings, or ``category---name`` for tags of your own, with a category of
``vocab.CATEGORIES``. ``split`` is train, validation or test; without that column artists are dealt out
80/10/10 (``grouping.py``). ``artist`` and ``album`` may be absent.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tagkit import strangers
from tagkit.data.dataset import SPLITS, Dataset, Track
from tagkit.data.grouping import split_by_group
from tagkit.data.tables import columns
from tagkit.errors import DataError, VocabularyError
from tagkit.files import whole
from tagkit.vocab import CATEGORIES, Tag, canonical, known

NAMES = ("manifest.csv", "manifest.tsv", "manifest.jsonl")
COLUMNS = ("path", "tags", "split", "artist", "album")

_OWN = re.compile(r"(?P<category>[a-z]+)---(?P<name>[^;/,|\t]+)")


class Line(NamedTuple):
    """A line as it stands there; ``cells`` holds all of its columns."""

    number: int
    path: str
    tags: list[str]
    split: str | None
    artist: str
    album: str
    cells: dict[str, object]


def recognise(folder: Path) -> bool:
    """Whether this is a file, or a folder with a manifest in it."""
    return _find(folder) is not None


def read(folder: Path) -> Dataset:
    """Return the dataset of a manifest: the file, or a folder that holds one under a usual name.

    Outputs are canonical names, by category, then by name; a tag of one's own is ``category---name``.
    Whether the files are there is not looked at. Raises DataError that names the line.
    """
    manifest = _find(folder)
    if manifest is None:
        raise DataError(f"holds no {', '.join(NAMES)}", path=folder, hint="or name the file itself")
    tracks = []
    tags: set[Tag] = set()
    lines = list(rows(manifest))
    divided = any(line.split is not None for line in lines)
    for line in lines:
        has = {meaning(tag, manifest, line.number) for tag in line.tags}
        tags |= has
        split = split_of(line, manifest) if divided else ""
        names = frozenset(map(spelling, has))
        tracks.append(Track(line.path, line.path, split, names, line.artist, line.album))
    if not tracks or not tags:
        raise DataError("lists no track with a tag" if tracks else "lists no track", path=manifest)
    ordered = sorted(tags, key=lambda tag: (CATEGORIES.index(tag.category), tag.name))
    return Dataset(
        name=manifest.stem if manifest.name not in NAMES else manifest.absolute().parent.name,
        root=manifest.parent,
        outputs=tuple(map(spelling, ordered)),
        tags=tuple(ordered),
        tracks=tuple(tracks) if divided else split_by_group(tracks),
    )


def write(dataset: Dataset, manifest: Path) -> None:
    """Write a dataset as JSONL, TSV or CSV, by the file's ending. Paths start from ``manifest``'s folder,
    or are absolute where they lie elsewhere. Raises DataError."""
    text = io.StringIO()
    if manifest.suffix == ".jsonl":
        for row in _rows(dataset, manifest.absolute().parent):
            text.write(json.dumps(row) + "\n")
    else:
        delimiter = "\t" if manifest.suffix == ".tsv" else ","
        rows = [_cells(row) for row in _rows(dataset, manifest.absolute().parent)]
        # Left to itself, csv leaves a bare carriage return outside of quotes, where it ends the line.
        odd = any("\r" in cell for row in rows for cell in row.values())
        quoting: Literal[0, 1] = csv.QUOTE_ALL if odd else csv.QUOTE_MINIMAL
        table = csv.DictWriter(
            text, COLUMNS, delimiter=delimiter, lineterminator="\n", quoting=quoting
        )
        table.writeheader()
        table.writerows(rows)
    try:
        with whole(manifest) as file:
            file.write(text.getvalue().encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror or error}", path=manifest) from error


def _cells(row: dict[str, Any]) -> dict[str, str]:
    texts = {"tags": ";".join(row["tags"])}
    texts |= {name: str(row[name] or "") for name in COLUMNS if name not in ("path", "tags")}
    cells = {name: strangers.cell(text) for name, text in texts.items()}
    return {"path": strangers.path_cell(row["path"]), **cells}


def _rows(dataset: Dataset, home: Path) -> Iterator[dict[str, Any]]:
    """A track as the manifest in the folder ``home`` says it, by column."""
    meant = dict(zip(dataset.outputs, dataset.tags, strict=True))
    for track in dataset.tracks:
        path = (dataset.root / track.path).absolute()
        shown = path.relative_to(home) if path.is_relative_to(home) else path
        tags = sorted({spelling(meant[tag]) for tag in track.tags})
        cells = (shown.as_posix(), tags, track.split, track.artist, track.album)
        yield dict(zip(COLUMNS, cells, strict=True))


def spelling(tag: Tag) -> str:
    """How a manifest spells a tag: by its name, and one's own with the category in front."""
    if known(tag.name) and canonical(tag.name) == tag:
        return tag.name
    return f"{tag.category}---{tag.name}"


def _find(folder: Path) -> Path | None:
    if folder.is_file():
        return folder
    return next((folder / name for name in NAMES if (folder / name).is_file()), None)


def split_of(line: Line, manifest: Path) -> str:
    if line.split not in SPLITS:
        raise DataError(
            f"line {line.number}: split is {line.split!r}",
            path=manifest,
            hint=f"one of {', '.join(SPLITS)}; or no split at all, and artists are dealt out",
        )
    return line.split


def meaning(text: str, manifest: Path, line: int) -> Tag:
    """Return the tag that ``text`` spells. Raises DataError, naming the line."""
    if known(text):
        return canonical(text)
    own = _OWN.fullmatch(text.lower())
    if own and own["category"] in CATEGORIES and own["name"].strip():
        return Tag(own["name"].strip(), own["category"])
    try:
        return canonical(text)
    except VocabularyError as error:
        near = (
            f"{error.hint} Or" if "did you mean" in (error.hint or "") else "For a tag of your own"
        )
        raise DataError(
            f"line {line}: {error.message}",
            path=manifest,
            hint=f"{near} write category---name, with {', '.join(CATEGORIES)}; no name has ; / , or |",
        ) from error


def rows(manifest: Path, *, labels: bool = True) -> Iterator[Line]:
    """Yield the manifest's lines; ``labels``: tags must be there, else split. Raises DataError."""
    parse = _json if manifest.suffix == ".jsonl" else _table
    try:
        lines = strangers.lines(manifest, errors="surrogateescape")
        for number, cells in parse(lines, manifest):
            yield _line(number, cells, manifest, labels)
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot be read: {reason}", path=manifest) from error


def _table(lines: Iterator[str], manifest: Path) -> Iterator[tuple[int, dict[str, object]]]:
    reader = csv.DictReader(lines, delimiter="\t" if manifest.suffix == ".tsv" else ",")
    columns(list(reader.fieldnames or ["path"]), ("path",), manifest)
    for cells in reader:
        row: dict[str, object] = {
            key: strangers.from_cell(cell or "") for key, cell in cells.items() if key
        }
        row["tags"] = re.split("[;|]", str(row["tags"])) if "tags" in row else None
        yield reader.line_num, row


def _json(lines: Iterator[str], manifest: Path) -> Iterator[tuple[int, dict[str, object]]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"line {number} is no JSON: {error}", path=manifest) from error
        if not isinstance(row, dict):
            raise DataError(f"line {number} is no object", path=manifest)
        yield number, row


def _line(number: int, cells: dict[str, object], manifest: Path, labels: bool) -> Line:
    needed = "tags" if labels else "split"
    for name in ("path", needed):
        if cells.get(name) is None or cells[name] == "":
            raise DataError(
                f"line {number} has no {name}",
                path=manifest,
                hint=f"it needs path and {needed}, of {', '.join(COLUMNS)}",
            )
    tags = cells.get("tags") or []
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise DataError(f"line {number}: tags is no list of texts", path=manifest)
    texts = {name: cells.get(name) for name in COLUMNS if name != "tags"}
    for name, text in texts.items():
        if not isinstance(text, str | None):
            raise DataError(f"line {number}: {name} is no text", path=manifest)
    split = texts["split"]
    return Line(
        number,
        path=str(texts["path"]),
        tags=[tag.strip() for tag in tags if tag.strip()],
        split=None if split is None else str(split),
        artist=str(texts["artist"] or ""),
        album=str(texts["album"] or ""),
        cells=cells,
    )
