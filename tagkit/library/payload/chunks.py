"""WAV, AIFF and DSF: named chunks of declared sizes.

Sources: Microsoft RIFF, EBU Tech 3306 (RF64), Apple AIFF-C, Sony DSF 1.01.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from tagkit.library.payload.layout import Layout
from tagkit.library.payload.source import MOST_PARTS, Broken, Source, Span

_UNKNOWN = 0xFFFFFFFF  # RF64: the real size is in "ds64"; RIFF: a recorder never came back


def wav(source: Source, bounds: Span) -> Layout:
    """The data chunks; the format is the setup. INFO, id3 and every other chunk is no audio."""
    chunks = list(_walk(source, bounds.start + 12, "little"))
    return _layout(source, chunks, audio=b"data", setup=(b"fmt ", b"fact"))


def aiff(source: Source, bounds: Span) -> Layout:
    chunks = list(_walk(source, bounds.start + 12, "big"))
    return _layout(source, chunks, audio=b"SSND", setup=(b"COMM", b"FVER"))


def dsf(source: Source, bounds: Span) -> Layout:
    """The first chunk points to the tag and holds the file's size, so it is no part of this."""
    offset = bounds.start + 28
    chunks = []
    for _ in range(2):  # "fmt ", "data"; sizes include the header of 12 bytes
        header = source.at(offset, 12)
        size = int.from_bytes(header[4:], "little")
        end = min(offset + size, source.size)
        if size < 12:
            raise Broken
        chunks.append((header[:4], Span(offset + 12, end)))
        offset = end
    return _layout(source, chunks, audio=b"data", setup=(b"fmt ",))


def _layout(
    source: Source, chunks: list[tuple[bytes, Span]], *, audio: bytes, setup: tuple[bytes, ...]
) -> Layout:
    spans = tuple(span for name, span in chunks if name == audio)
    parts = (source.upto(s.start, min(s.length, 4096)) for name, s in chunks if name in setup)
    return Layout(source, spans, parts)


def _walk(
    source: Source, offset: int, order: Literal["little", "big"]
) -> Iterator[tuple[bytes, Span]]:
    """Chunks as (name, content), up to the file's end or the first thing that is no chunk.

    A content that the file does not have in full is clipped: a truncated recording is common.
    """
    long_data = None
    for _ in range(MOST_PARTS):
        if offset + 8 > source.size:
            return
        header = source.at(offset, 8)
        name, size = header[:4], int.from_bytes(header[4:], order)
        if not all(0x20 <= byte < 0x7F for byte in name):
            return
        if name == b"ds64":
            long_data = int.from_bytes(source.at(offset + 16, 8), "little")
        if name == b"data" and size == _UNKNOWN and long_data is not None:
            size = long_data
        end = min(offset + 8 + size, source.size)
        yield name, Span(offset + 8, end)
        offset += 8 + size + size % 2
    raise Broken
