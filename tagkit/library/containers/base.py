"""A tag as a list of raw items: ours are replaced, every other keeps its bytes.

No tag library is used for writing where it would re-encode a whole tag: mutagen adds terminators to
ID3 text, drops ID3v1 when it saves APEv2, turns MP4 ``gnre`` into ``©gen``, and replaces what is not
valid UTF-8 in Vorbis comments. Here an item that is not ours is never even decoded.

A :class:`Native` is one tag inside one file (a file can have two: ID3 and APEv2 on MP3). A
:class:`TagFile` is a file with its tags behind logical fields.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from mutagen import MutagenError

from tagkit.errors import TagError
from tagkit.library.containers.splice import Broken
from tagkit.library.fields import DEFAULTS, MARKER, FieldMap

_UNSAFE = ";/,"  # Navidrome splits moods and genres on these
_DIGEST_ABOVE = 1024  # bytes: larger foreign items are given by their hash
_LONGEST_FIELD = 1 << 22  # bytes of one field: what is longer is no list of labels

# What a parser can stumble over in a file that is not what it says.
BROKEN = (
    *(Broken, MutagenError, struct.error, EOFError),
    *(ValueError, IndexError, KeyError, OverflowError, RecursionError),
)


def broken(error: Exception, path: str) -> TagError:
    """Return the error for a file in which a parser met one of :data:`BROKEN`."""
    return TagError(f"broken: {str(error) or type(error).__name__}", path=path)


@dataclass(frozen=True)
class TagOptions:
    """``v23_separator`` joins values in ID3v2.3, which has no lists. ``also_txxx`` writes TXXX:MOOD
    beside TMOO. ``upgrade_id3`` rewrites an ID3v2.2 tag as 2.4 instead of refusing it."""

    v23_separator: str = "; "
    also_txxx: bool = False
    upgrade_id3: bool = False


class Item(NamedTuple):
    """One frame, comment, atom or attribute. ``name`` is as in :class:`~tagkit.library.fields.Names`
    (as the file spells it), ``raw`` are its bytes, ``place`` is where in the tag it lives."""

    name: str
    raw: bytes
    place: str = ""


class Native(ABC):
    """One native tag of one file."""

    label: str  # of this tag in foreign(): "id3", "ape"
    layout: str  # column of FieldMap
    follows = False  # True: only fields that are in it already are written

    def __init__(self, items: list[Item]) -> None:
        self.items = items
        self._before = list(items)

    @property
    def changed(self) -> bool:
        return self.items != self._before

    @abstractmethod
    def values(self, item: Item) -> list[str]:
        """Return the values of one item of ours; [] where it holds no text."""

    @abstractmethod
    def make(self, name: str, values: Sequence[str]) -> list[Item]:
        """Return the items that say ``values`` under a native name."""

    @abstractmethod
    def write(self, file: BinaryIO) -> None:
        """Put the items into the file the tag was read from, in place."""

    @abstractmethod
    def blocks(self, file: BinaryIO) -> dict[str, bytes]:
        """Return what else of the file a tag editor could harm, by identity."""


class TagFile:
    """A file's tags behind logical fields; made by ``containers.open_tags``.

    ``read`` takes the tags out of the open file, ``opened`` opens it in a mode ("rb", "r+b") and turns
    every error of reading and writing into a TagError.
    """

    def __init__(
        self,
        path: str,
        container: str,
        read: Callable[[BinaryIO], Sequence[Native]],
        opened: Callable[[str], AbstractContextManager[BinaryIO]],
        *,
        fields: FieldMap,
        options: TagOptions,
    ) -> None:
        self.container = container
        self._path, self._read, self._opened = path, read, opened
        self._fields, self._options = fields, options
        with opened("rb") as file:
            self._tags = read(file)

    def get(self, field: str) -> list[str]:
        """Return the values of a logical field; [] where absent or empty. Raises TagError."""
        found: dict[str, None] = {}  # an ordered set: two tags of a file often say the same
        length = 0
        try:
            for tag, item in self._items(field):
                values = [value for value in tag.values(item) if value]
                length += sum(map(len, values))
                if length > _LONGEST_FIELD:  # a compressed frame can be a thousand times its size
                    raise Broken(f"its {field} is longer than any list of labels")
                found.update(dict.fromkeys(values))
        except BROKEN as error:  # what the file calls one item is none
            raise broken(error, self._path) from error
        return list(found)

    def set(self, field: str, values: Sequence[str]) -> None:
        """Replace the values of a logical field, in every place where the file keeps it; [] removes.

        Raises TagError for a value that no reader would read back as it is: empty, with control
        characters, or a label with one of ``; / ,`` (unless it is in the field now).
        """
        present = dict.fromkeys(self.get(field))
        for value in values:
            problem = _problem(value, field, value in present)
            # also as a part: another program may have joined the user's value and tagkit's
            if problem and any(value in found for found in present):
                problem = _problem(value, field, True)
            if problem:
                raise TagError(f"{field}: {value!r} {problem}", path=self._path)
        self._put(field, values)

    def _put(self, field: str, values: Sequence[str]) -> None:
        for tag in self._tags:
            names = self._names(tag, field)
            wanted = self._targets(tag, names) if values else []
            is_one = _called(names)
            first = next((i for i, item in enumerate(tag.items) if is_one(item)), None)
            kept = [item for item in tag.items if not is_one(item)]
            made = [item for name in wanted for item in tag.make(_spelling(tag, name), values)]
            at = len(kept) if first is None else first
            tag.items = kept[:at] + made + kept[at:]

    def snapshot(self, field: str) -> str:
        """Return everything the file keeps of a field as text, for :meth:`restore`."""
        found = [
            [tag.layout, item.name, item.place, base64.b64encode(item.raw).decode()]
            for tag, item in self._items(field)
        ]
        return json.dumps(found)

    def restore(self, field: str, snapshot: str, values: Sequence[str] | None = None) -> None:
        """Bring a field back to a snapshot of this file, byte by byte. Raises TagError.

        Where a program has rewritten the tag in another version since, these bytes fit no longer: then
        ``values``, what the field held, are written anew.
        """
        try:
            rows = [
                (layout, Item(name, base64.b64decode(raw, validate=True), place))
                for layout, name, place, raw in json.loads(snapshot)
            ]
        except (ValueError, TypeError) as error:
            raise TagError(f"{field}: not a snapshot of a field", path=self._path) from error
        if {layout for layout, _ in rows} - {tag.layout for tag in self._tags}:
            if values is None:
                raise TagError(f"{field}: the tag that held it is no longer there", path=self._path)
            self._put(field, values)
            return
        for tag in self._tags:
            is_one = _called(self._names(tag, field))
            back = [item for layout, item in rows if layout == tag.layout and is_one(item)]
            tag.items = [item for item in tag.items if not is_one(item)] + back

    def foreign(self, changing: Collection[str] | None = None) -> dict[str, bytes]:
        """Return every field but the ``changing`` logical ones (by default: all logical ones), and
        every other block that a tag editor could harm, by identity; long ones as their SHA-256.

        Equal before and after a save that set no other field.
        """
        fields = DEFAULTS if changing is None else changing
        found: dict[str, bytes] = {}
        counts: dict[str, int] = {}
        for tag in self._tags:
            is_ours = _called(name for field in fields for name in self._names(tag, field))
            for item in tag.items:
                if not is_ours(item):
                    counts[item.name] = number = counts.get(item.name, 0) + 1
                    found[f"{tag.label}:{item.name}#{number}"] = _short(item.raw)
        with self._opened("rb") as file:
            for tag in self._tags:
                found |= {f"{tag.label}/{key}": data for key, data in tag.blocks(file).items()}
        return found

    def save(self) -> None:
        """Write what has changed, in place; nothing where nothing has. Raises TagError."""
        changed = [tag for tag in self._tags if tag.changed]
        if not changed:
            return
        with self._opened("r+b") as file:
            # A tag at the end first: a tag in front moves everything behind it.
            for tag in reversed(changed):
                tag.write(file)
            self._tags = self._read(file)  # where everything is now

    def _names(self, tag: Native, field: str) -> tuple[str, ...]:
        return self._fields.native(field, tag.layout)

    def _items(self, field: str) -> list[tuple[Native, Item]]:
        """Return the items of a field; those under the name to write first."""
        found = []
        for tag in self._tags:
            for name in self._names(tag, field):
                is_one = _called((name,))
                found += [(tag, item) for item in tag.items if is_one(item)]
        return found

    def _targets(self, tag: Native, names: Sequence[str]) -> list[str]:
        present = [name for name in names if any(map(_called((name,)), tag.items))]
        if tag.follows:
            return [names[0]] if present else []
        also = [name for name in names[1:] if name in present and name != "gnre"]
        if self._options.also_txxx and names[0] == "TMOO" and not also:
            also = ["TXXX:MOOD"]
        return [names[0], *also]


def _called(names: Iterable[str]) -> Callable[[Item], bool]:
    """Return whether an item goes by one of the names; case never tells two fields apart."""
    folded = {name.casefold() for name in names}
    return lambda item: item.name.casefold() in folded


def _spelling(tag: Native, name: str) -> str:
    """Return the name to write. A ``TXXX`` stays as the tag spells it, if in one way: Picard finds its
    ``TXXX:mood`` of ID3v2.3 by that alone."""
    found = {item.name for item in filter(_called((name,)), tag.items)}
    return found.pop() if name.startswith("TXXX:") and len(found) == 1 else name


def _short(raw: bytes) -> bytes:
    return raw if len(raw) <= _DIGEST_ABOVE else hashlib.sha256(raw).digest()


def _problem(value: str, field: str, present: bool) -> str | None:
    if "�" in value or any("\ud800" <= character <= "\udfff" for character in value):
        return "was not readable as text, and would be damaged"
    if present:
        return None
    if not value.strip():
        return "is empty"
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        return "has a control character"
    found = [character for character in _UNSAFE if character in value]
    if found and field != MARKER:
        return f"contains {found[0]!r}, on which players split labels"
    if ";" in value:
        return "contains ';', which joins values in ID3v2.3"
    return None
