"""Arrays kept in ``.npy`` files, of which only the pieces that are asked for are read.

Training takes one chunk of each of many tracks, in no order. To map a whole file for that costs more than the
chunk: the map and its page faults, a file descriptor and one of the 65,530 maps that Linux allows a process for
as long as it is held, and on a cold disk as much of the track as the system reads ahead. Here the chunk's own
bytes are read, and nothing stays open.

So an image is kept frame by frame (Fortran's order of (mels, frames)): its chunks are then contiguous.
"""

from __future__ import annotations

import io
import math
import os
from functools import lru_cache
from pathlib import Path
from types import EllipsisType
from typing import Any, Protocol

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from tagkit.errors import RecipeError

Array = NDArray[Any]
#: numpy pads its header to a multiple of 64; one of two axes takes 128 bytes.
HEADER = 128


class Pieces(Protocol):
    """What training takes chunks of: an array, or one whose pieces are read when they are asked for."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, key: Any, /) -> Any: ...

    def __len__(self) -> int: ...


class Kept:
    """The array in the file ``place``: ``kept[..., start:stop]`` reads that span of its last axis.

    Raises OSError where there is no such file, ValueError for one that is damaged.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        with place.open("rb", buffering=0) as file:
            _no_read_ahead(file)
            start = file.read(HEADER)
            size = int.from_bytes(start[8:10], "little") + 10
            if size > HEADER:
                start += file.read(size - HEADER)
            self.shape, self._by_columns, self.dtype = _header(start[:size])
            whole = os.fstat(file.fileno()).st_size
        self._offset = size
        if whole < size + math.prod(self.shape) * self.dtype.itemsize:
            raise ValueError(f"{place} is cut short")

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: slice | tuple[EllipsisType, slice]) -> Array:
        """Return a span of the last axis; of a single axis by a plain slice as well. Read-only.

        Raises RecipeError where the file can no longer be read.
        """
        span = key if isinstance(key, slice) else key[1]
        if (isinstance(key, slice) and self.ndim > 1) or span.step not in (None, 1):
            raise IndexError(f"only spans of the last axis are read, not {key}")
        start, stop, _ = span.indices(self.shape[-1])
        try:
            if self.ndim > 1 and not self._by_columns:
                return self._mapped()[..., start:stop]
            return self._read(start, max(start, stop))
        except (OSError, ValueError) as error:
            raise RecipeError(
                f"cannot be read: {error}", path=self.place, hint="run again: it is computed anew"
            ) from error

    def _read(self, start: int, stop: int) -> Array:
        column = self.shape[:-1]
        step = int(np.prod(column, dtype=np.int64)) * self.dtype.itemsize
        with self.place.open("rb", buffering=0) as file:
            _no_read_ahead(file)
            file.seek(self._offset + start * step)
            data = file.read((stop - start) * step)
        return np.frombuffer(data, self.dtype).reshape((*column, stop - start), order="F")

    def _mapped(self) -> Array:
        """The rows of an image that was kept row by row lie far apart."""
        found: Array = np.memmap(self.place, self.dtype, "r", self._offset, self.shape, order="C")
        return found


def save(out: Any, array: Array) -> None:
    """Write ``array`` to a binary file such that spans of its last axis are contiguous."""
    np.save(out, np.asfortranarray(array), allow_pickle=False)


@lru_cache(maxsize=1 << 14)
def _header(start: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether the last axis is the slowest, and type. The same text comes with every track as long."""
    file = io.BytesIO(start)
    if npy.read_magic(file) != (1, 0):
        raise ValueError("of a form that is not written here")
    shape, by_columns, dtype = npy.read_array_header_1_0(file)
    if dtype.hasobject or not shape:
        raise ValueError(f"holds {dtype} {shape}")
    # One axis is written as if by rows, whichever is asked for.
    return shape, by_columns or len(shape) == 1, dtype


def _no_read_ahead(file: io.FileIO) -> None:
    """A chunk is 30 kB of a track of 2 MB, and the next one is of another track."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
