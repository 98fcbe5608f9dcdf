"""ASF (WMA): attributes in objects of the file's header.

Source: Microsoft, "Advanced Systems Format (ASF) Specification", 01.20.03, sections 3.1, 3.2, 3.11, 4.7, 4.8.
Ours are written into the Extended Content Description, one attribute a value. Other programs put the
second and later values into the Metadata Library: those are read, and go when the field is set. The
author is in the Content Description, which is read and never written.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

from tagkit.library.containers.base import Item, Native, TagOptions
from tagkit.library.containers.splice import (
    SOMETHING_IN_FRONT,
    Broken,
    NoWriter,
    read_at,
    refuse_large,
    refuse_many,
    splice,
)


def _guid(text: str) -> bytes:
    """Return a GUID's 16 bytes: its first three groups are little-endian."""
    a, b, c, d, e = text.split("-")
    head = struct.pack("<IHH", int(a, 16), int(b, 16), int(c, 16))
    return head + bytes.fromhex(d + e)


_HEADER_OBJECT = _guid("75B22630-668E-11CF-A6D9-00AA0062CE6C")
_CONTENT = _guid("75B22633-668E-11CF-A6D9-00AA0062CE6C")
_FILE = _guid("8CABDCA1-A947-11CF-8EE4-00C00C205365")
_DESCRIPTION = _guid("D2D0A440-E307-11D2-97F0-00A0C95EA850")
_EXTENSION = _guid("5FBF03B5-A92E-11CF-8EE3-00C00C205365")
_METADATA = _guid("C5F8CBEA-5BAF-4877-8467-AA8C44FA4CCA")
_LIBRARY = _guid("44231C94-9498-49D1-A141-1D134E457054")

_OBJECT = 24  # bytes of an object's GUID and size
_HEADER = 30  # of the header object: and a count, and two reserved bytes
_EXTENSION_HEADER = 22  # before the objects inside the header extension; ends in their size
_UNICODE, _NUMBERS = 0, range(2, 6)  # types of a value: text; a flag, and numbers of several sizes
_FLAG = "wm/iscompilation"
_CONTENT_HEADER = 10  # bytes: the lengths of title, author, copyright, description and rating
_PLACES = {_DESCRIPTION: "description", _METADATA: "metadata", _LIBRARY: "library"}


class Object(NamedTuple):
    guid: bytes
    content: bytes


class Asf(Native):
    label = layout = "asf"

    def __init__(self, file: BinaryIO) -> None:
        head = read_at(file, 0, _HEADER)
        if head[:16] != _HEADER_OBJECT:
            raise NoWriter(SOMETHING_IN_FRONT)
        self._size, count = struct.unpack_from("<QI", head, 16)
        if self._size < _HEADER:
            raise Broken("its header declares a size that cannot be")
        refuse_large(self._size)
        self._objects = list(_objects(read_at(file, _HEADER, self._size - _HEADER)))
        if len(self._objects) != count:
            raise Broken("its header holds another number of objects than it says")
        super().__init__(_attributes(self._objects))

    def values(self, item: Item) -> list[str]:
        if item.place == "content":
            return [item.raw.decode("utf-16-le", "replace").rstrip("\0")]
        kind, data = _value(item)
        if kind in _NUMBERS and item.name.casefold() == _FLAG:
            return [str(int(any(data)))]
        if kind != _UNICODE:
            return []
        return [data.decode("utf-16-le", "replace").rstrip("\0")]

    def make(self, name: str, values: Sequence[str]) -> list[Item]:
        key = name.encode("utf-16-le") + b"\0\0"
        items = []
        for value in values:
            data = value.encode("utf-16-le") + b"\0\0"
            if len(data) > 0xFFFF:
                raise Broken("a value is longer than an attribute can be")
            head = struct.pack("<H", len(key)) + key
            raw = head + struct.pack("<HH", _UNICODE, len(data)) + data
            items.append(Item(name, raw, _PLACES[_DESCRIPTION]))
        return items

    def write(self, file: BinaryIO) -> None:
        objects = _with_attributes(self._objects, self.items)
        shift = _HEADER + len(_rendered(objects)) - self._size
        objects = [_grown(each, shift) for each in objects]
        head = read_at(file, 0, _HEADER)
        counts = struct.pack("<QI", self._size + shift, len(objects))
        splice(file, 0, self._size, head[:16] + counts + head[28:] + _rendered(objects))

    def blocks(self, _file: BinaryIO) -> dict[str, bytes]:
        found = {}
        for number, each in enumerate(_with_attributes(self._objects, [])):
            if each.guid == _FILE:
                each = each._replace(content=each.content[:16] + each.content[24:])
            if each.guid != _DESCRIPTION:
                found[f"{each.guid.hex()}#{number}"] = hashlib.sha256(each.content).digest()
        return found


