"""Files that are small to send and large to read: sizes that are declared, contents that expand,
structures that are deep, countless or endless.

Each maker writes one file and returns its path. What they hold otherwise is sound, so that a reader gets as
far as the bomb.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable
from pathlib import Path

Maker = Callable[[Path], Path]
BOMBS: dict[str, Maker] = {}
MANY = 1_000_000
COVER = 50 << 20


def bomb(name: str) -> Callable[[Callable[[], bytes | Iterable[bytes]]], None]:
    def add(make: Callable[[], bytes | Iterable[bytes]]) -> None:
        def write(path: Path) -> Path:
            made = make()
            with path.open("wb") as file:
                file.writelines([made] if isinstance(made, bytes) else made)
            return path

        BOMBS[name] = write

    return add


def id3(frames: bytes, version: int = 4) -> bytes:
    size = bytes(len(frames) >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3" + bytes([version, 0, 0]) + size + frames


def frame(identifier: bytes, content: bytes, flags: int = 0, version: int = 4) -> bytes:
    size = struct.pack(">I", len(content))
    if version == 4:
        size = bytes(len(content) >> shift & 127 for shift in (21, 14, 7, 0))
    return identifier + size + struct.pack(">H", flags) + content


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + name + content


def comment(text: bytes) -> bytes:
    return struct.pack("<I", len(text)) + text


def noise(length: int) -> bytes:
    return os.urandom(1 << 16) * (length >> 16)


def in_moov(data: bytes, inner: bytes) -> bytes:
    """Put a box at the end of moov, which the muxer writes last, in place of its own tags."""
    at = data.rindex(b"moov") - 4
    moov = data[at:].replace(b"udta", b"free")
    return data[:at] + box(b"moov", moov[8:] + inner)
