"""SQLite opened carefully: WAL, a busy timeout, a schema version, and one border for its errors."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tagkit.errors import StoreError

BUSY_SECONDS = 30.0
"""How long a second run waits for the first one's transaction; each takes milliseconds."""


@dataclass(frozen=True)
class Schema:
    """What a database file must be. ``application`` marks the file as this kind of database."""

    kind: str  # for people: "library store"
    application: int
    version: int
    statements: tuple[str, ...]


def connect(path: Path, schema: Schema) -> sqlite3.Connection:
    """Open or create the database; its folder is created too.

    The connection is in autocommit mode and may be used from any one thread at a time. Raises
    StoreError where it cannot be opened, is no such database, or is newer than ``schema``.
    """
    with guarded(path, schema.kind):
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(connection, path, schema)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing. Takes the write lock at once: one taken half-way cannot be waited for."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def guarded(path: str | os.PathLike[str], kind: str) -> Iterator[None]:
    """Turn what SQLite or the operating system refuses into StoreError."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            hint = "another tagkit keeps it busy; try again when that is done"
        else:
            hint = "is the disk full, or the folder read-only?"
        raise StoreError(f"the {kind} cannot be used: {error}", path=path, hint=hint) from error
    except sqlite3.DatabaseError as error:
        raise StoreError(
            f"the {kind} is damaged: {error}",
            path=path,
            hint="move it away: tagkit starts a new one",
        ) from error
    except OSError as error:
        raise StoreError(f"the {kind} cannot be used: {error.strerror}", path=path) from error


def _prepare(connection: sqlite3.Connection, path: Path, schema: Schema) -> None:
    _use_wal(connection)
    # A commit then survives the death of the process; only a power failure may lose the last ones.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")  # the file may come from a stranger
    if _version(connection, path, schema) == schema.version:
        return
    with transaction(connection):
        # Asked again under the lock: another process may just have created it.
        if _version(connection, path, schema) == 0:
            for statement in schema.statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {schema.application}")
            connection.execute(f"PRAGMA user_version = {schema.version}")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL; SQLite does not wait for its busy timeout when two processes do this at once."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.02)


def _version(connection: sqlite3.Connection, path: Path, schema: Schema) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application != schema.application and (application or version or tables):
        raise StoreError(f"this is not a tagkit {schema.kind}", path=path)
    if version > schema.version:
        raise StoreError(
            f"the {schema.kind} was written by a newer tagkit (format {version})",
            path=path,
            hint="update tagkit, or name another file",
        )
    return int(version)
