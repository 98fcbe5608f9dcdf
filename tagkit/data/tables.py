"""Text tables as the datasets keep them: rows of cells, and one border for what can go wrong."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from tagkit import strangers
from tagkit.errors import DataError

_QUOTING: dict[bool, Literal[0, 3]] = {True: csv.QUOTE_MINIMAL, False: csv.QUOTE_NONE}


def rows(path: Path, *, delimiter: str = "\t", quoted: bool = False) -> Iterator[list[str]]:
    """Yield the cells of each row that is not empty. Raises DataError where the file cannot be read."""
    try:
        lines = strangers.lines(path)
        yield from filter(None, csv.reader(lines, delimiter=delimiter, quoting=_QUOTING[quoted]))
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot be read: {reason}", path=path) from error


def columns(header: list[str], wanted: tuple[str, ...], path: Path) -> list[int]:
    """Return where the ``wanted`` columns are. Raises DataError that shows what is there instead."""
    missing = [name for name in wanted if name not in header]
    if missing:
        there = ", ".join(header[:8]) + (" ..." if len(header) > 8 else "")
        raise DataError(
            f"has no column {', '.join(missing)}",
            path=path,
            hint=f"its first line should name {', '.join(wanted)}; it says: {there[:200]}",
        )
    return [header.index(name) for name in wanted]
