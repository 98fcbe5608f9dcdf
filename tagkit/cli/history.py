"""``tagkit history``: what tagkit has written, run by run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tagkit.cli import writing

if TYPE_CHECKING:
    from tagkit.library.runs.journal import Journal
    from tagkit.library.runs.records import Run, Write


class Format(StrEnum):
    table = "table"
    jsonl = "jsonl"


def history(
    run: Annotated[
        int | None, typer.Argument(metavar="[RUN]", help="Show the files of this run instead.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show this many runs, newest first.")] = 20,
    output: Annotated[Format, typer.Option("--format")] = Format.table,
    journal: writing.JournalOption = None,
) -> None:
    """List the runs that wrote to files, newest first, or every file that one of them wrote.

    "undone" counts the files of a run that have been taken back.
    """
    from tagkit.errors import UsageError
    from tagkit.library.runs.settle import open_journal

    with open_journal(journal) as book:
        rows: Iterable[dict[str, Any]]
        if run is None:
            rows = (_run_row(book, found) for found in book.runs(limit))
        elif book.run(run) is None:
            raise UsageError(f"there is no run {run}")
        else:  # one by one: a run may have written half a million
            rows = (_write_row(book.write(number)) for number in book.writes(run))
        if output is Format.jsonl:
            for row in rows:
                typer.echo(json.dumps(row))  # ASCII: a name's odd bytes stay readable as \udcXX
        elif run is None:
            _print_runs(rows)
        else:
            _print_writes(rows)


def _run_row(journal: Journal, run: Run) -> dict[str, Any]:
    state = "finished"
    if run.finished is None:
        state = "running" if journal.is_alive(run.id) else "interrupted"
    return {
        "run": run.id,
        "kind": run.kind,
        "state": state,
        "started": run.started,
        "finished": run.finished,
        "files": run.files,
        "undone": run.undone,
        "model": run.model,
        "version": run.version,
        "command": run.command,
    }


def _write_row(write: Write) -> dict[str, Any]:
    changes = [{"field": c.field, "old": c.old, "new": c.new} for c in write.changes]
    return {"path": str(write.path), "undone": write.undone, "changes": changes}


def _print_runs(rows: Iterable[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for name in ("run", "started", "what", "files", "undone", "command"):
        table.add_column(name, justify="right" if name in ("run", "files", "undone") else "left")
    for row in rows:
        what = row["kind"] if row["state"] == "finished" else f"{row['kind']}, {row['state']}"
        cells = (
            row["run"],
            _local(row["started"]),
            what,
            row["files"],
            row["undone"],
            " ".join(row["command"]),
        )
        table.add_row(*(Text(writing.printable(str(cell))) for cell in cells))
    writing.tables(wrapped=True).print(table)


def _local(stamp: str) -> str:
    return datetime.fromisoformat(stamp).astimezone().strftime("%Y-%m-%d %H:%M")


def _print_writes(rows: Iterable[dict[str, Any]]) -> None:
    for row in rows:
        typer.echo(writing.printable(row["path"]) + ("  (undone)" if row["undone"] else ""))
        for change in row["changes"]:
            writing.show_field(change["field"], change["old"], change["new"])
