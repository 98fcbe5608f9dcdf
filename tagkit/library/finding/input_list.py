"""A list of paths, from a file or from a pipe."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from typing import BinaryIO

from tagkit.errors import UsageError

_BLOCK = 1 << 16  # more than the longest path (4096): a list with a NUL shows one in its first
_LONGEST = 1 << 20


def input_list(source: str) -> Iterator[str]:
    """Yield the paths in the file ``source``, or in standard input where it is ``-``.

    One a line, or NUL-separated where a NUL is in it (as ``find -print0`` writes it). Names need
    not be text. Raises UsageError where the list itself cannot be read.
    """
    try:
        if source == "-":
            yield from _items(sys.stdin.buffer)
        else:
            with open(source, "rb") as file:  # noqa: PTH123 (a name as the shell gave it)
                yield from _items(file)
    except OSError as error:
        raise UsageError(f"cannot read the list: {error.strerror}", path=source) from error


def _items(file: BinaryIO) -> Iterator[str]:
    block = file.read(_BLOCK)
    by_nul = b"\0" in block
    rest = b""
    while block:
        *items, rest = (rest + block).split(b"\0" if by_nul else b"\n")
        yield from _names(items, by_nul)
        if len(rest) > _LONGEST:
            raise OSError(errno.ENAMETOOLONG, "a line is too long for a path")
        block = file.read(_BLOCK)
    yield from _names([rest], by_nul)


def _names(items: list[bytes], by_nul: bool) -> Iterator[str]:
    for item in items:
        name = item if by_nul else item.removesuffix(b"\r")
        if name:
            yield os.fsdecode(name)
