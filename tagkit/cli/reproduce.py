"""``tagkit eval reproduce``: published tables beside what comes out of the published predictions."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tagkit.evaluation.reproduce.table import Table


class Format(StrEnum):
    table = "table"
    json = "json"


def reproduce(
    publication: Annotated[str, typer.Argument(help="focal-paper, mtg-baseline or philtgun.")],
    data: Annotated[Path, typer.Option(help="The folder of its published predictions.")],
    baseline: Annotated[
        Path | None, typer.Option(help="MTG's baselines; mtg-baseline beside --data if absent.")
    ] = None,
    splits: Annotated[
        Path | None,
        typer.Option(
            help="MTG-Jamendo's split-0 lists;"
            " ../../datasets/mtg-jamendo/splits/split-0 from --data if absent."
        ),
    ] = None,
    output: Annotated[Format, typer.Option("--format")] = Format.table,
) -> None:
    """Print a publication's tables beside what comes out here, rounded as printed.

    Rows without predictions are "published only". Exit 1 if a recomputed figure differs from print.
    """
    from tagkit.evaluation.reproduce import reproduce as recompute
    from tagkit.evaluation.reproduce.table import Folders

    tables = recompute(publication, Folders(data, baseline, splits))
    if output is Format.json:
        typer.echo(json.dumps([_plain(table) for table in tables], ensure_ascii=False, indent=1))
    else:
        typer.echo("\n\n".join("\n".join(_lines(table)) for table in tables))
    if any(table.differs for table in tables):
        raise typer.Exit(1)


def _plain(table: Table) -> dict[str, Any]:
    rows = [
        {
            "row": row.name,
            "verdict": row.verdict,
            "note": row.note,
            "figures": {
                column: {
                    "published": figure.published,
                    "recomputed": figure.recomputed,
                    "value": figure.computed,
                    "verdict": figure.verdict,
                }
                for column, figure in row.figures.items()
            },
        }
        for row in table.rows
    ]
    return {"table": table.title, "rows": rows, "notes": list(table.notes)}


def _lines(table: Table) -> list[str]:
    """A title, then a line a row: its name, for each figure print and recomputed, the verdict."""
    columns = list(table.rows[0].figures)
    cells = [["", *(text for column in columns for text in (column, "here")), ""]]
    for row in table.rows:
        figures = [row.figures[column] for column in columns]
        texts = [text or "–" for f in figures for text in (f.published, f.recomputed)]
        cells.append([row.name, *texts, row.verdict + (f": {row.note}" if row.note else "")])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [table.title]
    for first, *numbers, last in cells:
        middle = (text.rjust(width) for text, width in zip(numbers, widths[1:], strict=False))
        lines.append("  ".join([first.ljust(widths[0]), *middle, last]).rstrip())
    return [*lines, *(f"  {note}" for note in table.notes)]
