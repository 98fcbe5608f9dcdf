"""MP4 and M4A: the iTunes list moov/udta/meta/ilst.

Source: Apple, "iTunes Package" metadata as described by the QuickTime File Format specification and by
mutagen and TagLib. Custom fields are "----" atoms (mean, name, then one data atom a value).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from mutagen.id3 import TCON

from tagkit.library.containers import boxes
from tagkit.library.containers.base import Item, Native, TagOptions
from tagkit.library.containers.boxes import Box
from tagkit.library.containers.splice import (
    SOMETHING_IN_FRONT,
    Broken,
    NoWriter,
    digest_at,
    read_at,
    refuse_large,
    refuse_many,
    size_of,
)

_IMPLICIT, _UTF8, _UTF16 = 0, 1, 2  # types of a data atom
_PADDING = 1024
_MOST_PROBES = 512
_OURS = (b"meta", b"ilst", b"free")
_HANDLER = b"\0" * 8 + b"mdirappl" + b"\0" * 9


def _atom(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


def _atoms(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (name, content) of the atoms in ``data``. Raises Broken."""
    at = 0
    while at < len(data):
        if at + 8 > len(data):
            raise Broken("its list of tags ends in the middle of an atom")
        size, name = struct.unpack_from(">I4s", data, at)
        if size < 8 or at + size > len(data):
            raise Broken("an atom of its tags reaches beyond the one that holds it")
        yield name, data[at + 8 : at + size]
        at += size


class Mp4(Native):
    label = layout = "mp4"

    def __init__(self, file: BinaryIO) -> None:
        if read_at(file, 0, 3) == b"ID3":
            raise NoWriter(SOMETHING_IN_FRONT)
        root = boxes.tree(file)
        self._root, self._moov = root, boxes.refuse_odd(file, root)
        self._udta = self._moov.only(b"udta")
        self._meta = self._udta.only(b"meta") if self._udta else None
        self._ilst = self._meta.only(b"ilst") if self._meta else None
        if self._ilst:
            refuse_large(self._ilst.size)
            refuse_many(len(self._ilst.children))
        if self._meta and not self._ilst and not self._meta.children:
            raise Broken("its meta box is not one that iTunes would write")
        items = []
        for box in self._ilst.children if self._ilst else ():
            raw = read_at(file, box.offset, box.size)
            items.append(Item(_name(box.name, raw), raw))
        super().__init__(items)

    def values(self, item: Item) -> list[str]:
        content = item.raw[8:]
        found = [data for name, data in _atoms(content) if name == b"data" and len(data) >= 8]
        if item.name == "gnre":
            return [genre for data in found if (genre := _numbered(data[8:]))]
        if item.name == "cpil":  # a flag
            return [str(int(any(data[8:]))) for data in found]
        return [_decode(data) for data in found]

    def make(self, name: str, values: Sequence[str]) -> list[Item]:
        data = b"".join(
            _atom(b"data", struct.pack(">II", _UTF8, 0) + value.encode()) for value in values
        )
        if not name.startswith("----:"):
            return [Item(name, _atom(name.encode("latin-1"), data))]
        _, mean, plain = name.split(":", 2)
        head = _atom(b"mean", b"\0" * 4 + mean.encode()) + _atom(
            b"name", b"\0" * 4 + plain.encode()
        )
        return [Item(name, _atom(b"----", head + data))]

    def write(self, file: BinaryIO) -> None:
        ilst = _atom(b"ilst", b"".join(item.raw for item in self.items))
        parents = [box for box in (self._moov, self._udta, self._meta) if box]
        if self._ilst:
            old = self._ilst.size + _free_behind(parents[-1], self._ilst)
            boxes.replace(file, parents, self._ilst.offset, old, _padded(ilst, old))
            return
        new = _padded(ilst, 0)
        if self._meta:
            boxes.replace(file, parents, self._meta.end, 0, new)
            return
        new = _atom(b"meta", b"\0" * 4 + _atom(b"hdlr", _HANDLER) + new)
        if self._udta:  # at its beginning: four zero bytes may end it
            boxes.replace(file, parents, self._udta.content, 0, new)
            return
        boxes.replace(file, parents, self._moov.end, 0, _atom(b"udta", new))

    def blocks(self, file: BinaryIO) -> dict[str, bytes]:
        """Everything that describes the sound, and what its chunk offsets point at."""
        found: dict[str, bytes] = {}
        for box in self._root.children:
            if box.name not in (b"moov", b"mdat", b"free", b"skip"):
                key = f"{box.name.decode('latin-1')}#{len(found)}"
                found[key] = digest_at(file, box.offset, box.size)
        for number, box in enumerate(self._moov.children):
            if box.name != b"udta":
                found[f"moov/{number}"] = _digest(file, box)
        for name, parent in (("udta", self._udta), ("meta", self._meta)):
            for box in parent.children if parent else ():
                content = read_at(file, box.content, min(len(_HANDLER), box.end - box.content))
                if box.name in _OURS or content == _HANDLER:
                    continue
                key = f"{name}/{box.name.decode('latin-1')}#{len(found)}"
                found[key] = digest_at(file, box.offset, box.size)
        for number, (_, offsets) in enumerate(boxes.offset_tables(file, self._moov)):
            found[f"chunks/{number}"] = _probe(file, offsets)
        return found


