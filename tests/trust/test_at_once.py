"""Several runs at once on one library, one store and one journal: files stay whole, and no change is lost.

What two runs may leave is what one after the other would: the states that a file may end in come from
runs alone, on copies of the same files.
"""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests import library, media
from tests.trust import command, size
from tests.trust.shelf import Seen, Shelf, see

FILES = size.of(40, 500)
ROUNDS = size.of(1, 5)
KINDS = [media.WRITABLE[number % len(media.WRITABLE)] for number in range(FILES)]
PATIENCE = size.of(120, 600)

pytestmark = pytest.mark.timeout(0 if size.FULL else 300)

OTHER_TAGS = ("calm", "epic", "summer", "violin", "rock", "vocals")

Words = tuple[object, ...]


class Crowd(Shelf):
    """A shelf on which several runs work at once, and twins of the same bytes for runs alone."""

    def __init__(self, folder: Path, kinds: Sequence[str]) -> None:
        super().__init__(folder, kinds)
        self.folder = folder
        self.before = self.seen()
        self.bytes = {path: path.read_bytes() for path in self.files}
        self.other = self.folder / "other.safetensors"
        library.small_model(self.other, OTHER_TAGS)

    def hear(self, paths: Iterable[Path] | None = None) -> None:
        """Have heard the files with either model."""
        for model in (self.other, self.model):
            self.model, kept = model, self.model
            super().hear(paths)
            self.model = kept

    def at_once(self, *runs: Words) -> list[subprocess.CompletedProcess[str]]:
        """Run commands that write, from the same moment: till all are there no file lets itself be written."""
        before = self.begun()
        with ExitStack() as gate:
            for path in self.files:
                fcntl.flock(gate.enter_context(path.open("rb")), fcntl.LOCK_EX)
            started = [command.start(self.home, *words) for words in runs]
            try:
                first = 0.0
                while self.begun() < before + len(runs) and time.monotonic() < (first or 1e18) + 6:
                    if self.begun() > before:
                        first = first or time.monotonic()
                    if any(process.poll() is not None for process in started):
                        break
                    time.sleep(0.02)
                gate.close()
                return [command.finish(process, PATIENCE) for process in started]
            finally:
                for process in started:
                    command.end(process)

    def begun(self) -> int:
        """How many runs the journal has."""
        with closing(sqlite3.connect(self.journal)) as journal, suppress(sqlite3.OperationalError):
            return int(journal.execute("SELECT count(*) FROM runs").fetchone()[0])
        return 0

    def alone(self, *runs: Callable[[Crowd], Words]) -> list[list[Seen]]:
        """Return what each of these runs leaves, one after the other, on a twin with the files of the beginning."""
        twin = Crowd(self.folder / "twin", ())
        for path, data in self.bytes.items():
            twin.files.append(twin.music / path.name)
            twin.files[-1].write_bytes(data)
        twin.hear()
        ways = []
        for words in runs:
            done = twin.run(*words(twin), seconds=PATIENCE)
            assert done.returncode == 0, done.stderr
            ways.append([see(path) for path in twin.files])
        self.written_alone = [path.read_bytes() for path in twin.files]
        shutil.rmtree(twin.folder)
        return ways

    def expect(self, *ways: list[Seen]) -> Counter[int]:
        """Every file is whole and as one of the ways leaves it. Returns how many are as which."""
        counts: Counter[int] = Counter()
        for number, path in enumerate(self.files):
            now = see(path)
            fitting = [way for way, files in enumerate(ways) if files[number] == now]
            assert fitting, f"{path.name} is as no run leaves it: {now.fields}"
            counts[fitting[0]] += 1
        assert not self.strays()
        return counts

    def states(self) -> Counter[str]:
        """Count the journal's writes by their state; no run is open any more."""
        with closing(sqlite3.connect(self.journal)) as journal:
            assert journal.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert not journal.execute("SELECT 1 FROM runs WHERE finished IS NULL").fetchall()
            return Counter(state for (state,) in journal.execute("SELECT state FROM writes"))

    def history(self, *arguments: object) -> list[dict[str, Any]]:
        shown = self.run("history", *arguments, "--format", "jsonl")
        assert shown.returncode == 0, shown.stderr
        return [json.loads(line) for line in shown.stdout.splitlines()]

    def undo_all(self) -> None:
        """Take back run by run until nothing is left to be; then every file is as it was at first."""
        for _ in range(9):
            done = self.run("undo", seconds=PATIENCE)
            if "nothing to take back" in done.stderr:
                break
            assert done.returncode == 0, done.stderr
        else:
            pytest.fail("undo finds something to take back again and again")
        assert self.seen() == self.before


def counted(said: str, word: str) -> int:
    """The number before a word of a summary, 0 where it is not there."""
    found = re.search(rf"([\d,]+) {word}\b", said)
    return int(found[1].replace(",", "")) if found else 0


def named(said: str, files: Iterable[Path]) -> set[Path]:
    return {path for path in files if str(path) in said}


@pytest.fixture
def crowd(tmp_path: Path) -> Crowd:
    crowd = Crowd(tmp_path, KINDS)
    crowd.hear()
    return crowd


