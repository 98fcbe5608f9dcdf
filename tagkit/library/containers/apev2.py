"""APEv2 tags: Monkey's Audio, WavPack, Musepack, and beside ID3 on MP3.

At the end of the file, in front of an ID3v1 and a Lyrics3 tag. Source: wiki.hydrogenaud.io, "APEv2
specification". Items stay in their order and keep their flags.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

from tagkit.library.containers import id3v2
from tagkit.library.containers.base import Item, Native, TagOptions
from tagkit.library.containers.splice import (
    Broken,
    NoWriter,
    digest_at,
    read_at,
    refuse_large,
    size_of,
    splice,
)

_MAGIC = b"APETAGEX"
VERSION = 2000  # of APEv2
_EDGE = 32  # bytes of a header or footer
_ID3V1 = 128
_HAS_HEADER, _IS_HEADER = 0x80000000, 0x20000000
_MOST_ITEMS = 4096
_MOST_ORDERS = 8  # of items that are tried
_KIND, _TEXT = 6, 0  # mask of an item's flags, and its value for UTF-8
_PLACES = ("utf-8", "other")


class Found(NamedTuple):
    """``offset`` and ``size`` of the whole tag; where there is none, of the gap it would fill."""

    version: int
    offset: int
    size: int
    flags: int
    items: list[Item]


def find(file: BinaryIO) -> Found | None:
    """Return the APE tag at the end of the file, ``None`` where there is none. Raises Broken."""
    end = end_of_audio(file)
    if end < _EDGE:
        return None
    footer = read_at(file, end - _EDGE, _EDGE)
    if footer[:8] != _MAGIC:
        return None
    version, size, count, flags = struct.unpack("<IIII", footer[8:24])
    if not _EDGE <= size <= end or count > _MOST_ITEMS:
        raise Broken("its APE tag declares a size that cannot be")
    refuse_large(size)
    start = end - size
    body = read_at(file, start, size - _EDGE)
    if start >= _EDGE and read_at(file, start - _EDGE, 8) == _MAGIC:
        start -= _EDGE
        flags |= _HAS_HEADER
    if start >= _EDGE and read_at(file, start - _EDGE, 8) == _MAGIC:  # its footer, or header
        raise NoWriter("it has two APE tags, one behind the other")
    return Found(version, start, end - start, flags, _items(body, count))


def _is_id3v1(end: bytes) -> bool:
    """Whether a file that ends in these bytes, 131 or more, ends in an ID3v1 tag."""
    # The letters are in "APETAGEX" too, and an APE tag of 131 bytes has them at the right place.
    return end[-_ID3V1:][:3] == b"TAG" and len(end) >= _ID3V1 and end[-_ID3V1 - 3 :][:8] != _MAGIC


def _is_behind_a_tag(file: BinaryIO, at: int) -> bool:
    before = read_at(file, max(0, at - _ID3V1), min(at, _ID3V1))
    return before.startswith(b"TAG") or before.endswith((b"LYRICS200", b"LYRICSEND"))


def end_of_audio(file: BinaryIO) -> int:
    """Return where the audio, and an APE tag behind it, end: before Lyrics3 and ID3v1."""
    end = size_of(file)
    if _is_id3v1(read_at(file, max(0, end - _ID3V1 - 3), min(end, _ID3V1 + 3))):
        end -= _ID3V1
    if end >= 15 and (tail := read_at(file, end - 15, 15))[6:] == b"LYRICS200":
        length = int(tail[:6]) + 15 if tail[:6].isdigit() else 0
        if 0 < length <= end and read_at(file, end - length, 11) == b"LYRICSBEGIN":
            end -= length
    return end


def _items(body: bytes, count: int) -> list[Item]:
    items, at = [], 0
    for _ in range(count):
        key_end = body.find(b"\0", at + 8, at + 8 + 256)
        if key_end < 0:
            raise Broken("its APE tag ends in the middle of an item")
        size, flags = struct.unpack("<II", body[at : at + 8])
        end = key_end + 1 + size
        if end > len(body):
            raise Broken("an item of its APE tag reaches beyond the tag")
        name = body[at + 8 : key_end].decode("latin-1")
        items.append(Item(name, body[at:end], _PLACES[flags & _KIND != _TEXT]))
        at = end
    if at != len(body):
        raise Broken("its APE tag holds bytes that are no item")
    return items


class Ape(Native):
    label, layout = "ape", "apev2"

    def __init__(self, file: BinaryIO, found: Found | None, *, follows: bool = False) -> None:
        self._found = found or Found(VERSION, end_of_audio(file), 0, _HAS_HEADER, [])
        self.follows = follows
        super().__init__(self._found.items)

    def values(self, item: Item) -> list[str]:
        if item.place != _PLACES[0]:
            return []
        key = item.raw.index(b"\0", 8)
        return item.raw[key + 1 :].decode("utf-8", "replace").split("\0")

    def make(self, name: str, values: Sequence[str]) -> list[Item]:
        text = "\0".join(values).encode()
        head = struct.pack("<II", len(text), _TEXT)
        return [Item(name, head + name.encode("ascii") + b"\0" + text, _PLACES[0])]

    def write(self, file: BinaryIO) -> None:
        behind = self._found.offset + self._found.size
        tag = self._visible(read_at(file, behind, size_of(file) - behind))
        # A tag without items is no tag: what tagkit alone made goes without a trace. But where a tag of
        # another kind stands in front, that one would come into sight.
        keep = self.items or _is_behind_a_tag(file, self._found.offset)
        splice(file, self._found.offset, self._found.size, tag if keep else b"")

    def _visible(self, behind: bytes) -> bytes:
        """Return the tag, with its items in an order in which they hide nothing.

        The letters TAG 128 bytes before the end are an ID3v1 tag to every reader, and TAGKIT has them
        where the marker comes last and is 89 letters long.
        """
        if _is_id3v1(behind):
            return self._rendered(self.items)
        for first in range(min(len(self.items), _MOST_ORDERS)):
            tag = self._rendered([*self.items[first:], *self.items[:first]])
            if not _is_id3v1(tag[-_ID3V1 - 3 :] + behind):
                return tag
        if self.items:
            raise Broken("its APE tag would look like an ID3v1 tag")
        return self._rendered([])

    def _rendered(self, items: Sequence[Item]) -> bytes:
        body = b"".join(item.raw for item in items)
        flags = self._found.flags & ~_IS_HEADER
        counts = struct.pack("<III", VERSION, len(body) + _EDGE, len(items))
        with_header = flags & _HAS_HEADER
        head = _MAGIC + counts + struct.pack("<I8x", flags | _IS_HEADER) if with_header else b""
        return head + body + _MAGIC + counts + struct.pack("<I8x", flags)

    def blocks(self, file: BinaryIO) -> dict[str, bytes]:
        found = {}
        front, behind = id3v2.end_of_tags(file), self._found.offset + self._found.size
        if front and not self.follows:  # beside an ID3 tag, that is its own business
            found["in front"] = digest_at(file, 0, front)
        if behind < size_of(file):
            found["behind"] = digest_at(file, behind, size_of(file) - behind)
        return found


def open_ape(file: BinaryIO, _options: TagOptions) -> list[Native]:
    if read_at(file, 0, 8) == _MAGIC:
        raise NoWriter("its APE tag lies in front of the audio")
    found = find(file)
    if found is not None and found.version != VERSION:
        raise NoWriter("an APE tag of version 1 cannot hold what tagkit writes")
    return [Ape(file, found)]
