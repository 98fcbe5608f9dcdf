"""Clocks that are wrong or jump, and files from times that no clock has seen yet."""

from __future__ import annotations

import functools
import json
import os
import shutil
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tagkit.engines.todo import add_models
from tagkit.inference import ensemble
from tagkit.library.store import Store
from tests.trust import command, size
from tests.trust.shelf import WINDOWS, Shelf

KINDS = ("mp3_id3v24", "flac", "m4a")
YEARS = ("1969-07-21 02:56:15", "1970-01-01 00:00:00", "2001-09-09 01:46:39", "2040-02-01 00:00:00")
YEARS += ("2107-02-07 06:28:16",)
EPOCH = datetime.fromisoformat("1970-01-01 00:00:00+00:00")


@pytest.fixture(autouse=True)
def told() -> Iterator[None]:
    begun = time.monotonic()
    yield
    size.tell("wrong clocks and odd times", time.monotonic() - begun, cases=1)


@functools.cache
def require() -> None:
    """Skip the test where the clock of a process cannot be turned; in CI that is a failure."""
    if shutil.which("faketime") is None:
        reason = "needs faketime"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    made = Shelf(tmp_path, KINDS)
    made.hear()
    return made


def run(shelf: Shelf, when: str, *words: object) -> str:
    """Run a command by a clock that begins at ``when`` (UTC); the disk keeps its own time."""
    turned = {"TZ": "UTC", "NO_FAKE_STAT": "1"}
    done = command.run(shelf.home, *words, before=("faketime", when), environment=turned)
    assert done.returncode == 0, done.stderr
    return done.stdout


def runs(shelf: Shelf) -> list[dict[str, object]]:
    done = shelf.run("history", "--format", "jsonl")
    assert done.returncode == 0 and shelf.run("history").returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def reads_again(shelf: Shelf) -> int:
    """Return how many files the store would read again, for they are not as it remembers them."""
    read: list[Path] = []

    def key_of(path: Path) -> str:
        read.append(path)
        return "00" * 16

    with Store(shelf.store, key_of=key_of) as store:
        models = add_models(store, ensemble.load([str(shelf.model)]), WINDOWS)
        for _ in store.look(shelf.files, models):
            pass
    return len(read)


@pytest.mark.parametrize("when", YEARS)
def test_whatever_year_the_clock_shows_all_is_written_and_taken_back(
    shelf: Shelf, when: str
) -> None:
    require()
    before = shelf.seen()
    run(shelf, when, *shelf.tag("--write"))
    assert all(now.fields != before[path].fields for path, now in shelf.seen().items())
    assert reads_again(shelf) == 0
    (made,) = runs(shelf)
    assert str(made["started"]).startswith(when[:10])
    run(shelf, when, "undo")
    assert shelf.seen() == before and shelf.strays() == []


def test_a_clock_that_goes_back_between_runs_changes_no_order(shelf: Shelf) -> None:
    require()
    before = shelf.seen()
    run(shelf, "2040-02-01 00:00:00", *shelf.tag("--write", "--categories", "mood"))
    moods = shelf.seen()
    run(shelf, "2001-09-09 01:46:39", *shelf.tag("--write", "--categories", "theme"))
    assert [made["run"] for made in runs(shelf)] == [2, 1]
    run(shelf, "1970-01-01 00:00:00", "undo")
    assert shelf.seen() == moods
    run(shelf, "1969-12-31 23:59:59", "undo")
    assert shelf.seen() == before
    assert [(made["run"], made["undone"]) for made in runs(shelf)] == [
        (4, 0),
        (3, 0),
        (2, 3),
        (1, 3),
    ]


def test_a_clock_that_jumps_while_it_writes_hurts_nobody(shelf: Shelf) -> None:
    """Every look at the clock finds it a month later (or earlier): no wait ends early or never."""
    require()
    before = shelf.seen()
    # The clock that only goes forward does so still: waiting is by that one.
    for step, words in (("i2592000", shelf.tag("--write")), ("i-2592000", ("undo",))):
        turned = {"TZ": "UTC", "NO_FAKE_STAT": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        fake = ("faketime", "-f", f"@2040-02-01 00:00:00 {step}")
        done = command.run(shelf.home, *words, before=fake, environment=turned)
        assert done.returncode == 0, done.stderr
    assert shelf.seen() == before and shelf.strays() == []
    back, forth = runs(shelf)
    assert str(back["started"]) > str(back["finished"]) > "2030"
    assert str(forth["finished"]) > str(forth["started"]) > "2040"


FAR = {
    "long ago": datetime.fromisoformat("1901-12-14 00:00:00+00:00"),
    "before the epoch": datetime.fromisoformat("1969-12-31 23:59:59.999999+00:00"),
    "the epoch": EPOCH,
    "past 32 bits": datetime.fromisoformat("2107-02-07 06:28:16.000001+00:00"),
    "past 64 bits of nanoseconds": datetime.fromisoformat("2300-01-01 00:00:00+00:00"),
    "as late as disks go": datetime.fromisoformat("2446-05-01 00:00:00+00:00"),
}


@pytest.mark.parametrize("name", FAR)
def test_files_of_any_time_are_known_again_and_keep_it_where_they_shall(
    shelf: Shelf, name: str
) -> None:
    past = FAR[name] - EPOCH
    stamp = (past.days * 86400 + past.seconds) * 10**9 + past.microseconds * 1000 + 321
    for path in shelf.files:
        os.utime(path, ns=(stamp, stamp))
    kept = {path: path.stat().st_mtime_ns for path in shelf.files}  # as far as the disk can
    before = shelf.seen()
    shelf.hear()
    assert reads_again(shelf) == 0
    done = shelf.run(*shelf.tag("--write", "--keep-mtime"))
    assert done.returncode == 0, done.stderr
    assert shelf.seen() != before and reads_again(shelf) == 0
    assert {path: path.stat().st_mtime_ns for path in shelf.files} == kept
    done = shelf.run("undo", "--keep-mtime")
    assert done.returncode == 0, done.stderr
    assert shelf.seen() == before
    assert {path: path.stat().st_mtime_ns for path in shelf.files} == kept


@pytest.mark.parametrize("step", [-1, 1, -(10**18)])
def test_a_time_that_went_back_is_a_change_too(shelf: Shelf, step: int) -> None:
    assert reads_again(shelf) == 0
    path = shelf.files[0]
    found = path.stat()
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + step * 1000))
    assert reads_again(shelf) == 1
