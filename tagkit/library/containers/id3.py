"""ID3v2 in MP3, WAV, AIFF and DSF; on MP3 an APEv2 tag beside it.

The version of the tag stays: 2.3 has TXXX:MOOD, joins values with a separator, and is Latin-1 or UTF-16;
2.4 has TMOO, lists, and UTF-8. A file without a tag gets 2.4. ID3v1 is left as it is.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import BinaryIO, Protocol

from mutagen.id3 import ID3, TCON

from tagkit.library.containers import apev2, id3v2
from tagkit.library.containers.base import Item, Native, TagOptions
from tagkit.library.containers.chunks import ChunkHome
from tagkit.library.containers.dsf import DsfHome
from tagkit.library.containers.splice import (
    NoWriter,
    digest_at,
    read_at,
    refuse_large,
    size_of,
    splice,
)

# The marker and the probabilities may contain what the user chose as a separator.
_OWN_NAMES, _OWN_JOINT = "txxx:tagkit", "; "
_LONGEST_GENRE = 1024  # characters in which a number may be
_NO_TAG = b"ID3\4\0\0\0\0\0\0"


class Home(Protocol):
    """Where in a file its ID3v2 tag lives."""

    offset: int
    room: int  # bytes of the tag that is there; 0: none

    def put(self, file: BinaryIO, data: bytes) -> None: ...
    def blocks(self, file: BinaryIO) -> dict[str, bytes]: ...


class FrontHome:
    """MP3: the tag is the first thing in the file."""

    def __init__(self, file: BinaryIO) -> None:
        self.offset = 0
        self.room = id3v2.tag_size(read_at(file, 0, min(id3v2.HEADER, size_of(file))))

    def put(self, file: BinaryIO, data: bytes) -> None:
        if not data and id3v2.end_of_tags(file, self.room) > self.room:
            # The next tag would take the first one's place: an empty one keeps it.
            data = id3v2.empty(read_at(file, 0, id3v2.HEADER))
        splice(file, 0, self.room, data)

    def blocks(self, file: BinaryIO) -> dict[str, bytes]:
        """The tags that are no audio and not this one: further ID3v2, APE of version 1, ID3v1, Lyrics3."""
        found = {}
        first, last = id3v2.end_of_tags(file, self.room), apev2.end_of_audio(file)
        if first > self.room:
            found["further"] = digest_at(file, self.room, first - self.room)
        if last < size_of(file):
            found["behind"] = digest_at(file, last, size_of(file) - last)
        old = apev2.find(file)
        if old is not None and old.version != apev2.VERSION:
            found["apev1"] = digest_at(file, old.offset, old.size)
        return found


class Id3(Native):
    label = "id3"

    def __init__(self, file: BinaryIO, home: Home, options: TagOptions) -> None:
        self._home = home
        self._separator = options.v23_separator
        refuse_large(home.room)
        data = read_at(file, home.offset, home.room) if home.room else _NO_TAG
        if data[3] == 2 and options.upgrade_id3:
            data = _upgraded(data)
        self.version, self._unsynchronised, frames = id3v2.parse(data)
        self.layout = f"id3v2{self.version}"
        super().__init__([Item(self._name(identifier, raw), raw) for identifier, raw in frames])

    def _name(self, identifier: str, raw: bytes) -> str:
        if identifier != "TXXX":
            return identifier
        found = id3v2.first_string(raw, self.version, self._unsynchronised)
        return "TXXX" if found is None else f"TXXX:{found}"

    def values(self, item: Item) -> list[str]:
        found = id3v2.strings(item.raw, self.version, self._unsynchronised)
        found = found[1 if item.name.startswith("TXXX") else 0 :]
        if item.name == "TCON":
            found = [genre for text in found for genre in _genres(text)]
        if self.version == 3:
            # What "; " once joined comes apart again, whatever the separator is today.
            separators = {self._joint(item.name).strip() or _OWN_JOINT, ";"}
            pattern = "|".join(map(re.escape, separators))
            found = [value.strip() for joined in found for value in re.split(pattern, joined)]
        return found

    def _joint(self, name: str) -> str:
        own = name.casefold().startswith(_OWN_NAMES)
        return _OWN_JOINT if own else self._separator

    def make(self, name: str, values: Sequence[str]) -> list[Item]:
        identifier, _, description = name.partition(":")
        text = ("\0" if self.version == 4 else self._joint(name)).join(values)
        if identifier == "TXXX":
            text = f"{description}\0{text}"
        # A 2.4 tag that is unsynchronised as a whole needs no flag here: UTF-8 has no 0xFF.
        return [Item(name, id3v2.frame(self.version, identifier, text))]

    def write(self, file: BinaryIO) -> None:
        frames = [item.raw for item in self.items]
        self._home.put(
            file, id3v2.render(self.version, self._unsynchronised, frames, self._home.room)
        )

    def blocks(self, file: BinaryIO) -> dict[str, bytes]:
        return self._home.blocks(file)


def _genres(text: str) -> list[str]:
    """Return genres by their names: "(17)" and "17" are Rock."""
    # Python makes no number of thousands of digits.
    return [text] if len(text) > _LONGEST_GENRE else list(TCON(encoding=3, text=[text]).genres)


def _upgraded(data: bytes) -> bytes:
    """Return an ID3v2.2 tag as 2.4, by mutagen, which knows what each old frame has become."""
    id3v2.refuse_many_of_version_2(data)
    tag, out = ID3(io.BytesIO(data), load_v1=False), io.BytesIO()
    if tag.unknown_frames:
        raise NoWriter("an ID3v2.2 tag with frames for which ID3v2.4 has no place")
    tag.save(out, v1=0, v2_version=4)
    return out.getvalue()


def open_mp3(file: BinaryIO, options: TagOptions) -> list[Native]:
    tags: list[Native] = [Id3(file, FrontHome(file), options)]
    beside = apev2.find(file)
    if beside is not None and beside.version == apev2.VERSION:
        tags.append(apev2.Ape(file, beside, follows=True))
    return tags


def open_wav(file: BinaryIO, options: TagOptions) -> list[Native]:
    return [Id3(file, ChunkHome(file, "little", b"id3 ", audio=b"data"), options)]


def open_aiff(file: BinaryIO, options: TagOptions) -> list[Native]:
    return [Id3(file, ChunkHome(file, "big", b"ID3 ", audio=b"SSND"), options)]


def open_dsf(file: BinaryIO, options: TagOptions) -> list[Native]:
    return [Id3(file, DsfHome(file), options)]
