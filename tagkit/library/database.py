"""A SQLite database used carefully: the ground of the store and the journal.

WAL, so that readers and one writer do not wait for each other; a busy timeout, so that two writers
take turns; a format version; and one border where SQLite's errors, and those of rows that are not
what they should be, become StoreError.

The file may be damaged, or a stranger's. It is used only where it holds exactly our tables
(:mod:`tagkit.library.database_checks`), and until that is known nothing in it is changed.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import quote

from tagkit.errors import StoreError
from tagkit.library import database_checks as checks

Made = TypeVar("Made")

BUSY_SECONDS = 30.0
"""How long one process waits for another's transaction; each takes milliseconds."""

MOST_BYTES = 64 << 20
"""Of one value. Ours have some KiB; what says that it has more is not worth the memory."""

_MOVE = "move it away (do not delete it), and tagkit starts a new one"
_HINTS = {
    sqlite3.SQLITE_BUSY: "another program keeps it busy; try again when that is done",
    sqlite3.SQLITE_LOCKED: "another program keeps it busy; try again when that is done",
    sqlite3.SQLITE_FULL: "is the disk full?",
    sqlite3.SQLITE_READONLY: "may this user write it, and its folder?",
    sqlite3.SQLITE_CANTOPEN: "may this user read and write it, and its folder?",
    sqlite3.SQLITE_PERM: "may this user read and write it, and its folder?",
    sqlite3.SQLITE_IOERR: "is the disk full, or failing?",
}


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
            hint = "name another place for it"
            raise self._error(f"cannot be made: {error.strerror}", hint) from error
        if odd := checks.odd_files(path):
            raise self._error(*odd)
        scripts = {**upgrades, 0: schema}
        with self._guarded():
            if checks.has_log(path):
                # Who closes it last folds the log into it; one of another database would destroy it.
                with closing(self._connected("ro")) as self._connection:
                    self._inspect(scripts, version)
            self._connection = self._connected("rwc")
            try:
                self._prepare(scripts, version, durable)
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

    @contextmanager
    def passing_transaction(self) -> Iterator[None]:
        """All or nothing, for the end of the process; a power failure may take it back until the next
        transaction. For what would be found out again: it spares the disk a flush."""
        with self._guarded():
            (level,) = self._connection.execute("PRAGMA synchronous").fetchone()
            self._connection.execute("PRAGMA synchronous = NORMAL")
            try:
                with self.transaction():
                    yield
            finally:
                self._connection.execute(f"PRAGMA synchronous = {level}")

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
        """Return ``make(row)`` of every row that is found.

        Any column can hold anything in a damaged file: where ``make`` raises ValueError or TypeError,
        that becomes a StoreError with its words.
        """
        with self._guarded():
            found = self._connection.execute(query, parameters)
            try:
                return [make(row) for row in found]
            except checks.ODD_ROW as error:
                raise self.damaged(str(error)) from error

    def onwards(self, last: bytes, reached: bytes) -> bytes:
        """Return ``reached``, the last row of a part read in order; a damaged index may lead in circles."""
        if reached <= last:
            raise self.damaged("its rows are in no order")
        return reached

    def damaged(self, what: str) -> StoreError:
        """Return the error that says so, and what to do."""
        return self._error(f"is damaged: {what}", _MOVE)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        except (sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.NotSupportedError):
            raise  # a wrong statement: our mistake
        except sqlite3.Error as error:
            # Python's own, of text that is not UTF-8, has no code.
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
            if hint := _HINTS.get(code):
                raise self._error(f"cannot be used: {error}", hint) from error
            raise self.damaged(str(error)) from error
        except UnicodeDecodeError as error:  # SQLite's message quotes bytes of the file
            raise self.damaged("what its tables are called is no text") from error

    def _error(self, message: str, hint: str | None = None) -> StoreError:
        return StoreError(f"the {self.name} {message}", path=self.path, hint=hint)

    def _connected(self, mode: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"file://{quote(os.fsencode(self.path.absolute()))}?mode={mode}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_BYTES)
        return connection

    def _inspect(self, scripts: Mapping[int, str], version: int) -> int:
        """Return the format. Raises StoreError where it is not one of ours, and changes nothing."""
        self._connection.execute("PRAGMA trusted_schema = OFF")
        self._connection.execute("PRAGMA cell_size_check = ON")
        (page,) = self._connection.execute("PRAGMA page_size").fetchone()
        if checks.is_cut_off(self.path, page):
            raise self.damaged("its end is missing")
        found = self._version()
        if found > version:
            raise self._error(
                f"was written by a newer tagkit (format {found}, this one knows {version})",
                "update tagkit, or name another file",
            )
        self._refuse_odd_tables(scripts[0] if found == version else None)
        return found

    def _prepare(self, scripts: Mapping[int, str], version: int, durable: bool) -> None:
        found = self._inspect(scripts, version)
        self._use_wal()
        self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        self._connection.execute("PRAGMA foreign_keys = ON")
        if found < version:
            with self.transaction():
                self._bring_to(version, scripts)
                self._refuse_odd_tables(scripts[0])

    def _refuse_odd_tables(self, schema: str | None) -> None:
        if odd := checks.odd_tables(self._connection, schema):
            raise self._error(f"holds what tagkit has not made: {odd}", _MOVE)

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
        if found < 0 or (mark != self._mark and (found or mark or tables)):
            raise self._error("is another kind of database", "name another file")
        return int(found)
