"""The journal: what every run changed in which file, durable before the file changes.

One SQLite database. A row of ``writes`` goes through these states::

    pending ──▶ done          the file holds the new values
       └──────▶ void          the file was left as it was

A process that dies between leaves ``pending``; :mod:`tagkit.library.runs.settle` looks at the file then.
``undone`` marks a done write that has been taken back; taking back the undo clears it again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tagkit.errors import StoreError
from tagkit.library import marker as marks
from tagkit.library.change import FileChange
from tagkit.library.database import Database
from tagkit.library.fields import MARKER
from tagkit.library.marker import Marker
from tagkit.library.runs.records import (
    SCHEMA,
    VERSION,
    Kind,
    Run,
    State,
    Write,
    read_run,
    read_write,
)
from tagkit.library.runs.runlock import RunLocks

_MOST_ELSEWHERE = 200  # writes of the same audio
_RUNS = """
SELECT r.*, count(w.id), total(w.undone) FROM runs r
LEFT JOIN writes w ON w.run = r.id AND w.state = 'done'
"""
_WRITES = (
    "SELECT id, run, path, content, container, changes, before, state, undone, reverts, redo"
    " FROM writes"
)
_LAST = (1 << 63) - 1  # number that SQLite can have


def default_path() -> Path:
    """Return where the user's journal lies."""
    import platformdirs

    return platformdirs.user_data_path("tagkit", appauthor=False) / "journal.sqlite"


