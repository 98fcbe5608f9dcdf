"""MP4: the audio is in ``mdat``; ``moov`` says where each chunk of it lies, by absolute offsets.

A tag edit that grows ``moov`` in front of ``mdat`` must shift those offsets. The digest therefore
covers the sample tables too, with every offset counted from the start of the ``mdat`` it points
into: equal after a right shift, different after a forgotten one. (mutagen#584 was such a file.)

Source: ISO/IEC 14496-12.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tagkit.library.payload.layout import Layout
from tagkit.library.payload.source import MOST_PARTS, Broken, Source, Span

_MOST_DEPTH = 12  # moov/trak/mdia/minf/stbl are five
_CONTAINERS = frozenset([b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf"])
_TAGS = frozenset([b"udta", b"meta", b"free", b"skip", b"mvhd"])  # mvhd: edit dates, next track id


class _Atom(NamedTuple):
    name: bytes
    start: int  # of the header
    content: Span


def layout(source: Source, bounds: Span) -> Layout:
    """Every mdat; the sample tables are the setup."""
    atoms = list(_atoms(source, Span(bounds.start, source.size)))
    spans = tuple(atom.content for atom in atoms if atom.name == b"mdat")
    return Layout(source, spans, _setup(source, atoms, spans))


def _setup(source: Source, atoms: list[_Atom], media: tuple[Span, ...]) -> Iterator[bytes]:
    for atom in atoms:
        if atom.name in (b"moov", b"moof"):
            yield from _tables(source, atom, media, atom.start, 0)


def _tables(
    source: Source, atom: _Atom, media: tuple[Span, ...], root: int, depth: int
) -> Iterator[bytes]:
    """The leaves below ``atom`` without tags, offsets made relative; ``root`` is its moof."""
    if depth > _MOST_DEPTH:
        raise Broken
    for inner in _atoms(source, atom.content):
        if inner.name in _TAGS:
            continue
        yield inner.name
        if inner.name in _CONTAINERS:
            yield from _tables(source, inner, media, root, depth + 1)
        elif inner.name in (b"stco", b"co64"):
            yield from _chunk_offsets(source, inner, media)
        elif inner.name == b"tfhd":
            yield _fragment_header(source, inner, root)
        else:
            yield from source.blocks(inner.content)


def _chunk_offsets(source: Source, atom: _Atom, media: tuple[Span, ...]) -> Iterator[bytes]:
    """The table's offsets as (number of the mdat, offset inside it); outside every mdat as is."""
    kind = ">u4" if atom.name == b"stco" else ">u8"
    starts = np.array([span.start for span in media], dtype=np.uint64)
    ends = np.array([span.end for span in media], dtype=np.uint64)
    head = source.at(atom.content.start, 8)
    yield head
    width = np.dtype(kind).itemsize
    count = min(int.from_bytes(head[4:], "big"), (atom.content.length - 8) // width)
    table = Span(atom.content.start + 8, atom.content.start + 8 + count * width)
    for block in source.blocks(table):  # a block is a multiple of 8 bytes
        offsets = np.frombuffer(block, dtype=kind).astype(np.uint64)
        number = np.searchsorted(starts, offsets, side="right") - 1
        inside = (number >= 0) & (offsets < ends[number])
        yield np.where(inside, number, -1).astype(">i8").tobytes()
        yield np.where(inside, offsets - starts[number], offsets).astype(">u8").tobytes()


def _fragment_header(source: Source, atom: _Atom, root: int) -> bytes:
    """tfhd with its absolute base offset, where it has one, counted from its own moof."""
    content = source.at(atom.content.start, min(atom.content.length, 4096))
    if len(content) < 16 or not content[3] & 1:
        return content
    base = int.from_bytes(content[8:16], "big") - root
    return content[:8] + base.to_bytes(9, "big", signed=True) + content[16:]


def _atoms(source: Source, within: Span) -> Iterator[_Atom]:
    """The atoms side by side in ``within``, the last one clipped to it."""
    offset = within.start
    for _ in range(MOST_PARTS):
        if offset + 8 > within.end:
            return
        header = source.at(offset, 8)
        size, head = int.from_bytes(header[:4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(source.at(offset + 8, 8), "big"), 16
        elif size == 0:
            size = within.end - offset
        if size < head:
            raise Broken
        end = min(offset + size, within.end)
        yield _Atom(header[4:], offset, Span(min(offset + head, end), end))
        offset += size
    raise Broken
