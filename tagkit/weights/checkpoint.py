"""What torch has saved, by us or by strangers: tensors and plain values, never code, in bounded memory."""

from __future__ import annotations

import os
import zipfile
from typing import Any, BinaryIO

import torch

from tagkit import strangers
from tagkit.errors import WeightsError

_ROOM = 512 << 20  # bytes that reading may take besides what the file holds


def load(path: str | os.PathLike[str], *, most: int | None = None) -> Any:
    """Return what was saved at ``path``, on the CPU; ``most``: bytes that the file may have.

    Raises OSError, WeightsError, and whatever a damaged or hostile pickle makes torch raise.
    """
    with strangers.opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        if most is not None and size > most:
            raise WeightsError(f"has {size:,} bytes: no checkpoint of a tagger")
        # Its pickle builds plain values only, but may build the same one a million times.
        with strangers.bounded_memory(4 * size + _ROOM):
            _refuse_bomb(file, size)
            return torch.load(file, map_location="cpu", weights_only=True)


def _refuse_bomb(file: BinaryIO, size: int) -> None:
    """A checkpoint stores its tensors as they are: one that unpacks to more than itself is a trap."""
    try:
        unpacked = strangers.unpacked(file)
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise WeightsError(f"is a damaged checkpoint: {error}") from error
    if unpacked is not None and unpacked > size:
        raise WeightsError("is a compressed checkpoint, which torch never writes")
