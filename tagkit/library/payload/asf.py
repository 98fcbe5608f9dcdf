"""ASF (WMA): a header object that holds the tags, then the data object.

Source: Advanced Systems Format specification 01.20.03, sections 3 and 5.
"""

from __future__ import annotations

from collections.abc import Iterator

from tagkit.library.payload.layout import Layout
from tagkit.library.payload.source import MOST_PARTS, Broken, Source, Span

_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
_STREAM_PROPERTIES = bytes.fromhex("9107dcb7b7a9cf118ee600c00c205365")


def layout(source: Source, bounds: Span) -> Layout:
    """The data object; the stream properties inside the header are the setup."""
    header_end = bounds.start + int.from_bytes(source.at(bounds.start + 16, 8), "little")
    for name, span in _objects(source, Span(header_end, source.size)):
        if name == _DATA:
            inside = Span(bounds.start + 30, header_end)
            return Layout(source, (span,), _setup(source, inside))
    raise Broken


def _setup(source: Source, header: Span) -> Iterator[bytes]:
    for name, span in _objects(source, header):
        if name == _STREAM_PROPERTIES:
            yield source.at(span.start, min(span.length, 1 << 16))


def _objects(source: Source, within: Span) -> Iterator[tuple[bytes, Span]]:
    """Objects as (GUID, content without the header of 24 bytes), the last one clipped."""
    offset = within.start
    for _ in range(MOST_PARTS):
        if offset + 24 > within.end:
            return
        head = source.at(offset, 24)
        size = int.from_bytes(head[16:], "little")
        if size == 0:  # a live stream that never learnt its size
            size = within.end - offset
        if size < 24:
            raise Broken
        yield head[:16], Span(offset + 24, min(offset + size, within.end))
        offset += size
    raise Broken
