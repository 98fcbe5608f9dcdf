"""FLAC: comments in a metadata block. Source: RFC 9639, section 8.

All other blocks stay as they are and in their order; the padding blocks become one, at the end, so that a
small change moves no audio. ID3 in front of the stream stays where it is, and a field that is in it follows
the comments. FFmpeg and TagLib read it only while there are no comments: where it holds all that a file
says, a first comment would hide title and artist from them, and the fields go into the ID3 tag.
"""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

from tagkit.library.containers import comments, id3, id3v2
from tagkit.library.containers.base import BROKEN, Native, TagOptions
from tagkit.library.containers.splice import (
    Broken,
    NoWriter,
    digest_at,
    read_at,
    refuse_large,
    size_of,
    splice,
)

_STREAMINFO, _PADDING, _COMMENTS, _FORBIDDEN = 0, 1, 4, 127
_LAST = 0x80
_LONGEST = (1 << 24) - 1
_NEW_PADDING = 1024
_MOST_BLOCKS = 10_000
_NO_COMMENTS = comments.render(b"tagkit", [])


class Block(NamedTuple):
    kind: int
    offset: int  # of its content
    size: int


class Flac(comments.Comments):
    front_is_known = False  # its ID3 tag in front looks after itself

    def __init__(self, file: BinaryIO) -> None:
        self._start = _stream_start(file)
        self._blocks, self._end = _walk(file, self._start + 4)
        refuse_large(sum(block.size for block in self._blocks if block.kind != _PADDING))
        own = [block for block in self._blocks if block.kind == _COMMENTS]
        if len(own) > 1:
            raise Broken("it has two blocks of comments")
        data = read_at(file, own[0].offset, own[0].size) if own else _NO_COMMENTS
        self._vendor, items, self._behind = comments.parse(data)
        super().__init__(items)

    @property
    def in_front(self) -> int:
        """Bytes of other tags before the stream."""
        return self._start

    def write(self, file: BinaryIO) -> None:
        data = comments.render(self._vendor, self.items) + self._behind
        if len(data) > _LONGEST:
            raise Broken("its comments would be longer than a block can be")
        blocks: list[tuple[int, bytes]] = []
        for block in self._blocks:
            if block.kind == _COMMENTS:
                blocks.append((_COMMENTS, data))
            elif block.kind != _PADDING:
                blocks.append((block.kind, read_at(file, block.offset, block.size)))
        if not any(kind == _COMMENTS for kind, _ in blocks):
            blocks.insert(1, (_COMMENTS, data))  # behind STREAMINFO, which is always first
        room = self._end - self._start - 4
        left = room - sum(4 + len(content) for _, content in blocks) - 4
        blocks.append((_PADDING, b"\0" * (left if 0 <= left <= _LONGEST else _NEW_PADDING)))
        splice(file, self._start + 4, room, _render(blocks))

    def blocks(self, file: BinaryIO) -> dict[str, bytes]:
        found = {}
        for number, block in enumerate(
            b for b in self._blocks if b.kind not in (_COMMENTS, _PADDING)
        ):
            found[f"block{block.kind}#{number}"] = digest_at(file, block.offset, block.size)
        if self._start and not self.front_is_known:
            found["in front"] = digest_at(file, 0, self._start)
        return found | {"vendor": self._vendor, "behind": self._behind}


def _render(blocks: list[tuple[int, bytes]]) -> bytes:
    out = bytearray()
    for number, (kind, content) in enumerate(blocks):
        last = _LAST if number == len(blocks) - 1 else 0
        out += bytes([kind | last]) + len(content).to_bytes(3, "big") + content
    return bytes(out)


def _stream_start(file: BinaryIO) -> int:
    """Return where "fLaC" stands: at 0, or behind ID3 tags."""
    at = id3v2.end_of_tags(file)
    if read_at(file, at, 4) != b"fLaC":
        raise Broken("there is no FLAC stream where one should begin")
    return at


def _walk(file: BinaryIO, at: int) -> tuple[list[Block], int]:
    blocks: list[Block] = []
    while len(blocks) < _MOST_BLOCKS:
        head = read_at(file, at, 4)
        block = Block(head[0] & 127, at + 4, int.from_bytes(head[1:], "big"))
        if block.kind == _FORBIDDEN or (block.kind == _STREAMINFO) != (not blocks):
            raise Broken("its metadata blocks are out of order")
        blocks.append(block)
        at = block.offset + block.size
        if head[0] & _LAST:
            _expect_audio(file, at)
            return blocks, at
    raise Broken("it has more metadata blocks than any real file")


def _expect_audio(file: BinaryIO, at: int) -> None:
    """A size that is wrong ends somewhere else than at the first frame."""
    if at == size_of(file):
        return
    sync = read_at(file, at, 2)
    if sync[0] != 0xFF or sync[1] & 0xFC != 0xF8:
        raise Broken("its metadata does not end where the audio begins")


def open_flac(file: BinaryIO, options: TagOptions) -> list[Native]:
    own = Flac(file)
    front = _front(file, options) if own.in_front else None
    if front is None:
        return [own]
    own.front_is_known = True
    own.follows = not own.items
    front.follows = not own.follows
    return [front, own]  # as they lie in the file


def _front(file: BinaryIO, options: TagOptions) -> Native | None:
    """Return the ID3 tag in front; ``None`` where it is empty, or none that can be written."""
    try:
        tag = id3.Id3(file, id3.FrontHome(file), options)
    except (*BROKEN, NoWriter):
        return None
    return tag if tag.items else None
