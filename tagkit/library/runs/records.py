"""What the journal remembers, as plain data: its rows, and how they are read from JSON columns."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from tagkit.errors import StoreError
from tagkit.library.change import FieldChange

Kind: TypeAlias = Literal["tag", "apply", "undo", "strip"]
State: TypeAlias = Literal["pending", "done", "void"]


class Run(NamedTuple):
    id: int
    kind: Kind
    started: str  # ISO 8601, UTC
    finished: str | None  # None: still at work, or dead
    command: tuple[str, ...]
    version: str
    model: str
    settings: Mapping[str, Any]
    files: int  # written
    undone: int  # of these, taken back


class Write(NamedTuple):
    id: int
    run: int
    path: Path
    content: str
    container: str
    changes: tuple[FieldChange, ...]
    before: Mapping[str, str]  # field -> snapshot
    state: State
    undone: bool
    reverts: int | None  # the write that this one took back
    redo: Path | None


def read_run(row: tuple[Any, ...]) -> Run:
    """Make a Run of its columns. Raises StoreError where they are damaged."""
    number, kind, started, finished, command, version, model, settings, files, undone = row
    try:
        argv, how = tuple(json.loads(command)), json.loads(settings)
    except (ValueError, TypeError) as error:
        raise _damaged(f"run {number}", error) from error
    return Run(number, kind, started, finished, argv, version, model, how, files, int(undone))


def read_write(row: tuple[Any, ...]) -> Write:
    """Make a Write of its columns. Raises StoreError where they are damaged."""
    number, run, path, content, container, text, before, state, undone, reverts, redo = row
    try:
        rows = json.loads(text)
        changes = tuple(FieldChange(field, tuple(old), tuple(new)) for field, old, new in rows)
        snapshots = json.loads(before)
        where = Path(os.fsdecode(path))
        copy = Path(os.fsdecode(redo)) if redo is not None else None
    except (ValueError, TypeError) as error:
        raise _damaged(f"write {number}", error) from error
    return Write(
        id=number,
        run=run,
        path=where,
        content=content,
        container=container,
        changes=changes,
        before=snapshots,
        state=state,
        undone=bool(undone),
        reverts=reverts,
        redo=copy,
    )


def _damaged(what: str, error: Exception) -> StoreError:
    return StoreError(f"the journal is damaged, in {what}: {error}", hint="move it away to go on")
