"""Which runs are alive, and what a dead one may have left lying.

Each run holds a lock on a small file beside the journal until it ends, however it ends. In the file stand
the folders in which it has made temporary files: where it died, they are swept by whoever comes next.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Callable
from pathlib import Path

from tagkit.library.saving import tempfiles


class RunLocks:
    """The locks of the runs of one journal. Raises OSError."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._held: dict[int, int] = {}  # run -> descriptor

    def hold(self, run: int) -> None:
        """Take the lock of a run of which no other process knows yet."""
        while run not in self._held:
            fd = os.open(self._path(run), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(fd, fcntl.LOCK_EX)
            if tempfiles.is_same(self._path(run), fd):
                self._held[run] = fd
            else:  # somebody has taken it for a dead run's, and removed it
                os.close(fd)

    def note(self, run: int, folder: Path) -> None:
        """Remember that this run makes temporary files in a folder."""
        os.write(self._held[run], os.fsencode(folder) + b"\0")

    def release(self, run: int) -> None:
        """Let go of a run that has ended; its file stays for the next one where a folder is not clean."""
        fd = self._held.pop(run, None)
        if fd is None:
            return
        try:
            if not any(tempfiles.lie_in(folder) for folder in _folders(fd)):
                self._path(run).unlink(missing_ok=True)
        finally:
            os.close(fd)

    def release_all(self) -> None:
        for run in list(self._held):
            self.release(run)

    def is_alive(self, run: int) -> bool:
        """Whether some process still holds the run."""
        try:
            fd = os.open(self._path(run), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False

    def bury(self, clean: Callable[[Path], bool]) -> None:
        """Have the folders of dead runs cleaned. A run is forgotten when all of its folders are.

        What cannot be looked at now is left for the next time: nobody waits for tidiness.
        """
        name = re.compile(re.escape(self._journal.name) + r"-run\d+\.lock")
        for path in list(self._journal.parent.iterdir()):
            if name.fullmatch(path.name):
                with contextlib.suppress(OSError):
                    _bury(path, clean)

    def _path(self, run: int) -> Path:
        return self._journal.with_name(f"{self._journal.name}-run{run}.lock")


def _bury(path: Path, clean: Callable[[Path], bool]) -> None:
    fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: it is alive
        if not tempfiles.is_same(path, fd):
            return
        cleaned = [clean(folder) for folder in _folders(fd)]
        if all(cleaned):
            path.unlink()
    finally:
        os.close(fd)


def _folders(fd: int) -> list[Path]:
    """Return the folders that stand in a lock file; one that was half-written was never used."""
    text = os.pread(fd, os.fstat(fd).st_size, 0)
    return [Path(os.fsdecode(name)) for name in text.split(b"\0")[:-1]]
