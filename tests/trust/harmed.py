"""A library of every format that is harmed again and again, each time from the same state.

Three states of its files are known to the byte: as they were, written, and taken back. Whatever happens
to a run, every file is in one of the two that the run goes between; the next run ends what it began.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from tagkit.library.containers import open_tags
from tests import media
from tests.trust import command, size, tracing
from tests.trust.shelf import Shelf

State = dict[Path, bytes]


class Library:
    """A shelf with a file of two names, a link to a file elsewhere, and a file with its owner's mood.

    ``states``: what the files are to the byte before and after each command. Every check starts with
    :meth:`restore`.
    """

    def __init__(self, folder: Path, kinds: Sequence[str] = media.WRITABLE) -> None:
        self._live, self._kept = folder / "live", folder / "kept"
        self._kept.mkdir()
        self.scratch = self._kept / "scratch"
        self.shelf = Shelf(self._live, kinds)
        self.temporary, self.elsewhere = self._live / "tmp", self._live / "elsewhere"
        self.temporary.mkdir()
        self.elsewhere.mkdir()
        self.environment = {"TMPDIR": str(self.temporary)}
        self.two_names = self.shelf.files[0]
        (self.elsewhere / "other name.mp3").hardlink_to(self.two_names)
        linked = media.make(self.elsewhere / "linked.flac", "flac", seconds=0.3, seed=90)
        self.link = self.shelf.music / "link.flac"
        self.link.symlink_to(linked)
        self.shelf.files.append(self.link)
        tags = open_tags(self.shelf.files[1])
        tags.set("mood", ["solemn", "my own"])
        tags.save()
        self.shelf.hear()
        self._make_states()

    def _make_states(self) -> None:
        """Keep a copy of all before the write and before the undo, and hold the states to the promise."""
        was, seen = self.state(), self.shelf.seen()
        self._keep("write")
        assert self.run("write").returncode == 0
        written, now = self.state(), self.shelf.seen()
        self._keep("undo")
        assert self.run("undo").returncode == 0
        self.states = {"write": (was, written), "undo": (written, self.state())}
        self.seen = seen
        assert self.shelf.seen() == seen
        for path in self.shelf.files:
            assert now[path].audio == seen[path].audio and now[path].foreign == seen[path].foreign
            assert now[path].fields != seen[path].fields

    # -- what runs ---------------------------------------------------------------------------

    @property
    def folders(self) -> list[Path]:
        """Where a run changes something."""
        return [self.shelf.music, self.elsewhere, self.shelf.data, self.temporary]

    def words(self, doing: str) -> tuple[object, ...]:
        """Return the words of the command that writes, or of the one that takes the last run back."""
        if doing == "undo":
            return ("undo", "--through-links")
        return (*self.shelf.tag(self.link), "--write", "--through-links")

    def start(self, doing: str, **how: Any) -> subprocess.Popen[bytes]:
        environment = {**how.pop("environment", {}), **self.environment}
        return command.start(self.shelf.home, *self.words(doing), environment=environment, **how)

    def run(self, doing: str, **how: Any) -> subprocess.CompletedProcess[str]:
        return command.finish(self.start(doing, **how))

    def next(self, doing: str) -> subprocess.CompletedProcess[str]:
        """Do the run that comes after the harm: a process of its own, in CI's slice this one."""
        if size.FULL:
            return self.run(doing)
        return command.call(self.shelf.home, *self.words(doing), environment=self.environment)

    def trace(self, doing: str) -> Path:
        """Return the trace of the command's calls, from its state to its end."""
        trace = self._kept / f"{doing}.trace"
        if not trace.exists():
            self.restore(doing)
            assert self.run(doing, before=tracing.watch(trace)).returncode == 0
        return trace

    # -- states ------------------------------------------------------------------------------

    def _keep(self, doing: str) -> None:
        # cp, for it keeps hard links and times.
        subprocess.run(["cp", "-a", self._live, self._kept / doing], check=True)

    def restore(self, doing: str) -> None:
        """Bring back the state from which the command starts."""
        shutil.rmtree(self._live)
        subprocess.run(["cp", "-a", self._kept / doing, self._live], check=True)

    def state(self) -> State:
        return {path: path.read_bytes() for path in self.shelf.files}

    # -- what must be true -------------------------------------------------------------------

    def check(self, doing: str) -> int:
        """Hold what a harmed command has left to the promise; return how many files it has done."""
        before, after = self.states[doing]
        done = 0
        for path, data in self.state().items():
            if path == self.two_names and data not in (before[path], after[path]):
                # Torn: it has no other way. Its whole copy waits beside it.
                (whole,) = self.shelf.music.glob(".tagkit-*.redo")
                assert whole.read_bytes() == after[path], path
                continue
            assert data in (before[path], after[path]), f"{path} is neither old nor new"
            done += data == after[path]
        assert (self.elsewhere / "other name.mp3").samefile(self.two_names)
        assert self.link.is_symlink() and list(self.temporary.iterdir()) == []
        self._check_databases()
        known = self._paths("state <> 'void'")
        for path, data in self.state().items():
            assert data == before[path] or path.resolve() in known, f"{path}: not in the journal"
        return done

    def finish(self, doing: str) -> None:
        """Run the command again: it ends what was begun, leaves nothing lying, and can be taken back."""
        self.complete(doing)
        if doing == "write":
            self.take_back()

    def complete(self, doing: str) -> None:
        done = self.next(doing)
        nothing = doing == "undo" and "nothing to take back" in done.stderr
        assert done.returncode == 0 or nothing, done.stderr
        self._is(self.states[doing][1])
        self.check_tidy()

    def take_back(self) -> None:
        """Undo run after run until there is none: every field is to the byte what it was."""
        for _ in range(9):
            done = self.next("undo")
            if "nothing to take back" in done.stderr:
                break
            assert done.returncode == 0, done.stderr
        self._is(self.states["undo"][1])
        self.check_tidy()

    def _is(self, wanted: State) -> None:
        wrong = [path.name for path, data in self.state().items() if data != wanted[path]]
        assert not wrong, wrong

    def check_tidy(self) -> None:
        """Nothing lies about, and nothing is open in the journal."""
        assert self.shelf.strays() == []
        assert sorted(p.name for p in self.elsewhere.iterdir()) == ["linked.flac", "other name.mp3"]
        assert list(self.temporary.iterdir()) == []
        left = {path.name for path in self.shelf.data.iterdir()}
        assert left == {"library.sqlite", "journal.sqlite"}, left
        self._check_databases()
        assert self._paths("state = 'pending'") == set()

    def _check_databases(self) -> None:
        for path in (self.shelf.store, self.shelf.journal):
            with closing(sqlite3.connect(path)) as database:
                assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

    def _paths(self, where: str) -> set[Path]:
        with closing(sqlite3.connect(self.shelf.journal)) as database:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_schema")}
            if "writes" not in tables:  # not made yet
                return set()
            rows = database.execute(f"SELECT path FROM writes WHERE {where}")
            return {Path(os.fsdecode(path)) for (path,) in rows}