def write(shelf: Crowd) -> Words:
    return shelf.tag("--write")


def write_less(shelf: Crowd) -> Words:
    return shelf.tag("--write", "--exclude", "happy")


def write_other(shelf: Crowd) -> Words:
    return tuple(shelf.other if word == shelf.model else word for word in shelf.tag("--write"))


def write_elsewhere(shelf: Crowd) -> Words:
    fields = shelf.folder / "fields.toml"
    fields.write_text('mood = "grouping"\n')
    return shelf.tag("--write", "--fields", fields)


def test_three_writers_leave_what_one_does_and_each_can_be_taken_back(crowd: Crowd) -> None:
    began = time.monotonic()
    (alone,) = crowd.alone(write)
    shared: Counter[str] = Counter()
    for _ in range(ROUNDS):
        done = crowd.at_once(*[crowd.tag("--write")] * 3)
        for one in done:
            assert one.returncode == 0, one.stderr
        crowd.expect(alone)
        assert [path.read_bytes() for path in crowd.files] == crowd.written_alone
        assert sum(counted(one.stderr, "tagged") for one in done) == FILES, "written twice"
        runs = [run for run in crowd.history() if run["kind"] == "tag" and not run["undone"]]
        written = [row["path"] for run in runs for row in crowd.history(run["run"])]
        assert sorted(written) == sorted(map(str, crowd.files))
        assert set(crowd.states()) == {"done"}
        shared[f"rounds_that_{len(runs)}_shared"] += 1
        for run in runs:
            back = crowd.run("undo", run["run"], seconds=PATIENCE)
            assert back.returncode == 0, back.stderr
            assert counted(back.stderr, "restored") == run["files"]
        assert crowd.seen() == crowd.before
    size.tell("three writers at once", time.monotonic() - began, files=FILES * ROUNDS, **shared)


@pytest.mark.parametrize("second", [write_less, write_other, write_elsewhere])
def test_two_different_writers_lose_nothing(crowd: Crowd, second: Callable[[Crowd], Words]) -> None:
    """A file that the other run has changed since it was decided about is left, and named."""
    began = time.monotonic()
    ways = crowd.alone(write, second) + crowd.alone(second, write)
    done = crowd.at_once(write(crowd), second(crowd))
    ended = crowd.expect(*ways)
    for one in done:
        refused = named(one.stderr, crowd.files)
        assert one.returncode == bool(refused), one.stderr
        assert counted(one.stderr, "failed") == len(refused)
        assert counted(one.stderr, "tagged") + len(refused) == FILES
    assert set(crowd.states()) == {"done"}
    crowd.undo_all()
    counts = {f"as_way_{way + 1}": count for way, count in sorted(ended.items())}
    size.tell(f"two writers at once, {second.__name__}", time.monotonic() - began, **counts)


@pytest.mark.parametrize("how", ["undo", "strip"])
def test_a_writer_beside_an_undo_or_a_strip_loses_nothing(crowd: Crowd, how: str) -> None:
    """An undo that comes after the writer takes back what that has not written anew."""
    began = time.monotonic()

    def back(shelf: Crowd) -> Words:
        return ("undo", 1) if how == "undo" else ("strip", shelf.music)

    _, less, after = crowd.alone(write, write_less, back)
    _, before, new = crowd.alone(write, back, write_less)
    assert before == list(crowd.before.values())
    first = crowd.run(*write(crowd), seconds=PATIENCE)
    assert first.returncode == 0, first.stderr
    taken, tagged = crowd.at_once(back(crowd), write_less(crowd))
    ended = crowd.expect(before, less, new, after)
    for one, kind in ((taken, how), (tagged, "tag")):
        runs = [run["run"] for run in crowd.history() if run["kind"] == kind and run["run"] > 1]
        done = {Path(row["path"]) for run in runs for row in crowd.history(run)}
        assert done | named(one.stderr, crowd.files) == set(crowd.files), one.stderr
    assert set(crowd.states()) == {"done"}
    crowd.undo_all()
    counts = {f"as_way_{way + 1}": count for way, count in sorted(ended.items())}
    size.tell(f"a writer beside {how}", time.monotonic() - began, **counts)


def test_two_that_listen_hear_what_one_hears(tmp_path: Path) -> None:
    began = time.monotonic()
    kinds = KINDS[: size.of(20, 200)]
    shelf = Shelf(tmp_path, kinds)
    said = []
    for process in [command.start(shelf.home, *shelf.tag("--format", "jsonl")) for _ in range(2)]:
        done = command.finish(process, PATIENCE)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert said[0] == said[1] and len(said[0].splitlines()) == len(kinds)
    with closing(sqlite3.connect(shelf.store)) as store:
        assert store.execute("SELECT count(*) FROM analyses").fetchone() == (len(kinds),)
        assert store.execute("SELECT count(*) FROM paths").fetchone() == (len(kinds),)
    once = shelf.run(*shelf.tag("--format", "jsonl", "--store", tmp_path / "own.sqlite"))
    assert once.stdout == said[0]
    size.tell("two that listen at once", time.monotonic() - began, files=len(kinds))
