"""Ogg Vorbis, Opus, Ogg FLAC and Speex: comments in the second packet of the stream.

Pages are cut and numbered by mutagen.ogg. A packet that shrinks keeps its length, so that the pages
behind it keep their numbers; the standards allow zeros behind the comments, but not in Ogg FLAC.
Sources: RFC 3533 (Ogg), RFC 7845 (Opus), Vorbis I, the Ogg FLAC mapping, the Speex manual.
"""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

from mutagen.ogg import OggPage

from tagkit.library.containers import comments
from tagkit.library.containers.base import Native, TagOptions
from tagkit.library.containers.splice import SOMETHING_IN_FRONT, Broken, NoWriter, read_at

_MOST_PAGES = 100_000  # of headers; a cover of 50 MB takes about 12,000 pages
_PADDING = 512
_VIDEO = (b"\x80theora", b"\x01video", b"BBCD\0")


class Codec(NamedTuple):
    begins: bytes  # of the stream's first packet
    prefix: int  # bytes in front of the comments
    padded: bool  # whether zeros may follow the comments


_CODECS = (
    Codec(b"\x01vorbis", 7, True),
    Codec(b"OpusHead", 8, True),
    Codec(b"\x7fFLAC", 4, False),
    Codec(b"Speex   ", 0, True),
)


class Ogg(comments.Comments):
    def __init__(self, file: BinaryIO) -> None:
        self._codec, self._pages = _comment_pages(file)
        self._packets = OggPage.to_packets(self._pages)
        packet = self._packets[0]
        self._prefix = packet[: self._codec.prefix]
        self._vendor, items, self._behind = comments.parse(packet[self._codec.prefix :])
        super().__init__(items)

    def write(self, file: BinaryIO) -> None:
        data = comments.render(self._vendor, self.items)
        prefix = self._prefix
        if self._codec.begins == b"\x7fFLAC":  # a metadata block, which says its length
            prefix = prefix[:1] + len(data).to_bytes(3, "big")
        # Vorbis ends its comments with a bit that is 1; Opus may keep data there if its first bit is.
        behind = self._behind.rstrip(b"\0")
        packet = prefix + data + behind
        if self._codec.padded and not (self._codec.begins == b"OpusHead" and behind):
            missing = len(self._packets[0]) - len(packet)
            packet += b"\0" * (missing if missing >= 0 else _PADDING)
        packets = [packet, *self._packets[1:]]
        OggPage.replace(file, self._pages, _paged(packets, self._pages))

    def blocks(self, _file: BinaryIO) -> dict[str, bytes]:
        found = {f"packet{number}": data for number, data in enumerate(self._packets[1:])}
        return found | {"vendor": self._vendor, "behind": self._behind.rstrip(b"\0")}


def _paged(packets: list[bytes], old: list[OggPage]) -> list[OggPage]:
    """Return pages for the packets: cut as the old ones were, where all lengths are the same."""
    data = b"".join(packets)
    if [len(p) for p in packets] != [len(p) for p in OggPage.to_packets(old)]:
        return list(OggPage.from_packets(packets, old[0].sequence))
    pages = []
    for page in old:
        new = OggPage()
        new.complete, new.continued, new.position = page.complete, page.continued, page.position
        for piece in page.packets:
            new.packets.append(data[: len(piece)])
            data = data[len(piece) :]
        pages.append(new)
    return pages


def _comment_pages(file: BinaryIO) -> tuple[Codec, list[OggPage]]:
    """Return the first stream of audio that tagkit knows, and the pages of its second packet."""
    if read_at(file, 0, 4) != b"OggS":
        raise NoWriter(SOMETHING_IN_FRONT)
    file.seek(0)
    codec, serial, pages = None, None, []
    for _ in range(_MOST_PAGES):
        page = OggPage(file)
        if page.first:
            begins = page.packets[0]
            if begins.startswith(_VIDEO):
                raise NoWriter("Ogg files with video are not written")
            found = next((c for c in _CODECS if begins.startswith(c.begins)), None)
            if codec is None and found is not None:
                codec, serial = found, page.serial
                if len(page.packets) != 1 or not page.complete:
                    raise Broken("its first page holds more than the header of the stream")
        elif codec is not None and page.serial == serial:
            if page.position > 0:
                raise Broken("its comments share a page with audio")
            pages.append(page)
            if page.complete or len(page.packets) > 1:
                return codec, pages
    raise Broken("it has no comment header") if codec else NoWriter("no audio that tagkit writes")


def open_ogg(file: BinaryIO, _options: TagOptions) -> list[Native]:
    return [Ogg(file)]
