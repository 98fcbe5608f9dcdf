"""Replace a file by an edited copy of itself, so that at every moment the old or the new one is whole.

::

    preflight ─▶ temporary copy in the same folder ─▶ (the caller edits and proves it)
              ─▶ fsync ─▶ os.replace ─▶ fsync the folder

Until ``os.replace`` the original is only read. After it the new file is complete, whenever power fails.
Where the system can, the two change places instead: then it is seen what was replaced, and what another
program has put there in the last moment goes back.
The caller proves the audio by reading both files after the edit, not by a hash taken while copying:
that proves the copy as well, and the original is in the cache by then.

POSIX only: it needs ``flock``, and a rename that replaces an open file.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tagkit.errors import ChangedError, SaveError
from tagkit.library.saving import attributes, guard, inplace, tempfiles
from tagkit.library.saving.attributes import Attributes
from tagkit.library.saving.exchange import exchange
from tagkit.library.saving.guard import SkipError, os_errors

_FICLONE = 0x40049409  # linux/fs.h: _IOW(0x94, 9, int)


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

    def dress(self) -> None:
        """Give the copy the original's attributes. Raises SkipError where it cannot have them."""
        with os_errors(self.original):
            lost = attributes.carry(self.attributes, self.temp)
        if lost and not self.options.force:
            raise SkipError(
                f"a new file here could not be given its {', '.join(lost)}",
                path=self.original,
                hint="--force writes it without",
            )

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
                raise self._changed()
            if self.redo is None:
                self._replace()
                self.state = "done"
                try:
                    self._make_durable()
                finally:
                    _remove(self.temp)  # the old file, where the two have changed places
            else:
                self._overwrite(self.redo)

    def discard(self) -> None:
        """Remove the copy, unless it has taken the original's place or a torn file needs it."""
        if self.state == "waiting":
            _remove(self.temp)

    def now(self) -> os.stat_result:
        """Return what the written file is, also where another program has replaced it since. Raises OSError."""
        return os.fstat(self.fd) if self.redo is None else self.original.stat()

    def _replace(self) -> None:
        exchanged = False
        try:
            exchanged = exchange(self.temp, self.original)
            if not exchanged:
                self.temp.replace(self.original)
        except OSError:
            # A network file system may fail to hear that it was done, and say that it was not.
            if not tempfiles.is_same(self.original, self.fd):
                raise
        # All but ctime, which the exchange itself has moved.
        if exchanged and _identity(self.temp.lstat())[:-1] != _identity(self.before)[:-1]:
            self.state = "torn"  # until theirs is back, nothing may be removed
            exchange(self.temp, self.original)
            self.state = "waiting"
            raise self._changed()

    def _changed(self) -> ChangedError:
        return ChangedError(
            "another program has changed the file meanwhile; it is left as it is now",
            path=self.original,
            hint="run again",
        )

    def _make_durable(self) -> None:
        try:
            fsync_folder(self.original.parent)
        except OSError as error:
            message = (
                f"written, but a power failure now may bring the old file back: {error.strerror}"
            )
            raise SaveError(message, path=self.original) from error

    def _overwrite(self, redo: Path) -> None:
        self.temp.rename(redo)
        self.temp = redo
        fsync_folder(redo.parent)
        self.state = "torn"
        try:
            inplace.reserve(self.original, redo.stat().st_size)
        except OSError:
            if self.original.stat().st_size == self.before.st_size:
                self.state = "waiting"
            raise
        inplace.complete(self.original, redo)
        self.state = "done"


@contextlib.contextmanager
def copied(path: Path, options: SaveOptions) -> Iterator[Copy]:
    """Yield a copy of ``path`` (a resolved one), to be filled; remove it unless it was committed.

    Raises SkipError before anything is written where the file has other names or attributes that
    cannot be carried over; SaveError where it is read-only, gone, or the disk has no room.
    """
    guard.preflight(path, through_links=options.through_links)
    with guard.alone(path) as before:
        with os_errors(path):
            wanted = attributes.read(path)
            temp, fd = tempfiles.create(path.parent)
        copy = Copy(path, temp, before, wanted, options, fd)
        try:
            copy.dress()
            yield copy
        finally:
            copy.discard()
            with contextlib.suppress(OSError):  # all that counts has been fsynced
                os.close(fd)


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


def _remove(temp: Path) -> None:
    with contextlib.suppress(OSError):  # what cannot go now goes with the next sweep
        temp.unlink(missing_ok=True)


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
    owned = (found.st_mode, found.st_uid, found.st_gid)
    place = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
    return (*owned, *place, found.st_ctime_ns)
