"""Arrays and lists from strangers' files: numbers and texts only, never pickles.

Every reader raises DataError with the file and what to do.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagkit.errors import DataError

#: What NumPy raises for a file that is cut off, is none of its own, or claims more than memory holds.
_DAMAGED = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    MemoryError,
    OverflowError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_npy(path: Path) -> NDArray[Any]:
    """Return the array in a ``.npy`` file."""
    try:
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
            if isinstance(found, np.ndarray):
                return found
    except _DAMAGED as error:
        raise _unreadable(path, error) from error
    raise DataError("holds several arrays, not one", path=path, hint="give a .npy file")


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays in a ``.npz`` file by name."""
    try:
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
            if isinstance(found, Mapping):
                return dict(found)
    except _DAMAGED as error:
        raise _unreadable(path, error) from error
    raise DataError("holds one bare array", path=path, hint="give a .npz file for this")


def _unreadable(path: Path, error: BaseException) -> DataError:
    if isinstance(error, OSError) and error.strerror:
        return DataError(f"cannot be read: {error.strerror}", path=path)
    if "pickle" in str(error).lower():
        return DataError(
            "is no plain array, or one with pickled objects in it, which could run code",
            path=path,
            hint="save it from a numeric or string array with numpy.save",
        )
    return DataError(f"is damaged or no NumPy file: {str(error)[:200]}", path=path)


def read_lines(path: Path) -> list[str]:
    """Return a text file's lines without their ends; blank lines at the end do not count."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot be read as text: {reason}", path=path) from error
    while lines and not lines[-1].strip():
        lines.pop()
    return [line.strip() for line in lines]
