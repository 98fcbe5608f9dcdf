"""Bounds for what a stranger's file may take: processor time here, memory in a process of its own."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GIB = 1 << 30
_LIMIT = (
    "import os, resource, sys; most = int(sys.argv[1]);"
    " resource.setrlimit(resource.RLIMIT_DATA, (most, most)); os.execv(sys.argv[2], sys.argv[2:])"
)


def make_odd(place: Path, kind: str) -> None:
    """Put there what is no file: a pipe that nobody fills, a device without an end, a folder, a link in a circle."""
    if kind == "a pipe":
        os.mkfifo(place)
    elif kind == "a device":
        place.symlink_to("/dev/zero")
    elif kind == "a folder":
        place.mkdir()
    elif kind == "a loop":
        place.symlink_to(place)
    else:
        raise ValueError(kind)


@contextmanager
def soon(seconds: float) -> Iterator[None]:
    """Fail where the block computes for longer. The processor's time, not the clock's: CI is busy."""
    started = time.process_time()
    yield
    taken = time.process_time() - started
    assert taken < seconds, f"{taken:.1f} s of computing"


def memory(most: int) -> tuple[str, ...]:
    """The words before a command that may have ``most`` bytes of memory."""
    return (sys.executable, "-c", _LIMIT, str(most))


def peak(process: int | str = "self") -> int:
    """The bytes of memory that a process has had at most.

    Not ``ru_maxrss``, which begins with what the process had that started it.
    """
    for line in Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    raise AssertionError("no Linux")


@contextmanager
def within(most: int) -> Iterator[None]:
    """Fail where the block's peak of memory is ``most`` bytes above what the process has now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew
    before = peak()
    yield
    taken = peak() - before
    assert taken < most, f"{taken >> 20:,} MiB"
