"""Temporary files beside the music: recognisable, owned while their process lives, swept when it is dead.

The owner holds a lock (``flock``) on its temporary file. The kernel lets go of it however the process
ends, so a file that can be locked by someone else has no owner any more, and may go.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path

_NAME = re.compile(r"\.tagkit-[0-9a-f]{16}\.(tmp|redo)")
# Errors of file systems that have no locks at all (some network mounts): nothing is owned or swept there.
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS}


def create(folder: Path) -> tuple[Path, int]:
    """Make an empty file in ``folder`` that only this user can read; return its path and open descriptor.

    The name ends in ``.tmp``, so that no media scanner takes it for music. Close the descriptor to
    give up ownership. Raises OSError.
    """
    while True:
        path = folder / f".tagkit-{secrets.token_hex(8)}.tmp"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            owned = try_lock(fd) is not False and is_same(path, fd)
        except BaseException:
            with contextlib.suppress(OSError):
                path.unlink()
            os.close(fd)
            raise
        if owned:  # else a sweeper came between the two steps, and the lock or the name is gone
            return path, fd
        os.close(fd)


def sweep(folder: Path, is_over: Callable[[Path], bool] = lambda _: False) -> list[Path]:
    """Remove the temporary files that dead runs left in ``folder``; return them. Raises OSError.

    Anything that is not ours by name, not a regular file, owned by a living process or not ours to
    remove stays where it is; and a copy from which a torn file is to be made whole (``.redo``), unless
    ``is_over`` knows that nobody needs it.
    """
    return [
        path
        for path in _ours(folder)
        if (path.suffix == ".tmp" or is_over(path)) and _remove_if_orphan(path)
    ]


def lie_in(folder: Path) -> bool:
    """Whether a temporary file of tagkit's lies in a folder; False where that cannot be seen."""
    try:
        return bool(_ours(folder))
    except OSError:
        return False


def is_ours(name: str) -> bool:
    """Whether a file's name is one that tagkit gives to temporary files."""
    return _NAME.fullmatch(name) is not None


def _ours(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return [
            folder / entry.name
            for entry in entries
            if is_ours(entry.name) and entry.is_file(follow_symlinks=False)
        ]


def _remove_if_orphan(path: Path) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if try_lock(fd) is not True or not is_same(path, fd):
            return False
        path.unlink()
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def try_lock(fd: int) -> bool | None:
    """Lock a file without waiting: True; False where another holds it; None where there are no locks.

    The lock goes when the descriptor is closed. Raises OSError.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return None
        raise
    return True


def is_same(path: Path, fd: int) -> bool:
    """Whether a path still names the file that a descriptor is open on."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(fd))
    except FileNotFoundError:
        return False
