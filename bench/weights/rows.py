"""The manifest of real audio: rows, added and never changed."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Row(NamedTuple):
    """One file: what ``tagkit train`` reads (tagkit/data/sources.py), and where it is from.

    ``path`` starts from WORK, ``seconds`` is the file's length, ``source`` a collection or a package.
    """

    path: str
    split: str
    teach: str
    tags: str = ""
    maybe: str = ""
    votes: str = ""
    artist: str = ""
    source: str = ""
    licence: str = ""
    seconds: str = ""


class Table:
    """The manifest on disk: rows are appended, and one whose path is there already is left alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[Row] = []
        if path.exists():
            with path.open(encoding="utf-8", newline="") as lines:
                self.rows = [Row(**row) for row in csv.DictReader(lines)]
        self.paths = {row.path for row in self.rows}

    def has_below(self, folder: str) -> bool:
        return any(path.startswith(folder) for path in self.paths)

    def extend(self, rows: Iterable[Row]) -> None:
        """Append the rows that are new, each as soon as it comes."""
        with self.path.open("a", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            if out.tell() == 0:
                writer.writerow(Row._fields)
            for row in rows:
                if row.path not in self.paths:
                    writer.writerow(row)
                    out.flush()
                    self.rows.append(row)
                    self.paths.add(row.path)
