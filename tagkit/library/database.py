"""A SQLite database used carefully: the ground of the store and the journal.

WAL, so that readers and one writer do not wait for each other; a busy timeout, so that two writers
take turns; a format version; and one border where SQLite's errors become StoreError.
"""

from __future__ import annotations

import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from tagkit.errors import StoreError

Made = TypeVar("Made")

BUSY_SECONDS = 30.0
"""How long one process waits for another's transaction; each takes milliseconds."""


class Database:
    """An open database. Every method raises StoreError where it cannot be used.

    ``name`` is what people call it, and marks the file as that kind of database. ``schema`` is the
    script that makes an empty one (each statement ends its line), ``version`` its format then, and
    ``upgrades`` the scripts that make each older format the next one.
    ``durable``: a transaction survives a power failure too, and not only the end of the process.
    May be used from several threads; they take turns.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        schema: str,
        version: int,
        upgrades: Mapping[int, str] = MappingProxyType({}),
        durable: bool = True,
    ) -> None:
        self.path = path
        self.name = name
        self._lock = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._error(f"cannot be made: {error.strerror}") from error
        with self._guarded():
            self._connection = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare({**upgrades, 0: schema}, version, durable)
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        with self._guarded():
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. Transactions do not nest."""
        with self._guarded():
            # The write lock is taken at once: one that is wanted half-way cannot be waited for.
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk may have rolled back already
                    self._connection.execute("ROLLBACK")
                raise

    def run(self, statement: str, *parameters: object) -> int:
        """Execute one statement and return the id of the row it inserted."""
        with self._guarded():
            return self._connection.execute(statement, parameters).lastrowid or 0

    def run_many(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        with self._guarded():
            self._connection.executemany(statement, rows)

    def rows(
        self, query: str, *parameters: object, make: Callable[[tuple[Any, ...]], Made]
    ) -> list[Made]:
        """Return ``make(row)`` of every row that is found."""
        with self._guarded():
            return [make(row) for row in self._connection.execute(query, parameters)]

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        except sqlite3.OperationalError as error:
            text = str(error)
            if "locked" in text or "busy" in text:
                hint = "another program keeps it busy; try again when that is done"
            else:
                hint = "is the disk full, or the folder read-only?"
            raise self._error(f"cannot be used: {text}", hint) from error
        except sqlite3.DatabaseError as error:
            if type(error) is not sqlite3.DatabaseError:  # a wrong statement: our mistake
                raise
            hint = "move it away, and tagkit starts a new one"
            raise self._error(f"is damaged: {error}", hint) from error

    def _error(self, message: str, hint: str | None = None) -> StoreError:
        return StoreError(f"the {self.name} {message}", path=self.path, hint=hint)

    def _prepare(self, scripts: Mapping[int, str], version: int, durable: bool) -> None:
        found = self._version()  # before anything is changed in what may not be ours
        if found > version:
            raise self._error(
                f"was written by a newer tagkit (format {found}, this one knows {version})",
                "update tagkit, or name another file",
            )
        self._use_wal()
        self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.execute("PRAGMA trusted_schema = OFF")  # it may be a stranger's file
        if found < version:
            with self.transaction():
                self._bring_to(version, scripts)

    def _bring_to(self, version: int, scripts: Mapping[int, str]) -> None:
        found = self._version()  # under the lock: another process may have been faster
        while found < version:
            for statement in scripts[found].split(";\n"):
                self._connection.execute(statement)
            found = found + 1 if found else version
        self._connection.execute(f"PRAGMA application_id = {self._mark}")
        self._connection.execute(f"PRAGMA user_version = {version}")

    def _use_wal(self) -> None:
        """SQLite does not wait for its own timeout where two processes switch at once."""
        until = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > until:
                    raise
                time.sleep(0.02)

    @property
    def _mark(self) -> int:
        return zlib.crc32(self.name.encode()) & 0x7FFFFFFF

    def _version(self) -> int:
        """The format; 0 is an empty database. Raises StoreError for a database of another kind."""
        # In one statement: another process may be making the database between two.
        found, mark, tables = self._connection.execute(
            "SELECT (SELECT user_version FROM pragma_user_version),"
            " (SELECT application_id FROM pragma_application_id),"
            " (SELECT count(*) FROM sqlite_schema)"
        ).fetchone()
        if mark != self._mark and (found or mark or tables):
            raise self._error("is another kind of database", "name another file")
        return int(found)
