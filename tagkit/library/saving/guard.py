"""May this file be written: is it a plain file, writable, with room beside it, and nobody else at it?"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from tagkit.errors import SaveError, TagError
from tagkit.library.saving import tempfiles

ROOM = 1 << 20  # bytes that a tag may grow by, asked for on top of the file's own size
PATIENCE = 10.0  # seconds to wait for another tagkit that writes the same file

_HINTS = {
    errno.ENOSPC: "the disk is full; free some space and run again",
    errno.EDQUOT: "the quota is used up; free some space and run again",
    errno.EROFS: "the file system is mounted read-only",
    errno.EACCES: "no permission; the file's folder must be writable too",
    errno.EPERM: "not permitted; the file may be immutable or somebody else's",
    errno.ENOENT: "it was there before; has it been moved or removed meanwhile?",
    errno.EIO: "the disk reports an input/output error; check it before anything else",
}


class SkipError(TagError):
    """The file is left alone on purpose; an option of the same name as in the hint would write it."""


@contextlib.contextmanager
def os_errors(path: Path) -> Iterator[None]:
    """Turn an OSError inside into a SaveError about ``path``."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        hint = _HINTS.get(error.errno or 0)
        raise SaveError(f"not written: {reason}", path=path, hint=hint) from error


def preflight(path: Path, *, through_links: bool) -> None:
    """Raise SkipError or SaveError where ``path`` (a resolved one) is not to be written."""
    with os_errors(path):
        found = path.stat()
        writable, disk = os.access(path, os.W_OK), os.statvfs(path.parent)
    if not stat.S_ISREG(found.st_mode):
        raise SkipError("not a regular file", path=path)
    # The mode bits too: for root every file passes os.access, and still read-only is somebody's wish.
    if not found.st_mode & 0o222 or not writable:
        raise SaveError("the file is read-only", path=path, hint="tagkit does not force it")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise SaveError("its folder is read-only", path=path, hint="tagkit does not force it")
    if found.st_nlink > 1 and not through_links:
        raise SkipError(
            f"the file has {found.st_nlink} names (hard links), and all would change",
            path=path,
            hint="--through-links writes it",
        )
    if disk.f_bavail * disk.f_frsize < found.st_size + ROOM:
        reason = os.strerror(errno.ENOSPC)
        raise SaveError(f"not written: {reason}", path=path, hint=_HINTS[errno.ENOSPC])


@contextlib.contextmanager
def alone(path: Path) -> Iterator[os.stat_result]:
    """Keep other tagkits from the file, and yield what it is from now on. Raises SaveError.

    Without it two of them could both find the file unchanged, and the second replace it by a copy
    that knows nothing of the first one's values.
    """
    until = time.monotonic() + PATIENCE
    while True:
        with os_errors(path):
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            with os_errors(path):
                held = tempfiles.try_lock(fd) is not False
                found = os.fstat(fd)
                current = os.path.samestat(found, path.stat())
            if held and current:  # else its last holder has replaced it: take the new one
                yield found
                return
        finally:
            with contextlib.suppress(OSError):  # nothing was written through it
                os.close(fd)
        if not held:
            if time.monotonic() > until:
                raise SaveError("another program keeps it locked", path=path, hint="run again")
            time.sleep(0.02)
