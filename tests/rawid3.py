"""ID3v2 and ID3v1 tags as bytes, written and parsed without mutagen.

A test that asks whether a library harms a tag must not ask that library. :func:`tag` builds,
:func:`parse` takes apart; both know versions 2, 3 and 4, unsynchronisation and extended headers.
"""

from __future__ import annotations

import struct
from typing import NamedTuple


class Frame(NamedTuple):
    id: str
    body: bytes
    flags: int = 0


class Tag(NamedTuple):
    version: int
    flags: int
    frames: list[Frame]
    size: int  # of the whole tag in the file: header, frames, padding


def _text(version: int, value: str) -> bytes:
    """An encoding byte and the text: Latin-1 where it can be, else UTF-16 (2.4: UTF-8)."""
    try:
        return b"\0" + value.encode("latin-1")
    except UnicodeEncodeError:
        return b"\3" + value.encode() if version == 4 else b"\1" + value.encode("utf-16")


def text(version: int, id: str, *values: str) -> Frame:
    return Frame(id, _text(version, ("\0" if version == 4 else "/").join(values)))


def txxx(version: int, name: str, *values: str) -> Frame:
    joined = ("\0" if version == 4 else "; ").join(values)
    return Frame("TXX" if version == 2 else "TXXX", _text(version, f"{name}\0{joined}"))


def frames(version: int, *, title: str) -> list[Frame]:
    return [text(version, "TT2" if version == 2 else "TIT2", title)]


def foreign_frames(version: int) -> list[Frame]:
    """What a real library has, and what taggers are known to damage."""
    from tests.media import ARTISTS, COMMENT, DATE, TITLE, png

    comment = b"\0eng\0" + COMMENT.encode("latin-1")
    if version == 2:
        return [
            text(2, "TT2", TITLE),
            text(2, "TP1", *ARTISTS),
            text(2, "TYE", DATE[:4]),
            Frame("COM", comment),
            Frame("PIC", b"\0PNG\3front\0" + png()),
        ]
    year, month, day = DATE.split("-")
    dates = [text(4, "TDRC", DATE)]
    if version == 3:
        dates = [text(3, "TYER", year), text(3, "TDAT", day + month), text(3, "TORY", "1880")]
    return [
        text(version, "TIT2", TITLE),
        # in 2.3 two values as some taggers do write them, against the letter of the standard
        Frame("TPE1", b"\0" + "\0".join(ARTISTS).encode("latin-1")),
        *dates,
        text(version, "TCON", "Classical", "Piano"),
        Frame("COMM", comment),
        Frame("COMM", b"\0engshort\0" + b"another"),
        Frame("APIC", b"\0image/png\0\3front\0" + png()),
        Frame("CHAP", b"one\0" + struct.pack(">IIII", 0, 500, 0xFFFFFFFF, 0xFFFFFFFF)),
        Frame("CTOC", b"toc\0\3\1one\0"),
        Frame("GEOB", b"\0text/plain\0a.txt\0note\0" + bytes(range(256))),
        Frame("PRIV", b"example.org\0" + b"\xff\xe0\xff\x00" * 8),
        Frame("UFID", b"http://musicbrainz.org\0" + b"0123-4567"),
        Frame("RVA2" if version == 4 else "RVAD", b"track\0\1\0\x20\x10\x12\x34"),
        Frame("XYZW", b"an unknown frame \xff\xfe\x00"),
        txxx(version, "replaygain_track_gain", "-3.10 dB"),
    ]


def _synchsafe(number: int) -> bytes:
    return bytes(number >> shift & 127 for shift in (21, 14, 7, 0))


def _from_synchsafe(data: bytes) -> int:
    return sum(byte << shift for byte, shift in zip(data, (21, 14, 7, 0), strict=True))


def _unsynchronise(data: bytes) -> bytes:
    out = bytearray()
    for i, byte in enumerate(data):
        out.append(byte)
        following = data[i + 1] if i + 1 < len(data) else 0
        if byte == 0xFF and (following == 0 or following >= 0xE0):
            out.append(0)
    return bytes(out)


def tag(
    version: int,
    frames: list[Frame],
    *,
    padding: int = 64,
    unsynchronised: bool = False,
    extended: bool = False,
) -> bytes:
    """Return the bytes of an ID3v2 tag."""
    body = b""
    for frame in frames:
        data, flags = frame.body, frame.flags
        if version == 4 and unsynchronised:
            data, flags = _unsynchronise(data), flags | 2
        if version == 2:
            body += frame.id.encode() + len(data).to_bytes(3, "big") + data
            continue
        size = _synchsafe(len(data)) if version == 4 else struct.pack(">I", len(data))
        body += frame.id.encode() + size + struct.pack(">H", flags) + data
    body += b"\0" * padding
    if extended:
        head = b"\0\0\0\6\0\0" + struct.pack(">I", padding) if version == 3 else b"\0\0\0\6\1\0"
        body = head + body
    if unsynchronised and version < 4:
        body = _unsynchronise(body)
    bits = (0x80 if unsynchronised else 0) | (0x40 if extended else 0)
    return b"ID3" + bytes([version, 0, bits]) + _synchsafe(len(body)) + body


def parse(data: bytes) -> Tag:
    """Take the ID3v2 tag at the start of ``data`` apart; bodies without unsynchronisation."""
    assert data[:3] == b"ID3", "no ID3v2 tag here"
    version, flags, size = data[3], data[5], _from_synchsafe(data[6:10])
    body = data[10 : 10 + size]
    if flags & 0x80 and version < 4:
        body = body.replace(b"\xff\x00", b"\xff")
    if flags & 0x40:
        skip = _from_synchsafe(body[:4]) if version == 4 else 4 + struct.unpack(">I", body[:4])[0]
        body = body[skip:]
    head, found = (6 if version == 2 else 10), []
    letters = 3 if version == 2 else 4
    while len(body) >= head and body[0]:
        if version == 2:
            length, bits = int.from_bytes(body[3:6], "big"), 0
        else:
            raw, bits = body[4:8], struct.unpack(">H", body[8:10])[0]
            length = _from_synchsafe(raw) if version == 4 else struct.unpack(">I", raw)[0]
        content = body[head : head + length]
        if version == 4 and bits & 2:
            content = content.replace(b"\xff\x00", b"\xff")
        found.append(Frame(body[:letters].decode("latin-1"), content, bits))
        body = body[head + length :]
    return Tag(version, flags, found, 10 + size)


def id3v1(title: str, artist: str) -> bytes:
    return struct.pack(
        "<3s30s30s30s4s30sB", b"TAG", title.encode(), artist.encode(), b"", b"", b"", 255
    )