class Journal:
    """An open journal. Every method raises StoreError where the database cannot be used.

    What a method has recorded is on the disk when it returns; only that a write is done or void may be
    forgotten by a power failure, for the file itself says it. Several processes may work on one journal.
    """

    def __init__(self, path: Path) -> None:
        self._db = Database(path, name="journal", schema=SCHEMA, version=VERSION)
        self._locks = RunLocks(path)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._locks.release_all()
        self._db.close()

    @property
    def path(self) -> Path:
        return self._db.path

    def begin(
        self,
        kind: Kind,
        *,
        command: Sequence[str],
        version: str,
        model: str = "",
        settings: Mapping[str, Any] | None = None,
    ) -> int:
        """Record the start of a run and return its number. It counts as alive until ``finish``."""
        with self._db.transaction():
            run = self._db.run(
                "INSERT INTO runs (kind, started, command, version, model, settings)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                kind,
                _now(),
                json.dumps(list(command)),
                version,
                model,
                json.dumps(settings or {}),
            )
            with self._file_errors():
                self._locks.hold(run)  # before anyone can see the run
        return run

    def finish(self, run: int) -> None:
        with self._db.transaction():
            self._db.run("UPDATE runs SET finished = ? WHERE id = ?", _now(), run)
        with self._file_errors():
            self._locks.release(run)

    def is_alive(self, run: int) -> bool:
        """Whether some process is still at work on this run."""
        with self._file_errors():
            return self._locks.is_alive(run)

    def note(self, run: int, folder: Path) -> None:
        """Remember where this run makes temporary files, for those who come after it if it dies."""
        with self._file_errors():
            self._locks.note(run, folder)

    def bury(self, clean: Callable[[Path], bool]) -> None:
        """Have ``clean`` look after the folders of dead runs, until it has said of each that it is clean."""
        with self._file_errors():
            self._locks.bury(clean)

    def is_over(self, redo: Path) -> bool:
        """Whether a copy at this path was one of a write that has long been settled."""
        found = self._db.rows(
            "SELECT state FROM writes WHERE redo = ?",
            os.fsencode(redo),
            make=lambda row: str(row[0]),
        )
        return bool(found) and "pending" not in found

    def pending(
        self,
        run: int,
        change: FileChange,
        *,
        before: Mapping[str, str],
        reverts: int | None = None,
        redo: Path | None = None,
    ) -> int:
        """Record what is about to change, durably, and return the write's number.

        ``before`` holds a snapshot of each field; ``reverts`` is the write that this one takes back;
        ``redo`` is where the finished copy will lie while the file is overwritten in place.
        """
        with self._db.transaction():
            return self._db.run(
                "INSERT INTO writes (run, path, content, container, changes, before, reverts, redo,"
                " state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'pending')",
                run,
                os.fsencode(change.path),
                change.content,
                change.container,
                json.dumps([[c.field, c.old, c.new] for c in change.changes]),
                json.dumps(dict(before)),
                reverts,
                os.fsencode(redo) if redo is not None else None,
            )

    def done(self, write: int) -> None:
        """Record that the file holds the new values, unless it is settled already."""
        taken_back = "SELECT reverts FROM writes WHERE id = ? AND state = 'pending'"
        # Who takes back an undo puts forward again what that one had taken back.
        put_forward = f"SELECT reverts FROM writes WHERE id = ({taken_back})"
        with self._db.passing_transaction():
            self._db.run(f"UPDATE writes SET undone = 0 WHERE id = ({put_forward})", write)
            self._db.run(f"UPDATE writes SET undone = 1 WHERE id = ({taken_back})", write)
            self._settle(write, "done")

    def void(self, write: int) -> None:
        """Record that the file was left as it was, unless it is settled already."""
        with self._db.passing_transaction():
            self._settle(write, "void")

    def _settle(self, write: int, state: State) -> None:
        # Of several commands that settle a dead run's write the first has seen the file as that left it.
        self._db.run("UPDATE writes SET state = ? WHERE id = ? AND state = 'pending'", state, write)

    def something_left(self, write: int) -> None:
        """Record that there is still something of this write to be taken back, once a later one is."""
        with self._db.transaction():
            self._db.run("UPDATE writes SET undone = 0 WHERE id = ?", write)

    def nothing_left(self, write: int) -> None:
        """Record that nothing of this write is left in the file to be taken back."""
        with self._db.transaction():
            self._db.run("UPDATE writes SET undone = 1 WHERE id = ?", write)

    def runs(self, limit: int = -1) -> list[Run]:
        """Return the runs that wrote or are at it, newest first; ``limit`` -1 is all."""
        return self._db.rows(
            f"{_RUNS} GROUP BY r.id HAVING count(w.id) > 0 OR r.finished IS NULL"
            " ORDER BY r.id DESC LIMIT ?",
            min(limit, _LAST),
            make=read_run,
        )

    def run(self, number: int) -> Run | None:
        if number > _LAST:
            return None
        return _first(self._db.rows(f"{_RUNS} WHERE r.id = ? GROUP BY r.id", number, make=read_run))

    def last_run(self) -> Run | None:
        """Return the newest run that still has something to take back; an undo is none of them."""
        found = self._db.rows(
            f"{_RUNS} WHERE r.kind <> 'undo' GROUP BY r.id"
            " HAVING count(w.id) > total(w.undone) ORDER BY r.id DESC LIMIT 1",
            make=read_run,
        )
        return _first(found)

    def writes(self, run: int) -> list[int]:
        """Return the numbers of a run's done writes, the last one first."""
        return self._db.rows(
            "SELECT id FROM writes WHERE run = ? AND state = 'done' ORDER BY id DESC",
            run,
            make=lambda row: int(row[0]),
        )

    def write(self, number: int) -> Write:
        """Return one write, whose number came out of this journal."""
        for found in self._db.rows(f"{_WRITES} WHERE id = ?", number, make=read_write):
            return found
        raise self._db.damaged(f"there is no write {number}")

    def run_of(self, write: Write) -> Run:
        if (run := self.run(write.run)) is None:
            raise self._db.damaged(f"write {write.id} is of no run")
        return run

    def unsettled(self) -> list[Write]:
        """Return the writes of dead runs of which nobody knows yet whether they happened."""
        runs = self._db.rows(
            "SELECT DISTINCT run FROM writes WHERE state = 'pending'", make=lambda row: int(row[0])
        )
        # Dead first, and then its writes: one that was alive a moment ago may have settled them itself.
        dead = {run for run in runs if not self.is_alive(run)}
        found = self._db.rows(f"{_WRITES} WHERE state = 'pending' ORDER BY id", make=read_write)
        return [write for write in found if write.run in dead]

    def history(self, path: Path, content: str) -> list[Write]:
        """Return the done writes of a file, the last one first.

        A file is known by its resolved path and content together; and by its content alone where
        the journal's path is no longer there, for then it has been moved here. Of content that
        lies in many places only the newest writes elsewhere are looked at.
        """
        real = os.fsencode(os.path.realpath(path))
        done = f"{_WRITES} WHERE state = 'done' AND"
        # With a plus, SQLite leaves that index alone: of equal files there can be thousands.
        here = self._db.rows(f"{done} path = ? AND +content = ?", real, content, make=read_write)
        elsewhere = self._db.rows(
            "SELECT id, path FROM writes WHERE content = ? AND path <> ? AND state = 'done'"
            " ORDER BY id DESC LIMIT ?",
            *(content, real, _MOST_ELSEWHERE),
            make=lambda row: (int(row[0]), bytes(row[1])),
        )
        # os.path.exists never raises, whatever the name.
        gone = {name for name in {name for _, name in elsewhere} if not os.path.exists(name)}  # noqa: PTH110
        moved = [self.write(number) for number, name in elsewhere if name in gone]
        return sorted(here + moved, key=lambda write: -write.id)

    def later(self, write: Write, path: Path) -> list[Write]:
        """Return the newer writes of a file, which is at ``path`` now, the last one first: those that are not
        taken back and no undo, and that may be in the file by now."""
        return self._db.rows(
            f"{_WRITES} WHERE path IN (?, ?) AND +content = ? AND id > ? AND state <> 'void'"
            " AND NOT undone AND reverts IS NULL ORDER BY id DESC",
            os.fsencode(os.path.realpath(path)),
            os.fsencode(write.path),
            write.content,
            write.id,
            make=read_write,
        )

    def remembered(self, path: Path, content: str) -> Marker | None:
        """Return the marker that tagkit last left in this file, whether or not it is still there."""
        for write in self.history(path, content):
            for change in write.changes:
                if change.field == MARKER:
                    return marks.parse(change.new)
        return None

    @contextmanager
    def _file_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            message = f"the journal cannot be used: {error.strerror}"
            raise StoreError(message, path=self._db.path) from error


def _first(runs: list[Run]) -> Run | None:
    return runs[0] if runs else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
