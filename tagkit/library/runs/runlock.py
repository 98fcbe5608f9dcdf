"""Which runs are alive: each holds a lock on a small file beside the journal until it ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class RunLocks:
    """The locks of the runs of one journal. Raises OSError."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._held: dict[int, int] = {}  # run -> descriptor

    def hold(self, run: int) -> None:
        """Take the lock of a run of which no other process knows yet."""
        fd = os.open(self._path(run), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        self._held[run] = fd

    def release(self, run: int) -> None:
        fd = self._held.pop(run, None)
        if fd is not None:
            self._path(run).unlink(missing_ok=True)
            os.close(fd)

    def release_all(self) -> None:
        for run in list(self._held):
            self.release(run)

    def is_alive(self, run: int) -> bool:
        """Whether some process still holds the run; the file of a dead one is removed."""
        try:
            fd = os.open(self._path(run), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._path(run).unlink(missing_ok=True)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False

    def _path(self, run: int) -> Path:
        return self._journal.with_name(f"{self._journal.name}-run{run}.lock")
