"""The boxes ("atoms") of an MP4 file, and how they move. Source: ISO/IEC 14496-12.

When bytes are put in front of the sound, every chunk offset behind them must move with it. Only files
whose offsets are all known are changed; see :func:`refuse_odd`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tagkit.library.containers.splice import (
    Broken,
    NoWriter,
    read_at,
    refuse_large,
    size_of,
    splice,
)

Offsets: TypeAlias = NDArray[np.uint64]

_CONTAINERS = frozenset((b"moov", b"trak", b"mdia", b"minf", b"stbl", b"udta", b"ilst"))
_OFFSETS: dict[bytes, np.dtype[Any]] = {b"stco": np.dtype(">u4"), b"co64": np.dtype(">u8")}
_MOST_BOXES = 200_000
_MOST_DEPTH = 12
_STILL = (b"jpeg", b"png ", b"mjpa", b"mjpb")  # a "video" of these is a picture: cover or chapters


@dataclass
class Box:
    name: bytes
    offset: int
    header: int  # bytes before the content
    size: int  # with the header
    children: list[Box] = field(default_factory=list)

    @property
    def content(self) -> int:
        return self.offset + self.header

    @property
    def end(self) -> int:
        return self.offset + self.size

    def all(self, name: bytes) -> list[Box]:
        return [child for child in self.children if child.name == name]

    def find(self, *names: bytes) -> list[Box]:
        """Return every box at a path of names."""
        found = [self]
        for name in names:
            found = [child for box in found for child in box.all(name)]
        return found

    def only(self, name: bytes) -> Box | None:
        found = self.all(name)
        if len(found) > 1:
            raise Broken(f"it has {len(found)} {name.decode('latin-1')} boxes in one place")
        return found[0] if found else None


def tree(file: BinaryIO) -> Box:
    """Return the whole file as a box without a name. Raises Broken."""
    end = size_of(file)
    root = Box(b"", 0, 0, end)
    root.children = list(_walk(file, 0, end, 0, [0]))
    return root


def _walk(file: BinaryIO, at: int, end: int, depth: int, count: list[int]) -> Iterator[Box]:
    while at + 8 <= end:
        box = _box(file, at, end, depth)
        count[0] += 1
        if count[0] > _MOST_BOXES or depth > _MOST_DEPTH:
            raise Broken("it has more boxes than any real file")
        if box.name in _CONTAINERS:
            box.children = list(_walk(file, box.content, box.end, depth + 1, count))
        elif box.name == b"meta" and depth and not _is_quicktime(file, box):
            box.header += 4  # version and flags
            box.children = list(_walk(file, box.content, box.end, depth + 1, count))
        yield box
        at = box.end
    if at < end and any(read_at(file, at, end - at)):  # four zero bytes may end a QuickTime list
        raise Broken("bytes that are no box lie behind the last box")


def _box(file: BinaryIO, at: int, end: int, depth: int) -> Box:
    size, name = struct.unpack(">I4s", read_at(file, at, 8))
    header = 8
    if size == 1:
        header, size = 16, struct.unpack(">Q", read_at(file, at + 8, 8))[0]
    elif size == 0 and depth == 0:  # up to the end of the file
        size = end - at
    if size < header or at + size > end:
        raise Broken("a box reaches beyond the one that holds it")
    return Box(name, at, header, size)


def _is_quicktime(file: BinaryIO, box: Box) -> bool:
    """QuickTime's meta has no version in front of its boxes, and other keys in its list."""
    return box.size >= box.header + 8 and read_at(file, box.content + 4, 4) == b"hdlr"


def refuse_odd(file: BinaryIO, root: Box) -> Box:
    """Return the moov box of a plain audio file. Raises NoWriter for every other structure.

    Video first: saves by tag editors have made videos of phones unreadable (mutagen#584).
    """
    moov = root.only(b"moov")
    if moov is None:
        raise Broken("it has no moov box")
    for track in moov.all(b"trak"):
        for handler in track.find(b"mdia", b"hdlr"):
            if read_at(file, handler.content + 8, 4) == b"vide" and not _is_still(file, track):
                raise NoWriter("MP4 files with video are not written")
    if root.all(b"moof") or root.all(b"mfra") or moov.all(b"mvex"):
        raise NoWriter("fragmented MP4 files are not written")
    if moov.all(b"cmov"):
        raise NoWriter("MP4 files with a compressed moov box are not written")
    if root.all(b"meta"):
        raise NoWriter("MP4 files with items of their own (iloc) are not written")
    if moov.find(b"trak", b"mdia", b"minf", b"stbl", b"saio"):
        raise NoWriter("MP4 files with encrypted samples are not written")
    last = root.children[-1]
    if moov is last and read_at(file, moov.offset, 4) == b"\0\0\0\0":
        raise NoWriter("its moov box has no size")
    return moov


def _is_still(file: BinaryIO, track: Box) -> bool:
    descriptions = track.find(b"mdia", b"minf", b"stbl", b"stsd")
    return bool(descriptions) and all(
        read_at(file, box.content + 12, 4) in _STILL for box in descriptions
    )


def offset_tables(file: BinaryIO, moov: Box) -> Iterator[tuple[Box, Offsets]]:
    """Yield every table of chunk offsets with its content. Raises Broken."""
    for stbl in moov.find(b"trak", b"mdia", b"minf", b"stbl"):
        for box in stbl.children:
            if box.name not in _OFFSETS:
                continue
            kind = _OFFSETS[box.name]
            (count,) = struct.unpack(">I", read_at(file, box.content + 4, 4))
            length = count * kind.itemsize
            if 8 + length > box.size - box.header:
                raise Broken("a table of chunk offsets is longer than its box")
            refuse_large(length)
            data = read_at(file, box.content + 8, length)
            yield box, np.frombuffer(data, kind).astype(np.uint64)


def replace(file: BinaryIO, parents: list[Box], offset: int, old: int, new: bytes) -> None:
    """Replace bytes inside the boxes ``parents`` (outermost first) and mend sizes and offsets."""
    shift = len(new) - old
    if shift:
        moved = _moved_tables(file, parents[0], offset + old, shift)
        sizes = [_resized(file, box, shift) for box in parents]
        # All is computed before the first byte changes: an overflow leaves the file as it was.
        for at, data in [*moved, *sizes]:
            file.seek(at)
            file.write(data)
        file.flush()
    splice(file, offset, old, new)


def _moved_tables(file: BinaryIO, moov: Box, behind: int, shift: int) -> list[tuple[int, bytes]]:
    patches = []
    for box, offsets in offset_tables(file, moov):
        kind = _OFFSETS[box.name]
        if offsets.size and int(offsets.max()) + shift >= 1 << (8 * kind.itemsize):
            raise Broken("it would grow beyond what its chunk offsets can say")
        moved = offsets + np.uint64(shift % (1 << 64))  # as unsigned numbers wrap, so back too
        patches.append(
            (box.content + 8, np.where(offsets >= behind, moved, offsets).astype(kind).tobytes())
        )
    return patches


def _resized(file: BinaryIO, box: Box, shift: int) -> tuple[int, bytes]:
    size = box.size + shift
    if read_at(file, box.offset, 4) == b"\0\0\0\1":
        return box.offset + 8, struct.pack(">Q", size)
    if size >= 1 << 32:
        raise Broken("its boxes would grow beyond what their sizes can say")
    return box.offset, struct.pack(">I", size)
