"""What commands cost, from outside: CPU seconds of the whole process tree, wall seconds, peak memory.

Linux only. One command runs at a time.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

#: Not passed on: how many threads a library takes is its own affair here.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
SAMPLED = 0.1  # seconds between looks at the memory
SUBREAPER = 36  # prctl's PR_SET_CHILD_SUBREAPER


class Usage(NamedTuple):
    """cpu: user and system seconds; wall: seconds; rss: MiB, the most of all processes together."""

    cpu: float
    wall: float
    rss: float


class Cost(NamedTuple):
    """One file's share (cpu, wall: seconds), what comes before any (CPU seconds), the peak (MiB)."""

    cpu: float
    wall: float
    start: float
    rss: float


def run(
    command: Sequence[str | Path], one_core: bool = False, extra: Mapping[str, str] | None = None
) -> tuple[Usage, str]:
    """Run a command on one core or on all; return what it cost and its stdout.

    Exits with the end of its stderr where the command fails.
    """
    environment = {name: value for name, value in os.environ.items() if name not in THREADS}
    before = children()
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)  # whoever outlives its parent is waited for here
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        with pinned(one_core):
            process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                env=environment | dict(extra or {}),
            )
        with sampled(process.pid) as peak:
            _, status, used = os.wait4(process.pid, 0)
            wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        cpu = used.ru_utime + used.ru_stime + orphans(before)
        out.seek(0)
        errors.seek(0)
        if process.returncode:
            tail = errors.read().decode(errors="replace")[-2000:]
            raise SystemExit(f"{' '.join(map(str, command[:8]))} …: {process.returncode}\n{tail}")
        return Usage(cpu, wall, max(peak, default=0.0)), out.read().decode(errors="replace")


@contextlib.contextmanager
def pinned(one_core: bool) -> Iterator[None]:
    """Processes that begin in here have one core."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)} if one_core else cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


@contextlib.contextmanager
def sampled(pid: int) -> Iterator[list[float]]:
    """Yield a list that fills with the MiB of a process and all below it.

    Pages that they share are counted in each.
    """
    peak: list[float] = []
    done = threading.Event()

    def look() -> None:
        while not done.wait(SAMPLED):
            with contextlib.suppress(psutil.Error):
                root = psutil.Process(pid)
                tree = [root, *root.children(recursive=True)]
                peak.append(sum(process.memory_info().rss for process in tree) / 2**20)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def children() -> set[int]:
    return {process.pid for process in psutil.Process().children()}


def orphans(before: set[int]) -> float:
    """Wait for what the command left behind; return its CPU seconds. Children that this process had
    ``before`` are not the command's."""
    cpu = 0.0
    while left := children() - before:
        for pid in left:
            with contextlib.suppress(ChildProcessError):
                used = os.wait4(pid, 0)[2]
                cpu += used.ru_utime + used.ru_stime
    return cpu


def reported(printed: str, files: int) -> Cost:
    """What a process said of itself (:mod:`warm`), a file."""
    said = json.loads(printed.strip().splitlines()[-1])
    return Cost(said["cpu"] / files, said["wall"] / files, said["start"], said["rss"])


def slope(few: Usage, n_few: int, many: Usage, n_many: int) -> tuple[Cost, Usage]:
    """A file's cost from runs with few and with many files, and what a run with none would be."""
    files = n_many - n_few
    cpu, wall = (many.cpu - few.cpu) / files, (many.wall - few.wall) / files
    start = Usage(few.cpu - n_few * cpu, few.wall - n_few * wall, few.rss)
    return Cost(cpu, wall, start.cpu, many.rss), start


def above(start: Usage, many: Usage, files: int) -> Cost:
    """A file's cost where a run with no file is known."""
    cpu, wall = (many.cpu - start.cpu) / files, (many.wall - start.wall) / files
    return Cost(cpu, wall, start.cpu, many.rss)
