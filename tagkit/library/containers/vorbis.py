"""Ogg Vorbis, Opus, Ogg FLAC and Speex: comments in the second packet of the stream.

A packet that shrinks keeps its length, so that the pages behind it keep their numbers; the standards allow
zeros behind the comments, but not in Ogg FLAC.
Sources: RFC 3533 (Ogg), RFC 7845 (Opus), Vorbis I, the Ogg FLAC mapping, the Speex manual.
"""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

from mutagen import MutagenError
from mutagen.ogg import OggPage

from tagkit.library.containers import comments, pages
from tagkit.library.containers.base import Native, TagOptions
from tagkit.library.containers.splice import (
    SOMETHING_IN_FRONT,
    Broken,
    NoWriter,
    read_at,
    refuse_large,
)

_MOST_PAGES = 100_000  # of headers; a cover of 50 MB takes about 17,000 pages
_PADDING = 512
_VIDEO = (b"\x80theora", b"\x01video", b"BBCD\0")


class Codec(NamedTuple):
    begins: bytes  # of the stream's first packet
    prefix: tuple[bytes, ...]  # how the packet of comments may begin
    room: int  # bytes in front of the comments
    padded: bool  # whether zeros may follow the comments
    also: tuple[bytes, ...]  # how the other packets begin that may share the comments' pages


# FLAC's blocks of metadata but the first and the comments; the highest bit is that of the last block.
_BLOCKS = tuple(bytes([kind | last]) for last in (0, 128) for kind in (1, 2, 3, 5, 6))
_FLAC_FRAME = (b"\xff\xf8", b"\xff\xf9")
_CODECS = (
    Codec(b"\x01vorbis", (b"\x03vorbis",), 7, True, (b"\x05vorbis",)),
    Codec(b"OpusHead", (b"OpusTags",), 8, True, ()),
    Codec(b"\x7fFLAC", (b"\x04", b"\x84"), 4, False, _BLOCKS),
    Codec(b"Speex   ", (b"",), 0, True, ()),
)


class Ogg(comments.Comments):
    def __init__(self, file: BinaryIO) -> None:
        self._codec, found = _comment_pages(file)
        packet, *self._others = OggPage.to_packets(found)
        # Not the pages themselves: with a cover in them they would be in memory several times.
        self._pages, self._length = pages.Pages.of(found), len(packet)
        if not packet.startswith(self._codec.prefix):
            raise Broken("there are no comments where they should be")
        if not all(other.startswith(self._codec.also) for other in self._others):
            raise Broken("its headers share a page with audio")
        self._prefix = packet[: self._codec.room]
        self._vendor, items, self._behind = comments.parse(packet[self._codec.room :])
        super().__init__(items)

    def write(self, file: BinaryIO) -> None:
        data = comments.render(self._vendor, self.items)
        prefix = self._prefix
        if self._codec.begins == b"\x7fFLAC":  # a metadata block, which says its length
            if len(data) >= 1 << 24:
                raise Broken("its comments would be longer than a block can be")
            prefix = prefix[:1] + len(data).to_bytes(3, "big")
        # Vorbis ends its comments with a bit that is 1; Opus may keep data there if its first bit is.
        behind = self._behind.rstrip(b"\0")
        packet = prefix + data + behind
        if self._codec.padded and not (self._codec.begins == b"OpusHead" and behind):
            missing = self._length - len(packet)
            packet += b"\0" * (missing if missing >= 0 else _PADDING)
        packets = [packet, *self._others]
        alike = len(packet) == self._length
        new = pages.cut_alike(packets, self._pages) if alike else pages.cut(packets)
        pages.put(file, self._pages, new)

    def blocks(self, _file: BinaryIO) -> dict[str, bytes]:
        found = {f"packet{number}": data for number, data in enumerate(self._others)}
        return found | {"vendor": self._vendor, "behind": self._behind.rstrip(b"\0")}


def _comment_pages(file: BinaryIO) -> tuple[Codec, list[OggPage]]:
    """Return the first stream of audio that tagkit knows, and the pages of its headers but the first.

    All of them: how the others lie on pages beside the comments changes with the comments' length.
    """
    if read_at(file, 0, 4) != b"OggS":
        raise NoWriter(SOMETHING_IN_FRONT)
    file.seek(0)
    codec, serial, length = None, None, 0
    found: list[OggPage] = []
    begun: list[bytes] = []
    for _ in range(_MOST_PAGES):
        page = _page(file)
        if found and (page.first or page.serial != serial):
            raise Broken("pages of another stream lie between its comments")
        if page.first:
            begins = page.packets[0]
            if begins.startswith(_VIDEO):
                raise NoWriter("Ogg files with video are not written")
            known = next((c for c in _CODECS if begins.startswith(c.begins)), None)
            if codec is None and known is not None:
                codec, serial = known, page.serial
                if len(page.packets) != 1 or not page.complete:
                    raise Broken("its first page holds more than the header of the stream")
        elif codec is not None and page.serial == serial:
            if page.position > 0:
                if found and found[-1].complete and page.packets[0].startswith(_FLAC_FRAME):
                    return codec, found  # TagLib has left out the mark of the last block
                raise Broken("its headers share a page with audio")
            if page.continued != (bool(found) and not found[-1].complete):
                raise Broken("its headers do not go on where their last page ends")
            found.append(page)
            length += page.size
            refuse_large(length)
            begun += [packet[:1] for packet in page.packets[page.continued :]]
            if page.complete and _are_all(codec, begun):
                return codec, found
    raise Broken("it has no comment header") if codec else NoWriter("no audio that tagkit writes")


def _page(file: BinaryIO) -> OggPage:
    try:
        return OggPage(file)
    except EOFError:
        raise Broken("it ends before its headers do") from None
    except MutagenError:
        raise Broken("there is no whole page where one should be") from None


def _are_all(codec: Codec, begun: list[bytes]) -> bool:
    """Whether these first bytes of packets are of all headers behind the first."""
    if codec.begins == b"\x7fFLAC":
        return begun[-1] >= b"\x80"  # the flag of the last block
    return len(begun) > len(codec.also)


def open_ogg(file: BinaryIO, _options: TagOptions) -> list[Native]:
    return [Ogg(file)]
