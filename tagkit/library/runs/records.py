"""The journal's tables, and their rows as plain data: how they are read from JSON columns."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from tagkit.library.change import FieldChange
from tagkit.library.database_checks import ODD_ROW, columns
from tagkit.library.fields import DEFAULTS

VERSION = 1
SCHEMA = """
CREATE TABLE runs (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    kind     TEXT NOT NULL,
    started  TEXT NOT NULL,               -- ISO 8601, UTC
    finished TEXT,
    command  TEXT NOT NULL,               -- JSON list of arguments
    version  TEXT NOT NULL,
    model    TEXT NOT NULL,
    settings TEXT NOT NULL                -- JSON: how logical fields map to native ones in this run
);
CREATE TABLE writes (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    run       INTEGER NOT NULL REFERENCES runs (id),
    path      BLOB NOT NULL,              -- os.fsencode: names need not be text
    content   TEXT NOT NULL,              -- content key
    container TEXT NOT NULL,
    changes   TEXT NOT NULL,              -- JSON: [[field, [old...], [new...]], ...]
    before    TEXT NOT NULL,              -- JSON: field -> snapshot of all that the file kept of it
    state     TEXT NOT NULL,
    undone    INTEGER NOT NULL DEFAULT 0,
    reverts   INTEGER REFERENCES writes (id),
    redo      BLOB                        -- path of the finished copy of a file with hard links
);
CREATE INDEX writes_by_run ON writes (run);
CREATE INDEX writes_by_path ON writes (path);
CREATE INDEX writes_by_content ON writes (content);
CREATE INDEX writes_pending ON writes (state) WHERE state = 'pending';
"""

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


_RUN = columns(*(int, str, str, str | None, str, str, str, str), *(int, float))
_WRITE = columns(*(int, int, bytes, str, str, str, str, str), *(int, int | None, bytes | None))


def read_run(row: tuple[Any, ...]) -> Run:
    """Make a Run of its columns. Raises ValueError where they are not what tagkit writes."""
    try:
        number, kind, started, finished, command, version, model, text, files, undone = _RUN(row)
        datetime.fromisoformat(started).astimezone()  # as it is shown
        argv, settings = _texts(json.loads(command)), json.loads(text)
        if kind not in get_args(Kind) or not isinstance(settings, dict):
            raise ValueError("a run of another kind")
        return Run(
            number, kind, started, finished, argv, version, model, settings, files, int(undone)
        )
    except ODD_ROW as error:
        raise ValueError(f"run {row[0]}: {error}") from error


def read_write(row: tuple[Any, ...]) -> Write:
    """Make a Write of its columns. Raises ValueError where they are not what tagkit writes."""
    try:
        number, run, path, content, container, text, before, state, undone, reverts, redo = _WRITE(
            row
        )
        if state not in get_args(State):
            raise ValueError(f"{state!r} is no state")
        return Write(
            id=number,
            run=run,
            path=_path(path),
            content=content,
            container=container,
            changes=_changes(json.loads(text)),
            before=_snapshots(json.loads(before)),
            state=state,
            undone=bool(undone),
            reverts=reverts,
            redo=_path(redo) if redo is not None else None,
        )
    except ODD_ROW as error:
        raise ValueError(f"write {row[0]}: {error}") from error


def _path(name: bytes) -> Path:
    """A path as the writer notes it: resolved. What is not may lead anywhere."""
    path = Path(os.fsdecode(name))
    if b"\0" in name or not path.is_absolute() or ".." in path.parts:
        raise ValueError("not an absolute path")
    return path


def _changes(rows: Any) -> tuple[FieldChange, ...]:
    changes = tuple(FieldChange(field, _texts(old), _texts(new)) for field, old, new in rows)
    names = [change.field for change in changes]
    if len(set(names)) < len(names) or not set(names) <= DEFAULTS.keys():
        raise ValueError("fields that tagkit does not have")
    return changes


def _snapshots(fields: Any) -> dict[str, str]:
    if not isinstance(fields, dict):
        raise ValueError("no fields")
    _texts(list(fields.values()))
    return fields


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError("not a list of texts")
    return tuple(values)
