"""A file as bounded, byte-addressed pieces: the ground every payload reader stands on.

Nothing here trusts a length that a file declares: a read outside the file raises `Broken`, and
no read is larger than the caller's own constant.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

from tagkit.errors import AudioError

BLOCK = 1 << 20
"""Bytes read at once where a whole span is streamed."""

MOST_PARTS = 100_000
"""Chunks, atoms or pages that a walk follows before it calls the file broken: a fragmented MP4 of
ten hours has about 40,000, and a hostile file of empty chunks would keep a walk busy for hours."""


class Broken(Exception):  # noqa: N818 - a signal between the files of this package, never an error
    """The structure is not what it says it is; the caller falls back to the raw file."""


class Span(NamedTuple):
    """A half-open range of byte offsets."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start


class Source:
    """Random access to one open file of a fixed size."""

    def __init__(self, file: BinaryIO, path: str) -> None:
        self._file = file
        self.path = path
        self.size = os.fstat(file.fileno()).st_size

    def at(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes; Broken where the file does not have them."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise Broken
        self._file.seek(offset)
        parts = []
        while length:
            part = self._file.read(length)
            if not part:
                raise AudioError("the file became shorter while it was read", path=self.path)
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def upto(self, offset: int, length: int) -> bytes:
        """As many of ``length`` bytes as the file has from ``offset``."""
        return self.at(offset, max(0, min(length, self.size - offset)))

    def blocks(self, span: Span) -> Iterator[bytes]:
        for offset in range(span.start, span.end, BLOCK):
            yield self.at(offset, min(BLOCK, span.end - offset))


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Source]:
    """The file as a `Source`. Whatever the operating system refuses becomes AudioError."""
    name = os.fspath(path)
    try:
        # Asked before opening: to open a FIFO waits for a writer that may never come.
        if not stat.S_ISREG(os.stat(name).st_mode):  # noqa: PTH116 - a name may be undecodable
            raise AudioError("not a regular file", path=name)
        with open(name, "rb") as file:  # noqa: PTH123
            yield Source(file, name)
    except OSError as error:
        raise AudioError(f"cannot read: {error.strerror or error}", path=name) from error
    except ValueError as error:  # a NUL inside the name
        raise AudioError(f"cannot open: {error}", path=name) from error