def _objects(data: bytes) -> Iterator[Object]:
    at = count = 0
    while at < len(data):
        if at + _OBJECT > len(data):
            raise Broken("its header ends in the middle of an object")
        (size,) = struct.unpack_from("<Q", data, at + 16)
        if size < _OBJECT or at + size > len(data):
            raise Broken("an object of its header reaches beyond the header")
        yield Object(data[at : at + 16], data[at + _OBJECT : at + size])
        at, count = at + size, count + 1
        refuse_many(count)


def _rendered(objects: Sequence[Object]) -> bytes:
    return b"".join(
        each.guid + struct.pack("<Q", _OBJECT + len(each.content)) + each.content
        for each in objects
    )


def _nested(extension: Object) -> list[Object]:
    if len(extension.content) < _EXTENSION_HEADER:
        raise Broken("its header extension is too short")
    return list(_objects(extension.content[_EXTENSION_HEADER:]))


def _attributes(objects: Sequence[Object]) -> list[Item]:
    """Return the attributes of all three places, each with its bytes. Raises Broken."""
    everything = [*objects]
    for each in objects:
        if each.guid == _EXTENSION:
            everything += _nested(each)
    tables = [each for each in everything if each.guid in _PLACES]
    if len({each.guid for each in tables}) != len(tables):
        raise Broken("it has the same kind of attributes twice")
    return [item for each in objects if each.guid == _CONTENT for item in _author(each.content)] + [
        Item(name, raw, _PLACES[each.guid])
        for each in tables
        for name, raw in _records(each.content, short=each.guid == _DESCRIPTION)
    ]


def _author(content: bytes) -> Iterator[Item]:
    """Yield the author of a Content Description, to be read only."""
    if len(content) >= _CONTENT_HEADER:
        title, length = struct.unpack_from("<HH", content)
        start = _CONTENT_HEADER + title
        if length and start + length <= len(content):
            yield Item("Author", content[start : start + length], "content")


def _records(content: bytes, *, short: bool) -> Iterator[tuple[str, bytes]]:
    """Yield (name, bytes) of the attributes of a table; ``short``: without language and stream."""
    if len(content) < 2:
        raise Broken("its attributes end before they begin")
    at = 2
    for _ in range(struct.unpack_from("<H", content)[0]):
        name, end = _record(content, at, short=short)
        yield name, content[at:end]
        at = end
    if at != len(content):
        raise Broken("its attributes hold bytes that are no attribute")


def _record(content: bytes, at: int, *, short: bool) -> tuple[str, int]:
    try:
        if short:
            (length,) = struct.unpack_from("<H", content, at)
            start = at + 2
            _, size = struct.unpack_from("<HH", content, start + length)
            end = start + length + 4 + size
        else:
            _, _, length, _, size = struct.unpack_from("<HHHHI", content, at)
            start = at + 12
            end = start + length + size
    except struct.error:
        raise Broken("its attributes end in the middle of one") from None
    if end > len(content):
        raise Broken("an attribute reaches beyond its table")
    name = content[start : start + length].decode("utf-16-le", "replace")
    return name.rstrip("\0"), end


def _value(item: Item) -> tuple[int, bytes]:
    """Return (type, data) of an attribute."""
    if item.place == _PLACES[_DESCRIPTION]:
        (length,) = struct.unpack_from("<H", item.raw)
        (kind,) = struct.unpack_from("<H", item.raw, 2 + length)
        return kind, item.raw[2 + length + 4 :]
    _, _, length, kind, _ = struct.unpack_from("<HHHHI", item.raw)
    return kind, item.raw[12 + length :]


def _with_attributes(objects: Sequence[Object], items: Sequence[Item]) -> list[Object]:
    """Return the objects with these attributes instead of those they have."""
    new = []
    for each in objects:
        if each.guid == _EXTENSION:
            inside = _rendered([_table(one, items) for one in _nested(each)])
            head = each.content[: _EXTENSION_HEADER - 4] + struct.pack("<I", len(inside))
            each = each._replace(content=head + inside)
        new.append(_table(each, items))
    if not any(each.guid == _DESCRIPTION for each in objects):
        table = _table(Object(_DESCRIPTION, b""), items)
        new += [table] if table.content != b"\0\0" else []
    return new


def _table(each: Object, items: Sequence[Item]) -> Object:
    place = _PLACES.get(each.guid)
    if place is None:
        return each
    own = [item.raw for item in items if item.place == place]
    if len(own) > 0xFFFF:
        raise Broken("it would have more attributes than a table can count")
    return each._replace(content=struct.pack("<H", len(own)) + b"".join(own))


def _grown(each: Object, shift: int) -> Object:
    """Return the file properties with the file's new size; every other object as it is."""
    if each.guid != _FILE or len(each.content) < 24:
        return each
    (size,) = struct.unpack_from("<Q", each.content, 16)
    content = each.content[:16] + struct.pack("<Q", size + shift) + each.content[24:]
    return each._replace(content=content)


def open_asf(file: BinaryIO, _options: TagOptions) -> list[Native]:
    return [Asf(file)]
