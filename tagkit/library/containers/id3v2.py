"""ID3v2.3 and 2.4 tags as frames whose bytes are never touched.

Sources: id3.org, "ID3 tag version 2.3.0" and "ID3 tag version 2.4.0 - Main Structure". Understood
beyond the letter: 2.4 frame sizes that are no synchsafe integers (old iTunes), 2.2 frame names in a 2.3
tag (iTunes). A rewritten tag has no extended header and no footer: both
hold sizes and checksums of what was there before.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

from tagkit.library.containers.splice import Broken, NoWriter, read_at, refuse_many, size_of

HEADER = 10
_MOST_STACKED = 64  # as in payload.edges
_MOST = 1 << 28  # bytes of a tag: sizes have four times seven bits
_PADDING = 1024  # bytes left free after a tag that had to grow
_LONGEST_TEXT = 1 << 20  # bytes: what is longer is no text of ours, be it compressed or not
_LONGEST_NAME = 1024

_UNSYNCHRONISED, _EXTENDED, _FOOTER = 0x80, 0x40, 0x10
_ID = re.compile(rb"[A-Z0-9]{3}[A-Z0-9 \0]")


class Tag(NamedTuple):
    version: int
    unsynchronised: bool  # as a whole
    frames: list[tuple[str, bytes]]  # identifier, and the frame with its header


def tag_size(head: bytes) -> int:
    """Return how many bytes the tag that starts with ``head`` takes, 0 where there is none."""
    if len(head) < HEADER or head[:3] != b"ID3":
        return 0
    if max(head[6:10]) > 127:
        raise Broken("the size of its ID3 tag makes no sense")
    footer = HEADER if head[5] & _FOOTER and head[3] == 4 else 0
    return HEADER + _synchsafe(head[6:10]) + footer


def end_of_tags(file: BinaryIO, at: int = 0) -> int:
    """Return where the tags that stand one behind the other from ``at`` end; ``at`` where none do."""
    for _ in range(_MOST_STACKED):
        size = tag_size(read_at(file, at, min(HEADER, size_of(file) - at)))
        if not size or at + size > size_of(file):
            break
        at += size
    return at


def parse(data: bytes) -> Tag:
    """Take a whole tag apart. Raises Broken, and NoWriter for other versions than 3 and 4."""
    size = tag_size(data)
    if not size or size > len(data):  # in a chunk of a WAV or AIFF
        raise Broken("there is no whole ID3 tag where one should be")
    if data[size:].strip(b"\0"):
        raise Broken("bytes that are no tag lie behind its ID3 tag")
    version, flags = data[3], data[5]
    if version not in (3, 4):
        hint = "--upgrade-id3 rewrites it as ID3v2.4" if version == 2 else None
        raise NoWriter(f"an ID3v2.{version} tag, which cannot be kept as it is", hint)
    known = 0xF0 if version == 4 else 0xE0
    if flags & ~known:
        raise Broken("its ID3 tag has flags that nobody has defined")
    body = data[HEADER : HEADER + _synchsafe(data[6:10])]
    unsynchronised = bool(flags & _UNSYNCHRONISED)
    if unsynchronised and version == 3:  # over the whole tag; in 2.4 each frame has its own
        body = _resynchronise(body)
    if flags & _EXTENDED:
        body = body[_extended_size(body, version) :]
    return Tag(version, unsynchronised, _frames(body, version))


def refuse_many_of_version_2(data: bytes) -> None:
    """Raise NoWriter for an ID3v2.2 tag that would keep mutagen busy."""
    at = count = 0
    while at + 6 <= len(data) - HEADER and data[HEADER + at]:
        at += 6 + int.from_bytes(data[HEADER + at + 3 : HEADER + at + 6], "big")
        count += 1
        refuse_many(count)


def render(version: int, unsynchronised: bool, frames: Sequence[bytes], room: int) -> bytes:
    """Return a tag of these frames, ``room`` bytes long if they fit; no frames are no tag at all."""
    if not frames:
        return b""
    body = b"".join(frames)
    if unsynchronised and version == 3:
        body = _unsynchronise(body)
    length = room if HEADER + len(body) <= room else HEADER + len(body) + _PADDING
    if length - HEADER >= _MOST:
        raise Broken("its ID3 tag would become larger than a tag can be")
    size = length - HEADER
    flags = _UNSYNCHRONISED if unsynchronised else 0
    head = b"ID3" + bytes([version, 0, flags]) + _packed(size)
    return head + body + b"\0" * (size - len(body))


def empty(head: bytes) -> bytes:
    """Return a tag without frames, of the version of the tag that starts with ``head``."""
    return head[:4] + bytes(6)


def frame(version: int, identifier: str, text: str) -> bytes:
    """Return a text frame: Latin-1 or UTF-16 in 2.3, UTF-8 in 2.4."""
    if version == 4:
        encoding, data = 3, text.encode()
    elif all(ord(character) < 256 for character in text):
        encoding, data = 0, text.encode("latin-1")
    else:  # every string of a frame has its own mark of byte order, the description of TXXX too
        parts = (b"\xff\xfe" + part.encode("utf-16-le") for part in text.split("\0"))
        encoding, data = 1, b"\0\0".join(parts)
    body = bytes([encoding]) + data
    size = _packed(len(body)) if version == 4 else struct.pack(">I", len(body))
    return identifier.encode() + size + b"\0\0" + body


def first_string(raw: bytes, version: int, unsynchronised: bool) -> str | None:
    """Return the name of a TXXX frame; None where it has none. A name is not longer than a name is."""
    found = _strings(_content(raw, version, unsynchronised, _LONGEST_NAME))
    return found[0] if found else None


def strings(raw: bytes, version: int, unsynchronised: bool) -> list[str]:
    """Return the strings of a text or TXXX frame; [] for what holds no readable text. Raises Broken."""
    body = _content(raw, version, unsynchronised, _LONGEST_TEXT + 1)
    if len(body) > _LONGEST_TEXT:  # and not the half of it, which would be written back
        raise Broken("a frame of its ID3 tag is longer than any list of labels")
    return _strings(body)


def _strings(body: bytes) -> list[str]:
    if not body or body[0] > 3:
        return []
    parts = _split(body[1:], wide=body[0] in (1, 2))
    order = next((p[:2] for p in parts if p[:2] in (b"\xff\xfe", b"\xfe\xff")), b"\xff\xfe")
    if body[0] == 2:
        order = b"\xfe\xff"
    return [_decode(part, body[0], order) for part in parts]


def _decode(part: bytes, encoding: int, order: bytes) -> str:
    if encoding in (0, 3):
        return part.decode("utf-8" if encoding == 3 else "latin-1", "replace")
    if part[:2] in (b"\xff\xfe", b"\xfe\xff"):
        order, part = part[:2], part[2:]
    return part.decode("utf-16-le" if order == b"\xff\xfe" else "utf-16-be", "replace")


def _split(data: bytes, *, wide: bool) -> list[bytes]:
    """Split at null characters; what ends in one has no empty string after it."""
    if not wide:
        parts = data.split(b"\0")
    else:
        parts, start, at = [], 0, data.find(b"\0\0")
        while at >= 0:
            if at % 2:  # the halves of two characters
                at = data.find(b"\0\0", at + 1)
                continue
            parts.append(data[start:at])
            start = at + 2
            at = data.find(b"\0\0", start)
        parts.append(data[start:])
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return parts


def _content(raw: bytes, version: int, unsynchronised: bool, longest: int) -> bytes:
    """Return the first bytes of a frame's content as the standard means it; b"" where it is encrypted
    or broken."""
    flags, data = raw[9], raw[HEADER:]
    if version == 3:
        compressed, encrypted, grouped = flags & 0x80, flags & 0x40, flags & 0x20
        data = data[(4 if compressed else 0) + (1 if grouped else 0) :]
    else:
        compressed, encrypted, grouped = flags & 8, flags & 4, flags & 0x40
        data = data[(1 if grouped else 0) + (4 if flags & 1 else 0) :]
        if flags & 2 or unsynchronised:
            data = _resynchronise(data)
    if encrypted:
        return b""
    if not compressed:
        return data[:longest]
    try:
        return zlib.decompressobj().decompress(data, longest)
    except zlib.error:
        return b""


def _frames(body: bytes, version: int) -> list[tuple[str, bytes]]:
    if version == 3:
        return _walk(body, plain=True)
    try:
        return _walk(body, plain=False)
    except Broken:  # old iTunes wrote the sizes of 2.3 into 2.4
        return [_with_synchsafe_size(*frame) for frame in _walk(body, plain=True)]


def _walk(body: bytes, *, plain: bool) -> list[tuple[str, bytes]]:
    frames, at = [], 0
    while at + HEADER <= len(body) and body[at]:
        identifier, size = body[at : at + 4], body[at + 4 : at + 8]
        if not _ID.fullmatch(identifier):
            raise Broken("its ID3 tag holds bytes that are no frame")
        if not plain and max(size) > 127:
            raise Broken("a frame of its ID3 tag has a size that makes no sense")
        end = at + HEADER + (int.from_bytes(size, "big") if plain else _synchsafe(size))
        if end > len(body):
            raise Broken("a frame of its ID3 tag reaches beyond the tag")
        frames.append((identifier.decode("ascii"), body[at:end]))
        refuse_many(len(frames))
        at = end
    if body[at:].strip(b"\0"):  # whoever takes it for padding may drop the frames of a misread size
        raise Broken("its ID3 tag holds bytes behind its frames")
    return frames


def _with_synchsafe_size(identifier: str, raw: bytes) -> tuple[str, bytes]:
    return identifier, raw[:4] + _packed(len(raw) - HEADER) + raw[8:]


def _extended_size(body: bytes, version: int) -> int:
    if len(body) < 4:
        raise Broken("its ID3 tag ends in the extended header")
    if _ID.fullmatch(body[:4]):  # a flag without the header, as some taggers write
        return 0
    size = _synchsafe(body[:4]) if version == 4 else 4 + int.from_bytes(body[:4], "big")
    if size > len(body):
        raise Broken("its ID3 tag ends in the extended header")
    return size


def _synchsafe(data: bytes) -> int:
    return data[0] << 21 | data[1] << 14 | data[2] << 7 | data[3]


def _packed(size: int) -> bytes:
    """Return a synchsafe integer: four times seven bits."""
    return bytes(size >> shift & 127 for shift in (21, 14, 7, 0))


def _resynchronise(data: bytes) -> bytes:
    return data.replace(b"\xff\0", b"\xff")


def _unsynchronise(data: bytes) -> bytes:
    """Put a zero after every 0xFF that a decoder could take for the start of audio."""
    return re.sub(rb"\xff(?=[\x00\xe0-\xff])|\xff\Z", b"\xff\0", data)
