"""Files that are small to send and large to read: sizes that are declared, contents that expand,
structures that are deep, countless or endless.

Each maker writes one file and returns its path. What they hold otherwise is sound, so that a reader gets as
far as the bomb.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

from mutagen.ogg import OggPage

from tests import media
from tests.trust.broken import good

Maker = Callable[[Path], Path]
BOMBS: dict[str, Maker] = {}
MANY = 1_000_000
COVER = 50 << 20


def _bomb(name: str) -> Callable[[Callable[[], bytes | Iterable[bytes]]], None]:
    def add(make: Callable[[], bytes | Iterable[bytes]]) -> None:
        def write(path: Path) -> Path:
            made = make()
            with path.open("wb") as file:
                file.writelines([made] if isinstance(made, bytes) else made)
            return path

        BOMBS[name] = write

    return add


def _id3(frames: bytes, version: int = 4) -> bytes:
    size = bytes(len(frames) >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3" + bytes([version, 0, 0]) + size + frames


def _frame(identifier: bytes, content: bytes, flags: int = 0, version: int = 4) -> bytes:
    size = struct.pack(">I", len(content))
    if version == 4:
        size = bytes(len(content) >> shift & 127 for shift in (21, 14, 7, 0))
    return identifier + size + struct.pack(">H", flags) + content


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + name + content


def _comment(text: bytes) -> bytes:
    return struct.pack("<I", len(text)) + text


def _noise(length: int) -> bytes:
    return os.urandom(1 << 16) * (length >> 16)


# ---------------------------------------------------------------------------------- ID3


@_bomb("id3: 256 MB declared")
def _() -> bytes:
    return b"ID3\4\0\0\x7f\x7f\x7f\x7f" + good.bare("mp3")


@_bomb("id3: 256 MB that are there")
def _() -> Iterable[bytes]:
    yield b"ID3\4\0\0\x7f\x7f\x7f\x7f"
    yield from [bytes(1 << 20)] * 256
    yield good.bare("mp3")


@_bomb("id3: a million frames")
def _() -> bytes:
    return _id3(_frame(b"TXXX", b"\3a\0b") * MANY) + good.bare("mp3")


@_bomb("id3: a million frames of version 2")
def _() -> bytes:
    return _id3(b"TXX\0\0\4\0a\0b" * MANY, 2) + good.bare("mp3")


@_bomb("id3: two thousand frames that expand")
def _() -> bytes:
    wide = struct.pack(">I", 0) + zlib.compress(
        b"\1\xff\xfe" + b"M\0O\0O\0D\0\0\0" + bytes(8 << 20)
    )
    return _id3(_frame(b"TXXX", wide, 0x0009) * 2000) + good.bare("mp3")


@_bomb("id3: a mood that expands")
def _() -> bytes:
    content = struct.pack(">I", 64 << 20) + zlib.compress(b"\3" + b"happy\0" * (10 << 20))
    return _id3(_frame(b"TMOO", content, 0x0009)) + good.bare("mp3")


@_bomb("id3: thousands of moods")
def _() -> bytes:
    moods = b"\0".join(b"%d" % number for number in range(30_000))
    return _id3(_frame(b"TMOO", b"\3" + moods)) + good.bare("mp3")


@_bomb("id3: a genre of a million digits")
def _() -> bytes:
    return _id3(_frame(b"TCON", b"\3" + b"1" * MANY)) + good.bare("mp3")


@_bomb("id3: a genre in a million parentheses")
def _() -> bytes:
    return _id3(_frame(b"TCON", b"\3" + b"(1)" * MANY)) + good.bare("mp3")


@_bomb("id3: a joined mood of a million separators")
def _() -> bytes:
    return _id3(_frame(b"TXXX", b"\0MOOD\0" + b";" * 900_000, version=3), 3) + good.bare("mp3")


@_bomb("id3: chapters")
def _() -> bytes:
    chapters = b"".join(
        _frame(b"CHAP", b"%d\0" % number + bytes(16) + _frame(b"TIT2", b"\3part"))
        for number in range(5000)
    )
    return _id3(chapters) + good.bare("mp3")


@_bomb("id3: tags in a pile")
def _() -> bytes:
    return _id3(b"") * MANY + good.bare("mp3")


# ---------------------------------------------------------------------------------- covers


def _with_cover(kind: str) -> Callable[[], bytes]:
    def make() -> bytes:
        data, cover = good.plain(kind), _noise(COVER)
        if kind == "mp3":
            return _id3(_frame(b"APIC", b"\0image/png\0\3\0" + cover)) + good.bare("mp3")
        if kind in ("wav", "aiff"):
            order = "<" if kind == "wav" else ">"
            tag = _id3(_frame(b"APIC", b"\0image/png\0\3\0" + cover))
            bare = good.bare(kind)
            chunk = b"ID3 " + struct.pack(order + "I", len(tag)) + tag + b"\0" * (len(tag) % 2)
            size = struct.pack(order + "I", len(bare) + len(chunk) - 8)
            return bare[:4] + size + bare[8:] + chunk
        if kind == "dsf":
            tag = _id3(_frame(b"APIC", b"\0image/png\0\3\0" + cover))
            bare = good.bare(kind)
            sizes = struct.pack("<QQ", len(bare) + len(tag), len(bare))
            return bare[:12] + sizes + bare[28:] + tag
        if kind == "flac":  # what one block cannot hold lies in four
            blocks = b"".join(b"\6\xff\xff\xff" + cover[: (1 << 24) - 1] for _ in range(3))
            return data[:4] + data[4:42] + blocks + data[42:]
        if kind in ("ape", "wavpack", "musepack"):
            bare = good.bare(kind).partition(b"APETAGEX")[0]
            return bare + media.apev2_tag({"Cover Art (Front)": ["x" * COVER]})
        if kind == "m4a":
            picture = _box(b"covr", _box(b"data", struct.pack(">II", 14, 0) + cover))
            udta = _box(
                b"udta", _box(b"meta", bytes(4) + _box(b"hdlr", bytes(25)) + _box(b"ilst", picture))
            )
            return _in_moov(good.bare("m4a"), udta)
        raise ValueError(kind)

    return make


def _in_moov(data: bytes, box: bytes) -> bytes:
    """Put a box at the end of moov, which the muxer writes last, in place of its own tags."""
    at = data.rindex(b"moov") - 4
    moov = data[at:].replace(b"udta", b"free")
    return data[:at] + _box(b"moov", moov[8:] + box)


for _kind in ("mp3", "wav", "aiff", "dsf", "flac", "ape", "wavpack", "musepack", "m4a"):
    _bomb(f"{_kind}: a cover of 50 MB")(_with_cover(_kind))


# ---------------------------------------------------------------------------------- Ogg


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
    return b"OpusTags" + _comment(b"x") + count + b"".join(map(_comment, comments))


@_bomb("opus: a cover of 50 MB")
def _() -> bytes:
    picture = b"METADATA_BLOCK_PICTURE=" + b"A" * COVER
    return _pages([_OPUS_HEAD, _opus_tags(picture), *[bytes([252]) * 200] * 50])


@_bomb("opus: a million comments")
def _() -> bytes:
    return _pages([_OPUS_HEAD, _opus_tags(*[b"A=b"] * MANY), *[bytes([252]) * 200] * 50])


@_bomb("opus: a million pages")
def _() -> bytes:
    headers = _pages([_OPUS_HEAD, _opus_tags(b"A=b")])
    page = OggPage()
    page.serial, page.sequence, page.packets, page.position = 7, 2, [b"\xfc"], 960
    return headers + page.write() * MANY


@_bomb("opus: comments over a million pages")
def _() -> bytes:
    page = OggPage()
    page.serial, page.sequence, page.packets = 7, 1, [b"x" * 255]
    page.complete, page.continued, page.position = False, True, -1
    return _pages([_OPUS_HEAD]) + page.write() * 200_000


@_bomb("ogg: thousands of streams")
def _() -> bytes:
    first = b"".join(_pages([b"fishead\0"], serial) for serial in range(4000))
    return first + b"".join(_pages([b"fishead\0", b"x"], serial)[36:] for serial in range(4000)) * 4


# ---------------------------------------------------------------------------------- the others


@_bomb("m4a: boxes ten thousand deep")
def _() -> bytes:
    box = b""
    for _ in range(10_000):
        box = _box(b"moov", box) if len(box) < 1 << 20 else box
    return _box(b"ftyp", b"M4A \0\0\0\0") + box + _box(b"mdat", b"x" * 100)


@_bomb("m4a: tracks ten thousand deep")
def _() -> bytes:
    box = b""
    for _ in range(10_000):
        box = _box(b"trak", box)
    return _in_moov(good.bare("m4a"), box)


@_bomb("m4a: a million boxes")
def _() -> bytes:
    return good.bare("m4a") + _box(b"free", b"") * MANY


@_bomb("m4a: a million tags")
def _() -> bytes:
    tags = _box(b"ilst", _box(b"\xa9cmt", b"") * MANY)
    meta = _box(b"meta", bytes(4) + _box(b"hdlr", bytes(25)) + tags)
    return _in_moov(good.bare("m4a"), _box(b"udta", meta))


@_bomb("m4a: five million chunks")
def _() -> bytes:
    table = _box(b"stco", struct.pack(">II", 0, 5_000_000) + struct.pack(">I", 48) * 5_000_000)
    inner = _box(b"minf", _box(b"stbl", table))
    return _in_moov(good.bare("m4a"), _box(b"trak", _box(b"mdia", inner)))


@_bomb("m4a: a flag of a million bytes")
def _() -> bytes:
    flag = _box(b"cpil", _box(b"data", struct.pack(">II", 21, 0) + b"\xff" * MANY))
    meta = _box(b"meta", bytes(4) + _box(b"hdlr", bytes(25)) + _box(b"ilst", flag))
    return _in_moov(good.bare("m4a"), _box(b"udta", meta))


@_bomb("flac: a hundred thousand blocks")
def _() -> bytes:
    data = good.plain("flac")
    return data[:42] + b"\1\0\0\0" * 100_000 + data[42:]


@_bomb("flac: a gigabyte of padding")
def _() -> Iterable[bytes]:
    data = good.plain("flac")
    yield data[:42]
    for _ in range(40):
        yield b"\1\xff\xff\xff"
        yield bytes((1 << 24) - 1)
    yield data[42:]


@_bomb("flac: a million comments")
def _() -> bytes:
    data = good.bare("flac")
    comments = _comment(b"x") + struct.pack("<I", MANY) + _comment(b"A=b") * MANY
    block = b"\4" + len(comments).to_bytes(3, "big") + comments
    own = bytes([data[42] & 128 | 1]) + data[43:]  # its own comments are padding
    return data[:42] + block + own


@_bomb("wav: a million chunks")
def _() -> bytes:
    data = good.bare("wav") + b"junk\0\0\0\0" * MANY
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


@_bomb("ape: a tag of 500 MB in a hole")
def _() -> Iterable[bytes]:
    yield good.bare("ape")
    yield from [bytes(1 << 20)] * 500
    size = struct.pack("<IIII8x", 2000, 500 << 20, 1, 0)
    yield b"APETAGEX" + size


@_bomb("wma: a million objects")
def _() -> bytes:
    data = good.bare("wma")
    (size, count) = struct.unpack_from("<QI", data, 16)
    extra = (bytes(16) + struct.pack("<Q", 24)) * MANY
    head = data[:16] + struct.pack("<QI", size + len(extra), count + MANY)
    return head + data[28:size] + extra + data[size:]


@_bomb("wma: a flag of sixty thousand bytes")
def _() -> bytes:
    data = good.bare("wma")
    (size, count) = struct.unpack_from("<QI", data, 16)
    name = "WM/IsCompilation\0".encode("utf-16-le")
    record = struct.pack("<H", len(name)) + name + struct.pack("<HH", 3, 60_000) + b"\xff" * 60_000
    guid = bytes.fromhex("40a4d0d207e3d21197f000a0c95ea850")
    extra = guid + struct.pack("<QH", 26 + len(record), 1) + record
    inside = data[28:size].replace(guid, bytes(16))  # the encoder's own attributes
    head = data[:16] + struct.pack("<QI", size + len(extra), count + 1)
    return head + inside + extra + data[size:]


def _sparse(kind: str) -> Maker:
    def make(path: Path) -> Path:
        path.write_bytes(good.plain(kind))
        os.truncate(path, 4 << 40)
        return path

    return make


for _kind in ("mp3", "flac", "wav", "m4a", "opus", "ape", "wma", "dsf"):
    BOMBS[f"{_kind}: four terabytes of nothing"] = _sparse(_kind)
