"""WAV and AIFF: an ID3v2 tag in a chunk of its own.

Sources: Microsoft, "Multimedia Programming Interface" (RIFF); Apple, AIFF-C. The sizes of a chunk and of
the whole are 32 bits; what is larger (RF64) is not written.
"""

from __future__ import annotations

from typing import BinaryIO, Literal, NamedTuple

from tagkit.library.containers.splice import (
    SOMETHING_IN_FRONT,
    Broken,
    NoWriter,
    digest_at,
    read_at,
    size_of,
    splice,
)

_MOST_CHUNKS = 10_000
_LONGEST = 0xFFFFFFFF


class Chunk(NamedTuple):
    name: bytes
    offset: int  # of the chunk's header
    size: int  # of its content

    @property
    def end(self) -> int:
        """Where the next chunk starts: chunks have even lengths."""
        return self.offset + 8 + self.size + self.size % 2


class ChunkHome:
    def __init__(
        self, file: BinaryIO, order: Literal["little", "big"], name: bytes, *, audio: bytes
    ) -> None:
        form = read_at(file, 0, 4)
        if form in (b"RF64", b"BW64"):
            raise NoWriter("WAV files in the 64-bit layout (RF64) are not written")
        if form not in (b"RIFF", b"FORM"):
            raise NoWriter(SOMETHING_IN_FRONT)
        self._order: Literal["little", "big"] = order
        self._name, self._audio = name, audio
        self._end = 8 + int.from_bytes(read_at(file, 4, 4), order)
        self._chunks = self._walk(file)
        ours = [c for c in self._chunks if c.name.upper() == b"ID3 "]
        if len(ours) > 1:
            raise Broken("it has two ID3 chunks")
        self._own = ours[0] if ours else None
        self.offset = self._own.offset + 8 if self._own else self._end
        self.room = self._own.size if self._own else 0

    def _walk(self, file: BinaryIO) -> list[Chunk]:
        end = size_of(file)
        if self._end == end + 1:  # the padding byte of the last chunk was never written
            self._end = end
        if self._end > end:
            raise Broken("its header promises more bytes than there are")
        chunks, at = [], 12
        while at + 8 <= self._end:
            head = read_at(file, at, 8)
            chunk = Chunk(head[:4], at, int.from_bytes(head[4:], self._order))
            if chunk.end > self._end + 1 or not all(32 <= byte < 127 for byte in chunk.name):
                raise Broken("its chunks do not fit into each other")
            chunks.append(chunk)
            at = chunk.end
            if len(chunks) > _MOST_CHUNKS:
                raise Broken("it has more chunks than any real file")
        if not any(chunk.name == self._audio for chunk in chunks):
            raise Broken("its header ends before its sound")  # of a recorder that never came back
        return chunks

    def put(self, file: BinaryIO, data: bytes) -> None:
        new = b""
        if data:
            name = self._own.name if self._own else self._name
            new = name + len(data).to_bytes(4, self._order) + data + b"\0" * (len(data) % 2)
        if self._own:
            at, old = self._own.offset, min(self._own.end, self._end) - self._own.offset
        else:
            at, old = self._end, 0
            if at % 2:  # the chunk before lacks its padding byte
                new = b"\0" + new
        total = self._end + len(new) - old - 8
        if total > _LONGEST:
            raise Broken("it would grow beyond 4 GiB, the most its header can say")
        splice(file, at, old, new)
        file.seek(4)
        file.write(total.to_bytes(4, self._order))

    def blocks(self, file: BinaryIO) -> dict[str, bytes]:
        found = {"form": read_at(file, 8, 4)}
        for number, chunk in enumerate(c for c in self._chunks if c is not self._own):
            if chunk.name != self._audio:
                key = f"{chunk.name.decode('ascii').strip()}#{number}"
                found[key] = digest_at(file, chunk.offset, 8 + chunk.size)
        behind = size_of(file) - self._end
        if behind:
            found["behind"] = digest_at(file, self._end, behind)
        return found
