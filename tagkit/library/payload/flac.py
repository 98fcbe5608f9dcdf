"""FLAC: metadata blocks, then frames to the end. Source: RFC 9639, section 8."""

from __future__ import annotations

from tagkit.library.payload.layout import Layout
from tagkit.library.payload.source import MOST_PARTS, Broken, Source, Span


def layout(source: Source, bounds: Span) -> Layout:
    """The frames; STREAMINFO is the setup."""
    offset = bounds.start + 4
    setup: list[bytes] = []
    for _ in range(MOST_PARTS):
        header = source.at(offset, 4)
        kind, size = header[0] & 0x7F, int.from_bytes(header[1:], "big")
        if kind == 0 and not setup:
            setup.append(source.at(offset + 4, size))
        offset += 4 + size
        if header[0] & 0x80:
            break
    else:
        raise Broken
    # Some writers declare a picture of over 16 MiB wrongly, and the walk then ends inside it.
    if source.at(offset, 2) not in (b"\xff\xf8", b"\xff\xf9") or offset >= bounds.end:
        raise Broken
    return Layout(source, (Span(offset, bounds.end),), setup)
