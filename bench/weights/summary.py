"""What was collected, source by source, for the card."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import not_music
from packages import PACKAGES
from reference import kinds
from rich.table import Table as Shown
from rows import Row


class Line(NamedTuple):
    """A source: ``hours`` of audio in ``files``, and how many of them are in each split."""

    source: str
    kind: str
    licence: str
    files: int
    hours: str
    train: int
    validation: int
    test: int


def lines(rows: Iterable[Row], work: Path) -> list[Line]:
    """Return a line for each source and kind, in the rows' order."""
    reference = kinds(work)
    sounds = {sound.path: sound.kind for sound in not_music.sounds(work)}
    packages = {package.name: package for package in PACKAGES}
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        kind, licence = sounds.get(row.path, ""), row.licence
        if row.path.startswith("music/") and row.source in packages:
            package = packages[row.source]
            kind, licence = package.kind, package.licence
        elif row.path.startswith("shared/"):
            kind = reference.get(row.path, "")
        groups[row.source, kind, licence].append(row)
    found = []
    for (source, kind, licence), group in groups.items():
        splits = Counter(row.split for row in group)
        hours = sum(float(row.seconds) for row in group) / 3600
        counts = (splits[name] for name in ("train", "validation", "test"))
        found.append(Line(source, kind, licence, len(group), f"{hours:.2f}", *counts))
    return found


def write(found: Iterable[Line], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(Line._fields)
        writer.writerows(found)


def shown(found: Iterable[Line]) -> Shown:
    """Return the lines as they are printed."""
    table = Shown(*Line._fields)
    for line in found:
        table.add_row(*map(str, line))
    return table
