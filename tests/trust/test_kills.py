"""Killed while it writes or takes back: every file is the old or the new one, and the next run ends the work."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.trust import command, size, tracing
from tests.trust.harmed import Library
from tests.trust.tracing import Call

pytestmark = pytest.mark.timeout(0 if size.FULL else 300)

DOING = pytest.mark.parametrize("doing", ["write", "undo"])
# What changes something on the disk, or what others see of it.
POINTS = set(
    "openat write pwrite64 rename renameat2 unlink fsync fdatasync ftruncate fallocate chmod flock mkdir".split()
)


@pytest.fixture(scope="module")
def harmed(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return Library(tmp_path_factory.mktemp("kills"))


def points(harmed: Library, doing: str, count: int) -> list[Call]:
    """Draw the calls to be killed at: all of those that overwrite a file with several names, and others."""
    trace = harmed.trace(doing)
    found = [c for c in tracing.calls(trace, harmed.folders) if c.changes and c.name in POINTS]
    tearing = [c for c in found if c.place == "Music: file" and c.name not in ("openat", "flock")]
    others = [c for c in found if c not in tearing]
    assert tearing and len(others) > 500, "the trace shows no writing"
    return tearing + tracing.choose(others, count - len(tearing), size.draws(f"kills {doing}"))


@DOING
def test_killed_before_a_call_that_changes_something(harmed: Library, doing: str) -> None:
    tracing.require()
    begun = time.monotonic()
    chosen = points(harmed, doing, size.of(20, 80))
    files = 0
    for call in chosen:
        harmed.restore(doing)
        died = harmed.run(doing, before=tracing.harm(harmed.scratch, call, "signal=KILL"))
        assert died.returncode == -signal.SIGKILL, (call, died.stderr)
        files += harmed.check(doing)
        harmed.finish(doing)
    assert 0 < files < len(chosen) * len(harmed.shelf.files)
    size.tell(f"killed before a call: {doing}", time.monotonic() - begun, kills=len(chosen))


@DOING
def test_killed_at_any_moment(harmed: Library, doing: str) -> None:
    begun = time.monotonic()
    harmed.restore(doing)
    whole = time.monotonic()
    assert harmed.run(doing).returncode == 0
    whole = time.monotonic() - whole
    count, died, random = size.of(10, 40), 0, size.draws(f"moments {doing}")
    for _ in range(count):
        harmed.restore(doing)
        process = harmed.start(doing)
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(whole * random.uniform(0.3, 1))
        finally:
            command.end(process)
        died += process.returncode == -signal.SIGKILL
        harmed.check(doing)
        harmed.finish(doing)
    assert died
    size.tell(f"killed at any moment: {doing}", time.monotonic() - begun, kills=died)


def test_killed_again_and_again_until_it_is_done(harmed: Library) -> None:
    """Each run is killed a little later than the last one, and goes on from what that has left."""
    tracing.require()
    begun, kills = time.monotonic(), 0
    harmed.restore("write")
    for number in (1, 3, 2, 5, 4, 1):
        call = Call("renameat2", number, "", "")
        done = harmed.run("write", before=tracing.harm(harmed.scratch, call, "signal=KILL"))
        kills += done.returncode == -signal.SIGKILL
        harmed.check("write")
    assert kills == 6
    harmed.finish("write")
    size.tell("killed again and again", time.monotonic() - begun, kills=kills)


def test_a_file_costs_three_flushes_of_the_disk(harmed: Library) -> None:
    """Its journal row, the copy, and the folder; that it is done is found out again after a power failure."""
    tracing.require()
    files = len(harmed.shelf.files)
    for doing in ("write", "undo"):
        found = tracing.calls(harmed.trace(doing), harmed.folders)
        flushes = [c for c in found if c.name in ("fsync", "fdatasync")]
        # Some of each run's own, and two for the file that is overwritten.
        assert 3 * files <= len(flushes) <= 3 * files + 16, (doing, len(flushes))


def test_writing_from_a_filled_store_needs_no_torch(harmed: Library, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('there is none')\n")
    broken = {**os.environ, "PYTHONPATH": str(tmp_path)}
    tried = subprocess.run([sys.executable, "-c", "import torch"], env=broken, capture_output=True)
    assert b"there is none" in tried.stderr
    harmed.restore("write")
    for doing in ("write", "undo"):
        assert harmed.run(doing, environment=broken).returncode == 0
        assert harmed.check(doing) == len(harmed.shelf.files)
