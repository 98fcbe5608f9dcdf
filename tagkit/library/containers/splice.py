"""Bounded reads, and the replacement of bytes in the middle of a file."""

from __future__ import annotations

import hashlib
import os
from typing import BinaryIO

_BLOCK = 1 << 20


class Broken(Exception):  # noqa: N818 - a signal inside this package; open_tags turns it into TagError
    """The file is not what its own headers say, so nothing in it may be moved."""


class NoWriter(Exception):  # noqa: N818 - likewise, turned into NoWriterError
    """A sound file of a kind that is never written; the message is the reason."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


# A tag is held in memory several times over while it is changed and proven. What is larger was made to
# be in the way, not to be read: covers of 50 MB exist, and lists of some hundred fields.
MOST_BYTES = 80 << 20
MOST_ITEMS = 10_000

SOMETHING_IN_FRONT = "something stands in front of its own header"


def refuse_large(size: int) -> None:
    if size > MOST_BYTES:
        raise NoWriter(f"tags of more than {MOST_BYTES >> 20} MiB are not written")


def refuse_many(count: int) -> None:
    if count > MOST_ITEMS:
        raise NoWriter(f"tags of more than {MOST_ITEMS:,} fields are not written")


def size_of(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def read_at(file: BinaryIO, offset: int, length: int) -> bytes:
    """Return exactly ``length`` bytes. Raises Broken; never allocates for bytes that are not there."""
    if offset < 0 or length < 0 or offset + length > size_of(file):
        raise Broken("it ends before its own headers say")
    file.seek(offset)
    data = file.read(length)
    if len(data) != length:
        raise Broken("it became shorter while it was read")
    return data


def digest_at(file: BinaryIO, offset: int, length: int) -> bytes:
    """Return the SHA-256 of a span of the file, read in blocks."""
    digest = hashlib.sha256()
    while length > 0:
        data = read_at(file, offset, min(_BLOCK, length))
        digest.update(data)
        offset, length = offset + len(data), length - len(data)
    return digest.digest()


def splice(file: BinaryIO, offset: int, old: int, new: bytes) -> None:
    """Replace ``old`` bytes at ``offset`` by ``new``, moving all that follows."""
    end, shift = size_of(file), len(new) - old
    tail = offset + old
    if shift > 0:  # from the end backwards, so that nothing is overwritten before it was read
        position = end
        while position > tail:
            length = min(_BLOCK, position - tail)
            position -= length
            _move(file, position, length, shift)
    elif shift < 0:
        for position in range(tail, end, _BLOCK):
            _move(file, position, min(_BLOCK, end - position), shift)
        file.truncate(end + shift)
    file.seek(offset)
    file.write(new)
    file.flush()


def _move(file: BinaryIO, position: int, length: int, shift: int) -> None:
    data = read_at(file, position, length)
    file.seek(position + shift)
    file.write(data)
    file.flush()