def _free_behind(meta: Box, ilst: Box) -> int:
    """Return the bytes of the free boxes that follow the list."""
    total = 0
    for box in meta.children:
        if box.offset == ilst.end + total and box.name == b"free":
            total += box.size
    return total


def _padded(ilst: bytes, room: int) -> bytes:
    left = room - len(ilst)
    if left == 0:
        return ilst
    return ilst + _atom(b"free", b"\0" * (left - 8 if left >= 8 else _PADDING))


def _name(name: bytes, raw: bytes) -> str:
    """Return "----:mean:name" for a custom field; a broken one has no name, and is nobody's."""
    if name != b"----":
        return name.decode("latin-1")
    parts: dict[bytes, str] = {}
    for key, content in _atoms(raw[8:]):
        parts.setdefault(key, content[4:].decode("utf-8", "replace"))
    return f"----:{parts.get(b'mean', '')}:{parts.get(b'name', '')}"


def _decode(data: bytes) -> str:
    kind, text = int.from_bytes(data[1:4], "big"), data[8:]
    if kind == _UTF16:
        return text.decode("utf-16-be", "replace")
    return text.decode("utf-8", "replace") if kind in (_IMPLICIT, _UTF8) else ""


def _numbered(data: bytes) -> str:
    """Return the genre of iTunes' number: ID3v1's plus one."""
    number = int.from_bytes(data, "big") - 1
    return str(TCON.GENRES[number]) if 0 <= number < len(TCON.GENRES) else ""


def _digest(file: BinaryIO, box: Box) -> bytes:
    """Return a hash of a box without the chunk offsets in it, which may move."""
    if box.name == b"stco" or box.name == b"co64":
        return b"offsets"
    if not box.children:
        return digest_at(file, box.offset, box.size)
    return hashlib.sha256(b"".join(_digest(file, child) for child in box.children)).digest()


def _probe(file: BinaryIO, offsets: boxes.Offsets) -> bytes:
    """Return a hash of the first bytes of chunks spread over the file, the last one included."""
    digest, end = hashlib.sha256(), size_of(file)
    step = max(1, len(offsets) // _MOST_PROBES)
    for at in [*offsets[::step].tolist(), *offsets[-1:].tolist()]:
        digest.update(read_at(file, at, min(16, end - at)) if at < end else b"beyond")
    return digest.digest()


def open_mp4(file: BinaryIO, _options: TagOptions) -> list[Native]:
    return [Mp4(file)]
