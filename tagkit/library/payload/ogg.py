"""Ogg: pages in which one or more streams are multiplexed or chained.

A longer comment packet fills more pages, and every page after it then has another sequence number
and another checksum. The digest therefore reads packets and page bodies, each stream by itself:

- the packets before the audio, without the comment packet (for FLAC in Ogg: without the metadata
  blocks), whatever pages they lie in;
- of every audio page its flags, granule position, lacing values and body;
- where a page's checksum is wrong, or the numbers of audio pages do not go on from the headers'
  (a decoder drops such pages), that this is so.

The content key reads three pieces without following the pages, with the two changing fields of
every page header in them blanked.

Sources: RFC 3533 (Ogg), RFC 5334 and RFC 7845 (Opus), Vorbis I section 4.2, xiph.org/flac/ogg_mapping.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from tagkit.library.payload.layout import Layout
from tagkit.library.payload.source import Broken, Source, Span

_MOST_STREAMS = 4096
_MOST_HEADER_PAGES = 20_000  # 1.3 GB of comment packet, if its pages are full
_MOST_PAGES = 2_000_000  # ten hours of a page every 20 ms; some five seconds
_HEADER = 27  # bytes of a page header before its lacing values
_VOLATILE = re.compile(rb"(OggS\0[\0-\7].{12}).{8}", re.DOTALL)  # sequence number, checksum


def layout(source: Source, bounds: Span) -> Layout:
    return OggLayout(source, (Span(_audio_start(source, bounds), bounds.end),), whole=bounds)


@dataclass(frozen=True)
class OggLayout(Layout):
    whole: Span = field(kw_only=True)

    def parts(self) -> Iterator[bytes]:
        return _stream_digests(self.source, self.whole)

    def piece(self, offset: int, length: int) -> bytes:
        # A page header may straddle an end of the piece: blank in a wider one, then cut.
        first = max(0, offset - _HEADER)
        wider = super().piece(first, length + offset - first + _HEADER)
        blanked = _VOLATILE.sub(rb"\1" + bytes(8), wider)
        return blanked[offset - first :][:length]


class _Page(NamedTuple):
    start: int
    flags: int
    head: bytes  # flags, granule position
    serial: bytes
    sequence: int
    lacing: bytes
    body: Span

    @property
    def first(self) -> bool:
        return bool(self.flags & 2)

    def packets(self) -> Iterator[tuple[int, Span, bool]]:
        """(index of the first lacing value, bytes, whether the packet ends here)."""
        ends = [i + 1 for i, value in enumerate(self.lacing) if value < 255]
        if self.lacing.endswith(b"\xff"):
            ends.append(len(self.lacing))
        offset = self.body.start
        for begin, end in pairwise([0, *ends]):
            after = offset + sum(self.lacing[begin:end])
            yield begin, Span(offset, after), self.lacing[end - 1] < 255
            offset = after


def _page(source: Source, offset: int, end: int) -> _Page | None:
    """The page at ``offset``; None where there is none, or not all of it."""
    if offset + _HEADER > end:
        return None
    head = source.upto(offset, _HEADER + 255)
    body = offset + _HEADER + head[26]
    if head[:5] != b"OggS\0" or body > end:
        return None
    lacing = head[_HEADER : _HEADER + head[26]]
    after = body + sum(lacing)
    if after > end:
        return None
    sequence = int.from_bytes(head[18:22], "little")
    return _Page(offset, head[5], head[5:14], head[14:18], sequence, lacing, Span(body, after))


def _pages(source: Source, within: Span, most: int) -> Iterator[_Page]:
    offset = within.start
    for _ in range(most):
        page = _page(source, offset, within.end)
        if page is None:
            return
        yield page
        offset = page.body.end
    raise Broken


_VORBIS, _OPUS, _FLAC = b"\x01vorbis", b"OpusHead", b"\x7fFLAC"
_HEADERS = {_VORBIS: 3, _OPUS: 2, b"\x80theora": 3, b"Speex": 2}  # packets before the audio


@dataclass
class _Stream:
    """How far the packets before the audio have come."""

    codec: bytes = b""
    packet: int = 0  # number of the packet that the next byte belongs to
    begun: bool = False  # some bytes of that packet have come
    tags: bool = False  # that packet carries tags
    audio: bool = False
    sequence: int = -1  # of its last page
    digest: Any = field(default_factory=hashlib.sha256)

    def begin(self, head: bytes) -> None:
        """A packet begins with ``head``."""
        if self.packet == 0:
            known = (magic for magic in (*_HEADERS, _FLAC) if head.startswith(magic))
            self.codec = next(known, b"")
        if self.codec == _FLAC:
            self.audio = self.packet > 0 and not 0 < head[0] & 0x7F <= 6
            self.tags = self.packet > 0  # vorbis comment, picture, padding, cue sheet ...
        else:
            self.audio = self.packet >= _HEADERS.get(self.codec, 1)
            self.tags = self.packet == 1
        self.begun = True

    def end(self) -> None:
        self.packet, self.begun = self.packet + 1, False

    def advance(self, source: Source, page: _Page) -> Iterator[bytes]:
        """Take in the stream's next page; yields what of it is no tag."""
        if self.audio:
            yield page.head + page.lacing
            yield source.at(page.body.start, page.body.length)
            return
        for lacing, span, ends in page.packets():
            if not self.begun:
                self.begin(source.at(span.start, min(16, span.length)) or b"\0")
            if self.audio:  # against the standard, in the middle of a page
                yield page.head + page.lacing[lacing:]
                yield source.at(span.start, page.body.end - span.start)
                return
            if not self.tags:
                yield source.at(span.start, span.length)
            if ends:
                yield b"|"
                self.end()


