"""Give a file with several names (hard links) new bytes under all of them: in place, and safe from a kill.

There is no atomic way to do that, so the finished copy stays beside the file until it is over. Who
finds it after a crash (:mod:`tagkit.library.runs.torn`) copies it once more; the bytes only ever come
from a file that is whole.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from tagkit.errors import SaveError
from tagkit.library.saving import tempfiles

SUFFIX = ".redo"


def is_copy_for(target: Path, redo: Path) -> bool:
    """Whether a copy of ours lies at ``redo``: beside the file, and named as only tagkit names one."""
    named = redo.parent == target.parent and tempfiles.is_ours(redo.name) and redo.suffix == SUFFIX
    return named and redo.is_file() and not redo.is_symlink()


def reserve(target: Path, size: int) -> None:
    """Get the room for ``size`` bytes, before one of the file's own is changed.

    Raises OSError; the file has its old size then, if that could be brought back.
    """
    with target.open("r+b") as file:
        had = os.fstat(file.fileno()).st_size
        if size > had and sys.platform == "linux":
            try:
                os.posix_fallocate(file.fileno(), had, size - had)
            except OSError:
                file.truncate(had)
                raise


def complete(target: Path, redo: Path) -> None:
    """Copy the bytes of ``redo`` over those of ``target``, durably, with its mtime, and remove it.

    Nothing happens where it is not there: then this never began, or has ended. Raises SaveError.
    """
    try:
        if redo.exists() and target.exists():
            _overwrite(target, redo)
            redo.unlink()
    except OSError as error:
        hint = f"what it shall hold is whole, in {redo}; the next run tries again"
        raise SaveError(f"half-written: {error.strerror}", path=target, hint=hint) from error


def _overwrite(target: Path, source: Path) -> None:
    with source.open("rb") as new, target.open("r+b") as old:
        shutil.copyfileobj(new, old, 1 << 20)
        old.truncate()
        old.flush()
        found = os.fstat(new.fileno())
        os.utime(old.fileno(), ns=(found.st_atime_ns, found.st_mtime_ns))
        os.fsync(old.fileno())
