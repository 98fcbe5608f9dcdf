"""Decoding in other processes: the same samples, and what happens to a process happens to one file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from tagkit.audio import process
from tagkit.audio.process import Worker
from tagkit.audio.windows import decode
from tagkit.audio.workers import Workers
from tagkit.errors import AudioError, PassingError
from tests import media

HEARINGS = [(12000, 6000), (16000, 8000)]


@pytest.fixture
def song(tmp_path: Path) -> Path:
    return media.make(tmp_path / "söng \udcff;\n.flac", "flac", seconds=4.0)


def decodes(process: psutil.Process) -> bool:
    """Whether it is a process that decodes, and runs: an orphan may stay a zombie for a while."""
    try:
        return "tagkit.audio.worker" in process.cmdline()
    except (psutil.ZombieProcess, psutil.NoSuchProcess):
        return False


def decoding(pid: int) -> bool:
    return psutil.pid_exists(pid) and decodes(psutil.Process(pid))


def children() -> list[psutil.Process]:
    """Those of this process; other tests may have left children of other kinds."""
    return [process for process in psutil.Process().children() if decodes(process)]


def test_a_worker_returns_what_decoding_here_does(song: Path) -> None:
    with Workers(1, 3) as pool:
        there = pool.submit(song, HEARINGS).result()
    here = decode(song, HEARINGS, 3)
    assert there.duration == here.duration
    assert set(there.windows) == set(HEARINGS)
    for hearing in HEARINGS:
        np.testing.assert_array_equal(there.windows[hearing], here.windows[hearing])


def test_an_error_is_of_its_file_and_the_process_goes_on(song: Path, tmp_path: Path) -> None:
    (tmp_path / "no.mp3").write_bytes(b"no music")
    with Workers(1, 3) as pool:
        pool.start()
        before = children()
        with pytest.raises(AudioError, match="cannot be decoded") as caught:
            pool.submit(tmp_path / "no.mp3", HEARINGS).result()
        assert caught.value.path == str(tmp_path / "no.mp3")
        assert pool.submit(song, HEARINGS).result().duration == pytest.approx(4)
        assert children() == before


def test_a_crash_costs_one_file(song: Path) -> None:
    with Workers(1, 3) as pool:
        assert pool.submit(song, HEARINGS).result()
        (child,) = children()
        child.suspend()
        first, second = pool.submit(song, HEARINGS), pool.submit(song, HEARINGS)
        os.kill(child.pid, signal.SIGSEGV)
        child.resume()
        with pytest.raises(AudioError, match=r"crashed \(SIGSEGV\)"):
            first.result()
        assert second.result().duration == pytest.approx(4)


def test_a_hang_costs_one_file(song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Workers(1, 3) as pool:
        pool.start()
        assert pool.submit(song, HEARINGS).result()
        (child,) = children()
        monkeypatch.setattr(process, "PATIENCE", 0.2)
        child.suspend()
        with pytest.raises(PassingError, match="did not answer in 0 s"):
            pool.submit(song, HEARINGS).result()
        monkeypatch.setattr(process, "PATIENCE", 60)
        assert pool.submit(song, HEARINGS).result().duration == pytest.approx(4)


def test_a_process_that_ends_while_it_waits_is_replaced(song: Path) -> None:
    with Workers(1, 3) as pool:
        assert pool.submit(song, HEARINGS).result()
        (child,) = children()
        child.kill()
        while child.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        assert pool.submit(song, HEARINGS).result().duration == pytest.approx(4)


def test_a_process_that_speaks_unasked_is_replaced(song: Path) -> None:
    with Workers(1, 3) as pool:
        assert pool.submit(song, HEARINGS).result()
        (child,) = children()
        with Path(f"/proc/{child.pid}/fd/3").open("wb") as replies:  # as a stray thread would
            replies.write(b"unasked\n")
        assert pool.submit(song, HEARINGS).result().duration == pytest.approx(4)
        assert children() != [child]


def test_a_file_is_to_blame_for_what_is_computed_and_not_for_what_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent / "trust" / "faults"))
    monkeypatch.setattr(process, "PATIENCE", 2)
    monkeypatch.setattr(process, "COMPUTED", 0.02)  # a busy machine may give it no more
    caught = {}
    for fault in ("spin", "sleep"):
        path = media.make(tmp_path / f"{fault}.wav", "wav")
        with Workers(1, 3) as pool, pytest.raises(AudioError) as error:
            pool.submit(path, HEARINGS).result()
        caught[fault] = error.value
    assert caught["spin"].message == "its decoder did not come to an end in 2 s"
    assert not isinstance(caught["spin"], PassingError)
    assert isinstance(caught["sleep"], PassingError)


def test_time_that_this_process_did_not_see_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(process.time, "monotonic", lambda: now[0])
    clock = process.Clock(3)
    now[0] += 3600  # stopped, or asleep with the machine
    clock.check()
    with pytest.raises(TimeoutError):
        for _ in range(10):
            now[0] += 0.5
            clock.check()
    assert now[0] < 3603


def test_patience_is_half_a_minute_for_ordinary_files(tmp_path: Path) -> None:
    path = tmp_path / "x.flac"
    path.touch()
    for megabytes, seconds in ((1, 30), (50, 30), (200, 120), (1000, 600)):
        os.truncate(path, megabytes * 1_000_000)
        assert 20 < process._patience(path) <= seconds


def test_a_malformed_reply_is_a_crash(song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker()
    worker.start()
    monkeypatch.setattr(
        worker, "_answer", lambda: {"id": 0, "last": 0, "counts": ["x"], "duration": 0}
    )
    with pytest.raises(AudioError, match="crashed"):
        worker.decode(song, HEARINGS, 3)
    assert not worker.usable


def test_nothing_is_left_running(song: Path) -> None:
    pool = Workers(2, 3)
    waiting = [pool.submit(song, HEARINGS) for _ in range(9)]
    pool.close()
    assert not children()
    assert any(future.cancelled() or future.exception() for future in waiting)


def test_processes_end_with_the_one_that_started_them() -> None:
    code = (
        "import os, sys; from tagkit.audio.workers import Workers; pool = Workers(2, 3); pool.start(); pool.start();"
        "print(*(w.pid for w in pool._started), flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) == 2
    until = time.monotonic() + 20
    while any(map(decoding, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(decoding, pids))


def test_a_library_in_the_current_folder_is_not_that_library(
    song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('taken in')")
    monkeypatch.chdir(tmp_path)
    with Workers(1, 3) as pool:
        assert pool.submit(song, HEARINGS).result().duration == pytest.approx(4)


def test_processes_work_side_by_side(song: Path) -> None:
    """With one held in the middle of its file, the other goes on."""
    with Workers(2, 3) as pool:
        pool.start()
        pool.start()
        held = children()[0]
        held.suspend()
        futures = [pool.submit(song, HEARINGS) for _ in range(4)]
        until = time.monotonic() + 60
        while sum(future.done() for future in futures) < 3 and time.monotonic() < until:
            time.sleep(0.01)
        assert sum(future.done() for future in futures) == 3
        held.resume()
        assert all(future.result().duration == pytest.approx(4) for future in futures)
