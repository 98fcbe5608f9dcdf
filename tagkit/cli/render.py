"""Decided tracks on stdout: a table for people, JSONL, CSV and M3U8 for programs."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from tagkit import strangers
from tagkit.cli.writing import printable, tables
from tagkit.library.deciding import Track
from tagkit.library.finding import remote
from tagkit.vocab import Tag

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

Renderer: TypeAlias = Callable[[Iterable[Track], Sequence[Tag], bool], Iterator[Track]]

#: More rows than this nobody reads on a terminal; they would also have to be held in memory.
MOST_ROWS = 500

_GAP = 2  # between two columns
_LEAST = len("instrument")  # the longest of the headings


def jsonl(tracks: Iterable[Track], tags: Sequence[Tag], every: bool) -> Iterator[Track]:
    """A line a track. Undecodable bytes of a name are ``\\udc80`` to ``\\udcff``, as Python reads them."""
    for track in tracks:
        row: dict[str, object] = {
            "path": remote.url(track.path),
            "duration": round(track.duration, 3),
            "tags": [
                {"tag": d.name, "category": d.category, "probability": round(d.probability, 4)}
                for d in track.decisions
            ],
        }
        if every:
            row["probabilities"] = {
                tag.name: round(float(p), 4)
                for tag, p in zip(tags, track.probabilities, strict=True)
            }
        print(json.dumps(row))
        yield track


def csv_rows(tracks: Iterable[Track], tags: Sequence[Tag], every: bool) -> Iterator[Track]:
    """A line a tag of a track: path, duration, category, tag, probability, given (yes or no). No cell
    is a formula."""
    # Every text in quotes: a spreadsheet that splits at semicolons finds none outside of the path.
    out = csv.writer(sys.stdout, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    out.writerow(("path", "duration", "category", "tag", "probability", "given"))
    names = [(tag.name, tag.category) for tag in tags]
    for track in tracks:
        given = {(d.name, d.category): d.probability for d in track.decisions}
        rows = given
        if every:
            rows = dict(zip(names, track.probabilities.tolist(), strict=True))
        for (name, category), probability in rows.items():
            mark = "yes" if (name, category) in given else "no"
            out.writerow(
                (
                    strangers.path_cell(printable(remote.url(track.path))),
                    round(track.duration, 3),
                    category,
                    strangers.cell(printable(name)),
                    round(probability, 4),
                    mark,
                )
            )
        yield track


def m3u8(tracks: Iterable[Track], tags: Sequence[Tag], every: bool) -> Iterator[Track]:
    """A playlist of the tracks that got a tag."""
    del tags, every
    from tagkit.library import playlist

    passed: list[Track] = []

    def entries() -> Iterator[playlist.Entry]:
        for track in tracks:
            passed.append(track)
            if track.decisions:
                yield playlist.Entry(track.path, track.duration)

    for line in playlist.m3u8(entries()):
        print(line)
        yield from passed
        passed.clear()
    yield from passed


def table(tracks: Iterable[Track], tags: Sequence[Tag], every: bool) -> Iterator[Track]:
    """A table with a column a category, in the terminal's width; a folder's name stands over its files."""
    del every
    from rich.text import Text

    rows: list[Track] = []
    more = 0
    for track in tracks:
        if len(rows) < MOST_ROWS:
            rows.append(track)
        else:
            more += 1
        yield track
    if not rows:
        return
    console = tables(wrapped=True)
    categories = list(dict.fromkeys(d.category for t in rows for d in t.decisions))
    categories.sort(key=[tag.category for tag in tags].index)
    cells = [
        (Text(f"  {printable(t.path.name)}"), *(_cell(t, category) for category in categories))
        for t in rows
    ]
    columns = list(zip(("file", *categories), _widths(cells, console.width), strict=True))
    console.print(_grid(columns, [Text(name, style="bold") for name, _ in columns]))
    folder: Path | None = None
    for track, row in zip(rows, cells, strict=True):
        if track.path.parent != folder:
            folder = track.path.parent
            console.print(Text(f"{_short(folder)}{os.sep}", style="dim"), soft_wrap=True)
        console.print(_grid(columns, row))
    if more:
        console.print(f"… and {more:,} more; --format jsonl or csv prints every one", style="dim")


def _grid(columns: Sequence[tuple[str, int]], row: Sequence[Text]) -> Table:
    from rich.table import Table

    grid = Table.grid(padding=(0, _GAP, 0, 0), pad_edge=False)
    for _, width in columns:
        grid.add_column(width=width, overflow="fold")
    grid.add_row(*row)
    return grid


def _widths(rows: Sequence[Sequence[Text]], room: int) -> list[int]:
    """Names get up to two fifths of the room; of the rest, columns that need little get that, and
    the wide ones equal parts."""
    needed = [
        max(_LEAST, *(cell.cell_len for cell in column)) for column in zip(*rows, strict=True)
    ]
    needed[:1] = [min(width, room * 2 // 5) for width in needed[:1]]
    widths = needed.copy()
    room -= sum(needed[:1]) + _GAP * (len(needed) - 1)
    wider = sorted(range(1, len(needed)), key=needed.__getitem__)
    for done, column in enumerate(wider):
        widths[column] = max(_LEAST, min(needed[column], room // (len(wider) - done)))
        room -= widths[column]
    return widths


def _cell(track: Track, category: str) -> Text:
    from rich.text import Text

    cell = Text()
    for decision in track.decisions:
        if decision.category == category:
            cell.append(", " if cell else "")
            cell.append(printable(decision.name))
            cell.append(f" {decision.probability:.2f}".replace("0.", "."), style="dim")
    return cell


def _short(path: Path) -> str:
    try:
        return printable(str(path.absolute().relative_to(Path.cwd())))
    except ValueError:
        return printable(str(path))


FORMATS: dict[str, Renderer] = {"table": table, "jsonl": jsonl, "csv": csv_rows, "m3u8": m3u8}
