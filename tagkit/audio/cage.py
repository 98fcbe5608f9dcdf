"""What a process that decodes does to itself before it meets a file.

A decoder is native code that reads what anyone may have made. Here it can take no more than a bounded
amount of memory, write no file, start no process (unless it is root's), and outlive nobody.
"""

from __future__ import annotations

import contextlib
import os
import sys

# Bytes beside the libraries, which take some 50 MB: together less than 1 GiB.
ROOM = 896 << 20

# What a process has grown by when it is replaced, so that what one file left takes no room from the next.
WORN = 256 << 20

# The kernel's choice where memory is short: this process, and not the run or another program.
OOM_SCORE = 500

_PR_SET_PDEATHSIG = 1


class Cage:
    """Around this process, from now on; ``parent`` is the process that it ends with."""

    def __init__(self, parent: int) -> None:
        self._start = _size()
        if sys.platform == "linux":
            _die_with(parent)
            _limit(self._start + ROOM)

    @property
    def worn(self) -> bool:
        """Whether the process should not go on to another file."""
        return _size() - self._start > WORN


def _size() -> int:
    """Bytes of address space in use; 0 where that is not known."""
    with contextlib.suppress(OSError), open("/proc/self/statm", "rb") as file:  # noqa: PTH123
        return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _die_with(parent: int) -> None:
    """Be killed when the parent ends, also in the middle of a file."""
    import ctypes
    import signal

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it has ended before
        sys.exit(1)


def _limit(memory: int) -> None:
    import resource

    for which, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),  # pipes are no files
        (resource.RLIMIT_NPROC, 0),
    ):
        with contextlib.suppress(OSError, ValueError):  # a stricter limit than ours stands
            resource.setrlimit(which, (most, most))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
        file.write(str(OOM_SCORE))
