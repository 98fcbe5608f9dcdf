"""Ogg pages: packets cut into them, put into the file, and the pages behind them numbered anew.

mutagen.ogg reads and writes a single page. Its own cutting and replacing takes minutes for a cover of
50 MB, and it numbers a chained stream on where that begins again. Source: RFC 3533.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

from mutagen.ogg import OggPage

from tagkit.library.containers.splice import read_at, size_of, splice
from tagkit.library.payload.ogg import checksum

_PAGE = 16 * 255  # bytes of packets on a page: as RFC 3533 and others suggest
_HEADER = 27  # bytes before the lacing values
_FIRST = 2  # flag of a stream's first page


def cut(packets: Sequence[bytes]) -> list[OggPage]:
    """Return pages for the packets; the first packet begins the first page, the last ends the last."""
    pages, page, room = [], OggPage(), _PAGE
    for packet in packets:
        at = 0
        while len(packet) - at > room:
            page.packets.append(packet[at : at + room])
            page.complete = False
            if len(page.packets) == 1:
                page.position = -1  # no packet ends here
            at += room
            pages.append(page)
            page, room = OggPage(), _PAGE
            page.continued = True
        page.packets.append(packet[at:])
        room -= (len(packet) - at) // 255 * 255 + 255
        if room < 255:
            pages.append(page)
            page, room = OggPage(), _PAGE
    return [*pages, page] if page.packets else pages


class Shape(NamedTuple):
    """A page without its content."""

    lengths: tuple[int, ...]  # of the packets, or their pieces
    complete: bool
    continued: bool
    position: int


class Pages(NamedTuple):
    """Pages of one stream that lie one behind the other: where, and how they are cut."""

    offset: int
    size: int
    serial: int
    sequence: int
    last: bool  # whether the stream ends with them
    shapes: tuple[Shape, ...]

    @classmethod
    def of(cls, pages: Sequence[OggPage]) -> Pages:
        shapes = tuple(
            Shape(tuple(map(len, page.packets)), page.complete, page.continued, page.position)
            for page in pages
        )
        first, size = pages[0], sum(page.size for page in pages)
        return cls(first.offset, size, first.serial, first.sequence, pages[-1].last, shapes)


def cut_alike(packets: Sequence[bytes], old: Pages) -> list[OggPage]:
    """Return pages for packets that are as long as those of ``old``, cut where those were."""
    data, at, pages = b"".join(packets), 0, []
    for shape in old.shapes:
        page = OggPage()
        page.complete, page.continued, page.position = shape[1:]
        for length in shape.lengths:
            page.packets.append(data[at : at + length])
            at += length
        pages.append(page)
    return pages


def put(file: BinaryIO, old: Pages, new: Sequence[OggPage]) -> None:
    """Replace pages by ``new`` ones, which end with the end of a packet as those do."""
    for number, page in enumerate(new):
        page.serial, page.sequence = old.serial, (old.sequence + number) % (1 << 32)
    new[-1].last = old.last
    data = b"".join(page.write() for page in new)
    splice(file, old.offset, old.size, data)
    if len(new) != len(old.shapes):
        _renumber(file, old.offset + len(data), old.serial, len(new) - len(old.shapes))


def _renumber(file: BinaryIO, at: int, serial: int, shift: int) -> None:
    """Add ``shift`` to the numbers of a stream's pages from ``at``; gaps between them stay gaps.

    It ends with the stream: where another begins with the same serial, or where no whole page is.
    """
    end = size_of(file)
    while at + _HEADER <= end:
        head = read_at(file, at, min(_HEADER + 255, end - at))
        body = _HEADER + head[26]
        length = body + sum(head[_HEADER:body])
        if head[:5] != b"OggS\0" or at + length > end:
            return
        number, sequence = struct.unpack_from("<II", head, 14)
        if number == serial:
            if head[5] & _FIRST:
                return
            page = _numbered(read_at(file, at, length), (sequence + shift) % (1 << 32))
            file.seek(at)
            file.write(page)
        at += length
    file.flush()


def _numbered(page: bytes, sequence: int) -> bytes:
    """Return a page with another number, and the checksum that goes with it."""
    data = page[:18] + struct.pack("<I", sequence) + page[22:]
    return data[:22] + checksum(data) + data[26:]
