"""Replace a file by an edited copy of itself, so that at every moment the old or the new one is whole.

::

    preflight ─▶ temporary copy in the same folder ─▶ (the caller edits and proves it)
              ─▶ fsync ─▶ os.replace ─▶ fsync the folder

Until ``os.replace`` the original is only read. After it the new file is complete, whenever power fails.
POSIX only: it needs ``flock``, and a rename that replaces an open file.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tagkit.errors import ChangedError, SaveError, TagError
from tagkit.library import attributes, inplace, tempfiles
from tagkit.library.attributes import Attributes

_ROOM = (
    1 << 20
)  # bytes a tag may grow by, padding included; asked for on top of the file's own size
_FICLONE = 0x40049409  # linux/fs.h: _IOW(0x94, 9, int)

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


@dataclass(frozen=True)
class SaveOptions:
    """``keep_mtime``: the new file gets the old one's time. ``through_links``: a file with several
    names is edited too. ``force``: it is edited even if some attribute cannot be carried over."""

    keep_mtime: bool = False
    through_links: bool = False
    force: bool = False


@dataclass
class Copy:
    """A whole copy of ``original`` at ``temp``, to be edited there, then to take its place."""

    original: Path
    temp: Path
    before: os.stat_result
    attributes: Attributes
    options: SaveOptions
    fd: int
    state: Literal["waiting", "torn", "done"] = "waiting"

    @property
    def redo(self) -> Path | None:
        """Where the copy lies while a file with several names is overwritten; None: it is replaced."""
        return self.temp.with_suffix(inplace.SUFFIX) if self.before.st_nlink > 1 else None

    def fill(self) -> None:
        """Give the copy the original's bytes. Raises SaveError."""
        with os_errors(self.original):
            _fill(self.fd, self.original)

    def seal(self) -> None:
        """Make the edited copy durable, with the original's attributes. Raises SaveError."""
        with os_errors(self.original):
            if not self.options.force and attributes.read(self.temp) != self.attributes:
                raise SaveError("the copy has lost the file's attributes", path=self.original)
            if self.options.keep_mtime:
                os.utime(self.temp, ns=(self.before.st_atime_ns, self.before.st_mtime_ns))
            os.fsync(self.fd)

    def commit(self) -> None:
        """Put the sealed copy in the original's place. Raises ChangedError and SaveError.

        ``state`` says what happened, whatever was raised. A "torn" file is whole again once
        :func:`inplace.complete` has run: its copy stays for that.
        """
        with os_errors(self.original):
            if _identity(self.original.stat()) != _identity(self.before):
                raise ChangedError(
                    "another program has changed the file meanwhile; it is left as it is now",
                    path=self.original,
                    hint="run again",
                )
            if self.redo is None:
                self.temp.replace(self.original)
                self.state = "done"
                fsync_folder(self.original.parent)
            else:
                self._overwrite(self.redo)

    def _overwrite(self, redo: Path) -> None:
        self.temp.rename(redo)
        self.temp = redo
        fsync_folder(redo.parent)
        inplace.reserve(self.original, redo.stat().st_size)
        self.state = "torn"
        inplace.complete(self.original, redo)
        self.state = "done"
        if self.options.keep_mtime:
            os.utime(self.original, ns=(self.before.st_atime_ns, self.before.st_mtime_ns))


@contextlib.contextmanager
def copied(path: Path, options: SaveOptions) -> Iterator[Copy]:
    """Yield a copy of ``path`` (a resolved one), to be filled; remove it unless it was committed.

    Raises SkipError before anything is written where the file has other names or attributes that
    cannot be carried over; SaveError where it is read-only, gone, or the disk has no room.
    """
    with os_errors(path):
        before = path.stat()
        wanted = attributes.read(path)
        _preflight(path, before, options)
        temp, fd = tempfiles.create(path.parent)
    copy = Copy(path, temp, before, wanted, options, fd)
    try:
        with os_errors(path):
            lost = attributes.carry(wanted, temp)
            if lost and not options.force:
                raise SkipError(
                    f"a new file here could not be given its {', '.join(lost)}",
                    path=path,
                    hint="--force writes it without",
                )
        yield copy
    finally:
        if copy.state != "torn":
            with contextlib.suppress(OSError):  # what cannot go now goes with the next sweep
                copy.temp.unlink(missing_ok=True)
        os.close(fd)


@contextlib.contextmanager
def os_errors(path: Path) -> Iterator[None]:
    """Turn an OSError inside into a SaveError about ``path``."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        hint = _HINTS.get(error.errno or 0)
        raise SaveError(f"not written: {reason}", path=path, hint=hint) from error


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems have no fsync for folders
            raise
    finally:
        os.close(fd)


def _preflight(path: Path, found: os.stat_result, options: SaveOptions) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise SkipError("not a regular file", path=path)
    # The mode bits too: for root every file passes os.access, and still read-only is somebody's wish.
    if not found.st_mode & 0o222 or not os.access(path, os.W_OK):
        raise SaveError("the file is read-only", path=path, hint="tagkit does not force it")
    if found.st_nlink > 1 and not options.through_links:
        raise SkipError(
            f"the file has {found.st_nlink} names (hard links), and all would change",
            path=path,
            hint="--through-links writes it",
        )
    disk = os.statvfs(path.parent)
    if disk.f_bavail * disk.f_frsize < found.st_size + _ROOM:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _fill(fd: int, source: Path) -> None:
    """Give the temporary file the source's bytes: by sharing its blocks where the disk can."""
    with source.open("rb") as original:
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                fcntl.ioctl(fd, _FICLONE, original.fileno())
                return
        with open(fd, "wb", closefd=False) as copy:
            shutil.copyfileobj(original, copy, 1 << 20)


def _identity(found: os.stat_result) -> tuple[int, ...]:
    # ctime as well: it moves with every change, even one that puts mtime back.
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
