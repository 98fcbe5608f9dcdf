"""Arrays and lists from strangers' files: numbers and texts only, never pickles.

Every reader raises DataError with the file and what to do.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tagkit import strangers
from tagkit.errors import DataError

# Bytes. The predictions of a million tracks for fifty tags are 250 MB.
_MOST_ARRAYS = 1 << 30
_MOST_TEXT = 64 << 20
_ROOM = 512 << 20  # that reading may take besides

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
        with strangers.opened(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > _MOST_ARRAYS:
                raise ValueError(f"it has {size:,} bytes, and at most {_MOST_ARRAYS:,} are read")
            with strangers.bounded_memory(2 * size + _ROOM):
                found = np.load(file, allow_pickle=False)
            if isinstance(found, np.ndarray):
                return _sound(found)
    except _DAMAGED as error:
        raise _unreadable(path, error) from error
    raise DataError("holds several arrays, not one", path=path, hint="give a .npy file")


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays in a ``.npz`` file by name."""
    try:
        with strangers.opened(path) as file, strangers.bounded_memory(_MOST_ARRAYS + _ROOM):
            _refuse_bomb(file)
            found = np.load(file, allow_pickle=False)
            if isinstance(found, Mapping):
                return {name: _sound(array) for name, array in found.items()}
    except _DAMAGED as error:
        raise _unreadable(path, error) from error
    raise DataError("holds one bare array", path=path, hint="give a .npz file for this")


def _refuse_bomb(file: BinaryIO) -> None:
    """A megabyte of a zip archive can unpack to a gigabyte."""
    size = strangers.unpacked(file)
    if size is not None and size > _MOST_ARRAYS:
        raise ValueError(f"it unpacks to {size:,} bytes, and at most {_MOST_ARRAYS:,} are read")


def _sound(array: object) -> NDArray[Any]:
    if not isinstance(array, np.ndarray):
        raise ValueError("it holds something else than arrays")
    if array.size and not array.dtype.itemsize:
        raise ValueError(f"it has {array.size:,} items without a byte")
    return array


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
        lines = strangers.content(path, _MOST_TEXT).decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot be read as text: {reason}", path=path) from error
    while lines and not lines[-1].strip():
        lines.pop()
    return [line.strip() for line in lines]