def _audio_start(source: Source, bounds: Span) -> int:
    """The offset of the first page that carries audio.

    The standard puts the headers of all streams before it. A stream of unknown kind (a skeleton)
    does not count, unless there is no other.
    """
    streams: dict[bytes, _Stream] = {}
    for page in _pages(source, bounds, _MOST_HEADER_PAGES):
        if page.first:
            streams[page.serial] = _Stream()
        stream = streams.get(page.serial)
        if stream is None or len(streams) > _MOST_STREAMS:
            raise Broken
        for _ in stream.advance(source, page):
            pass
        if stream.audio and (stream.codec or not any(other.codec for other in streams.values())):
            return page.start
    raise Broken


def _stream_digests(source: Source, within: Span) -> Iterator[bytes]:
    """One digest a stream, in order of their first pages; at last whatever is no page."""
    open_streams: dict[bytes, _Stream] = {}
    streams: list[_Stream] = []
    offset = within.start
    for page in _pages(source, within, _MOST_PAGES):
        offset = page.body.end
        if page.first:  # a chained stream may take an old number again
            open_streams[page.serial] = _Stream()
            streams.append(open_streams[page.serial])
        stream = open_streams.get(page.serial)
        if stream is None or len(streams) > _MOST_STREAMS:
            raise Broken
        _digest_page(source, stream, page)
    for stream in streams:
        yield stream.digest.digest()
    yield from source.blocks(Span(offset, within.end))


def _digest_page(source: Source, stream: _Stream, page: _Page) -> None:
    data = source.at(page.start, page.body.end - page.start)
    if data[22:26] != checksum(data):
        stream.digest.update(b"damaged")
    before = stream.audio
    if before:  # as below, in half the time: there may be a million of them
        stream.digest.update(page.head + data[_HEADER:])
        return
    for part in stream.advance(source, page):
        stream.digest.update(part)
    if stream.audio and not before and page.sequence != stream.sequence + 1:
        stream.digest.update(b"lost")
    stream.sequence = page.sequence


_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))


def checksum(page: bytes) -> bytes:
    """Return the four bytes at 22 that a page should have: the usual CRC with all bits the other way
    round, from 0 and not inverted, over the page with zeros there."""
    blanked = (page[:22] + bytes(4) + page[26:]).translate(_REVERSED)
    crc = ~zlib.crc32(blanked, 0xFFFFFFFF) & 0xFFFFFFFF
    return crc.to_bytes(4, "big").translate(_REVERSED)
