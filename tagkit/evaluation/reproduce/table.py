"""A published table as plain values: what was printed, what comes out here, and whether they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

from tagkit.errors import DataError
from tagkit.evaluation.arrays import read_lines, read_npy

EQUAL, DIFFERS, PUBLISHED_ONLY, OURS_ONLY = "equal", "differs", "published only", "not published"


@dataclass(frozen=True)
class Folders:
    """``data``: what was published; ``baseline`` and ``splits``: what lies elsewhere, None: beside it."""

    data: Path
    baseline: Path | None = None
    splits: Path | None = None


@dataclass(frozen=True)
class Figure:
    """``published`` as printed, or None; ``computed`` here, or None where there is nothing to compute
    from. ``truncated``: the print cuts digits off instead of rounding."""

    published: str | None
    computed: float | None = None
    truncated: bool = False

    @property
    def recomputed(self) -> str | None:
        """``computed`` with as many decimals as were printed, or five."""
        if self.computed is None:
            return None
        printed = Decimal(self.published or "0.00000")
        how = ROUND_DOWN if self.truncated else ROUND_HALF_EVEN
        return str(Decimal(self.computed).quantize(printed, how))

    @property
    def verdict(self) -> str:
        """One of equal, differs, published only, not published."""
        if self.published is None:
            return OURS_ONLY
        if self.computed is None:
            return PUBLISHED_ONLY
        return EQUAL if self.recomputed == self.published else DIFFERS


@dataclass(frozen=True)
class Row:
    """``note``: why there is nothing to compute from, or what else must be known of the row."""

    name: str
    figures: Mapping[str, Figure]
    note: str = ""

    @property
    def verdict(self) -> str:
        """The figures' verdict; differs where one differs."""
        verdicts = {figure.verdict for figure in self.figures.values()}
        return DIFFERS if DIFFERS in verdicts else min(verdicts)


@dataclass(frozen=True)
class Table:
    title: str
    rows: Sequence[Row]
    notes: Sequence[str] = field(default=())

    @property
    def differs(self) -> bool:
        return any(row.verdict == DIFFERS for row in self.rows)


def row(
    name: str,
    published: Mapping[str, str | None],
    computed: Mapping[str, float] | None,
    *,
    truncated: bool = False,
    note: str = "",
) -> Row:
    """Return a row with a figure for each of ``published``."""
    figures = {
        column: Figure(printed, None if computed is None else computed[column], truncated)
        for column, printed in published.items()
    }
    return Row(name, figures, note)


def matrix(path: Path, like: Any = None) -> Any:
    """Return the (tracks, tags) array in a ``.npy`` file, of the shape of ``like``. Raises DataError."""
    found = read_npy(path)
    if found.ndim != 2 or (like is not None and found.shape != like.shape):
        wanted = "tracks × tags" if like is None else " × ".join(map(str, like.shape))
        raise DataError(f"is of shape {found.shape}, not {wanted}", path=path)
    return found


def fields(path: Path) -> list[list[str]]:
    """Return a tab-separated file's lines as fields, without those that are empty."""
    return [[text for text in line.split("\t") if text] for line in read_lines(path)]


def printed(columns: Sequence[str], text: str) -> dict[str, dict[str, str]]:
    """Read a table as it was printed: a row a line, its name first, then a figure a column."""
    lines = [line.rsplit(maxsplit=len(columns)) for line in text.strip().splitlines()]
    return {name.strip(): dict(zip(columns, figures, strict=True)) for name, *figures in lines}
