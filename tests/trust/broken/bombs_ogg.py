"""Bombs in Ogg: comments and pages."""

from __future__ import annotations

import struct

from mutagen.ogg import OggPage

from tests.trust.broken.making import (
    COVER,
    MANY,
    bomb,
    comment,
)


def _pages(packets: list[bytes], serial: int = 7) -> bytes:
    """Pages of 64 KiB, one packet behind the other."""
    out, sequence = [], 0
    for number, packet in enumerate(packets):
        for at in range(0, len(packet), 255 * 250):
            page = OggPage()
            page.serial, page.sequence = serial, sequence
            page.packets = [packet[at : at + 255 * 250]]
            page.first = sequence == 0
            page.continued = at > 0
            page.complete = at + 255 * 250 >= len(packet)
            page.position = (960 if number > 1 else 0) if page.complete else -1
            out.append(page.write())
            sequence += 1
    return b"".join(out)


_OPUS_HEAD = b"OpusHead\1\2\x38\1\x80\xbb\0\0\0\0\0"


def _opus_tags(*comments: bytes) -> bytes:
    count = struct.pack("<I", len(comments))
    return b"OpusTags" + comment(b"x") + count + b"".join(map(comment, comments))


@bomb("opus: a cover of 50 MB")
def _() -> bytes:
    picture = b"METADATA_BLOCK_PICTURE=" + b"A" * COVER
    return _pages([_OPUS_HEAD, _opus_tags(picture), *[bytes([252]) * 200] * 50])


@bomb("opus: a million comments")
def _() -> bytes:
    return _pages([_OPUS_HEAD, _opus_tags(*[b"A=b"] * MANY), *[bytes([252]) * 200] * 50])


@bomb("opus: a million pages")
def _() -> bytes:
    headers = _pages([_OPUS_HEAD, _opus_tags(b"A=b")])
    page = OggPage()
    page.serial, page.sequence, page.packets, page.position = 7, 2, [b"\xfc"], 960
    return headers + page.write() * MANY


@bomb("opus: comments over a million pages")
def _() -> bytes:
    page = OggPage()
    page.serial, page.sequence, page.packets = 7, 1, [b"x" * 255]
    page.complete, page.continued, page.position = False, True, -1
    return _pages([_OPUS_HEAD]) + page.write() * 200_000


@bomb("ogg: thousands of streams")
def _() -> bytes:
    first = b"".join(_pages([b"fishead\0"], serial) for serial in range(4000))
    return first + b"".join(_pages([b"fishead\0", b"x"], serial)[36:] for serial in range(4000)) * 4
