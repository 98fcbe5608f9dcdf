"""Bombs in boxes, chunks, blocks and objects; files that are mostly a hole."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from pathlib import Path

from tests.trust.broken import good
from tests.trust.broken.making import (
    BOMBS,
    MANY,
    Maker,
    bomb,
    box,
    comment,
    in_moov,
)


@bomb("m4a: boxes ten thousand deep")
def _() -> bytes:
    deep = b""
    for _ in range(10_000):
        deep = box(b"moov", deep)
    return box(b"ftyp", b"M4A \0\0\0\0") + deep + box(b"mdat", b"x" * 100)


@bomb("m4a: tracks ten thousand deep")
def _() -> bytes:
    deep = b""
    for _ in range(10_000):
        deep = box(b"trak", deep)
    return in_moov(good.bare("m4a"), deep)


@bomb("m4a: a million boxes")
def _() -> bytes:
    return good.bare("m4a") + box(b"free", b"") * MANY


@bomb("m4a: a million tags")
def _() -> bytes:
    tags = box(b"ilst", box(b"\xa9cmt", b"") * MANY)
    meta = box(b"meta", bytes(4) + box(b"hdlr", bytes(25)) + tags)
    return in_moov(good.bare("m4a"), box(b"udta", meta))


@bomb("m4a: five million chunks")
def _() -> bytes:
    table = box(b"stco", struct.pack(">II", 0, 5_000_000) + struct.pack(">I", 48) * 5_000_000)
    inner = box(b"minf", box(b"stbl", table))
    return in_moov(good.bare("m4a"), box(b"trak", box(b"mdia", inner)))


@bomb("m4a: a flag of a million bytes")
def _() -> bytes:
    flag = box(b"cpil", box(b"data", struct.pack(">II", 21, 0) + b"\xff" * MANY))
    meta = box(b"meta", bytes(4) + box(b"hdlr", bytes(25)) + box(b"ilst", flag))
    return in_moov(good.bare("m4a"), box(b"udta", meta))


@bomb("flac: a hundred thousand blocks")
def _() -> bytes:
    data = good.plain("flac")
    return data[:42] + b"\1\0\0\0" * 100_000 + data[42:]


@bomb("flac: a gigabyte of padding")
def _() -> Iterable[bytes]:
    data = good.plain("flac")
    yield data[:42]
    for _ in range(40):
        yield b"\1\xff\xff\xff"
        yield bytes((1 << 24) - 1)
    yield data[42:]


@bomb("flac: a million comments")
def _() -> bytes:
    data = good.bare("flac")
    comments = comment(b"x") + struct.pack("<I", MANY) + comment(b"A=b") * MANY
    block = b"\4" + len(comments).to_bytes(3, "big") + comments
    own = bytes([data[42] & 128 | 1]) + data[43:]  # its own comments are padding
    return data[:42] + block + own


@bomb("wav: a million chunks")
def _() -> bytes:
    data = good.bare("wav") + b"junk\0\0\0\0" * MANY
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


@bomb("ape: a tag of 500 MB in a hole")
def _() -> Iterable[bytes]:
    yield good.bare("ape")
    yield from [bytes(1 << 20)] * 500
    size = struct.pack("<IIII8x", 2000, 500 << 20, 1, 0)
    yield b"APETAGEX" + size


@bomb("wma: a million objects")
def _() -> bytes:
    data = good.bare("wma")
    (size, count) = struct.unpack_from("<QI", data, 16)
    extra = (bytes(16) + struct.pack("<Q", 24)) * MANY
    head = data[:16] + struct.pack("<QI", size + len(extra), count + MANY)
    return head + data[28:size] + extra + data[size:]


@bomb("wma: a flag of sixty thousand bytes")
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
