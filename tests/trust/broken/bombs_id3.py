"""Bombs in ID3 tags, and a cover of 50 MB in every format but Ogg."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable

from tests import media
from tests.trust.broken import good
from tests.trust.broken.making import (
    COVER,
    MANY,
    bomb,
    box,
    frame,
    id3,
    in_moov,
    noise,
)


@bomb("id3: 256 MB declared")
def _() -> bytes:
    return b"ID3\4\0\0\x7f\x7f\x7f\x7f" + good.bare("mp3")


@bomb("id3: 256 MB that are there")
def _() -> Iterable[bytes]:
    yield b"ID3\4\0\0\x7f\x7f\x7f\x7f"
    yield from [bytes(1 << 20)] * 256
    yield good.bare("mp3")


@bomb("id3: a million frames")
def _() -> bytes:
    return id3(frame(b"TXXX", b"\3a\0b") * MANY) + good.bare("mp3")


@bomb("id3: a million frames of version 2")
def _() -> bytes:
    return id3(b"TXX\0\0\4\0a\0b" * MANY, 2) + good.bare("mp3")


@bomb("id3: two thousand frames that expand")
def _() -> bytes:
    wide = struct.pack(">I", 0) + zlib.compress(
        b"\1\xff\xfe" + b"M\0O\0O\0D\0\0\0" + bytes(8 << 20)
    )
    return id3(frame(b"TXXX", wide, 0x0009) * 2000) + good.bare("mp3")


@bomb("id3: a mood that expands")
def _() -> bytes:
    content = struct.pack(">I", 64 << 20) + zlib.compress(b"\3" + b"happy\0" * (10 << 20))
    return id3(frame(b"TMOO", content, 0x0009)) + good.bare("mp3")


@bomb("id3: thousands of moods")
def _() -> bytes:
    moods = b"\0".join(b"%d" % number for number in range(30_000))
    return id3(frame(b"TMOO", b"\3" + moods)) + good.bare("mp3")


@bomb("id3: a genre of a million digits")
def _() -> bytes:
    return id3(frame(b"TCON", b"\3" + b"1" * MANY)) + good.bare("mp3")


@bomb("id3: a genre in a million parentheses")
def _() -> bytes:
    return id3(frame(b"TCON", b"\3" + b"(1)" * MANY)) + good.bare("mp3")


@bomb("id3: a joined mood of a million separators")
def _() -> bytes:
    return id3(frame(b"TXXX", b"\0MOOD\0" + b";" * 900_000, version=3), 3) + good.bare("mp3")


@bomb("id3: chapters")
def _() -> bytes:
    chapters = b"".join(
        frame(b"CHAP", b"%d\0" % number + bytes(16) + frame(b"TIT2", b"\3part"))
        for number in range(5000)
    )
    return id3(chapters) + good.bare("mp3")


@bomb("id3: tags in a pile")
def _() -> bytes:
    return id3(b"") * MANY + good.bare("mp3")


def _with_cover(kind: str) -> Callable[[], bytes]:
    def make() -> bytes:
        data, cover = good.plain(kind), noise(COVER)
        if kind == "mp3":
            return id3(frame(b"APIC", b"\0image/png\0\3\0" + cover)) + good.bare("mp3")
        if kind in ("wav", "aiff"):
            order = "<" if kind == "wav" else ">"
            tag = id3(frame(b"APIC", b"\0image/png\0\3\0" + cover))
            bare = good.bare(kind)
            chunk = b"ID3 " + struct.pack(order + "I", len(tag)) + tag + b"\0" * (len(tag) % 2)
            size = struct.pack(order + "I", len(bare) + len(chunk) - 8)
            return bare[:4] + size + bare[8:] + chunk
        if kind == "dsf":
            tag = id3(frame(b"APIC", b"\0image/png\0\3\0" + cover))
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
            picture = box(b"covr", box(b"data", struct.pack(">II", 14, 0) + cover))
            udta = box(
                b"udta", box(b"meta", bytes(4) + box(b"hdlr", bytes(25)) + box(b"ilst", picture))
            )
            return in_moov(good.bare("m4a"), udta)
        raise ValueError(kind)

    return make


for _kind in ("mp3", "wav", "aiff", "dsf", "flac", "ape", "wavpack", "musepack", "m4a"):
    bomb(f"{_kind}: a cover of 50 MB")(_with_cover(_kind))
