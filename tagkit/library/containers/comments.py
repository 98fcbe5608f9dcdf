"""Vorbis comments: the block that FLAC, Ogg Vorbis, Opus, Ogg FLAC and Speex share.

Source: Xiph.Org, "Ogg Vorbis I format specification: comment field and header specification". A comment
that is not ours keeps its bytes, valid UTF-8 or not, with or without a name.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from tagkit.library.containers.base import Item, Native
from tagkit.library.containers.splice import Broken, refuse_many


def parse(data: bytes) -> tuple[bytes, list[Item], bytes]:
    """Return (vendor, comments, what follows them)."""
    vendor, at = _sized(data, 0)
    if at + 4 > len(data):
        raise Broken("its comments end before they begin")
    (count,) = struct.unpack_from("<I", data, at)
    at, items = at + 4, []
    if count > (len(data) - at) // 4:
        raise Broken("it promises more comments than there is room for")
    refuse_many(count)
    for _ in range(count):
        raw, at = _sized(data, at)
        equals = max(0, raw.find(b"="))  # and no partition, which would copy a cover
        items.append(Item(raw[:equals].decode("utf-8", "replace"), raw))
    return vendor, items, data[at:]


def render(vendor: bytes, items: Sequence[Item]) -> bytes:
    sized = (struct.pack("<I", len(item.raw)) + item.raw for item in items)
    count = struct.pack("<I", len(items))
    return struct.pack("<I", len(vendor)) + vendor + count + b"".join(sized)


def _sized(data: bytes, at: int) -> tuple[bytes, int]:
    if at + 4 > len(data):
        raise Broken("a comment reaches beyond its block")
    (length,) = struct.unpack_from("<I", data, at)
    end = at + 4 + length
    if end > len(data):
        raise Broken("a comment reaches beyond its block")
    return data[at + 4 : end], end


class Comments(Native):
    """The part that FLAC and Ogg share; where the block lives is theirs."""

    label, layout = "vorbis", "vorbis"

    def values(self, item: Item) -> list[str]:
        return [item.raw.partition(b"=")[2].decode("utf-8", "replace")]

    def make(self, name: str, values: Sequence[str]) -> list[Item]:
        return [Item(name, f"{name}={value}".encode()) for value in values]
