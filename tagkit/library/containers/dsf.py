"""DSF: its first chunk points to an ID3v2 tag at the end. Source: Sony, DSF File Format 1.01."""

from __future__ import annotations

import struct
from typing import BinaryIO

from tagkit.library.containers import id3v2
from tagkit.library.containers.splice import (
    SOMETHING_IN_FRONT,
    Broken,
    NoWriter,
    digest_at,
    read_at,
    size_of,
    splice,
)

_SIZES = 12  # offset of two u64: the file's size, and where the tag starts (0: none)


class DsfHome:
    def __init__(self, file: BinaryIO) -> None:
        if read_at(file, 0, 4) != b"DSD ":
            raise NoWriter(SOMETHING_IN_FRONT)
        total, pointer = struct.unpack("<QQ", read_at(file, _SIZES, 16))
        end = size_of(file)
        # mutagen takes a tag off and leaves the size as it was; all of the audio must be there then.
        untagged = pointer == 0 and total > end == _audio_end(file, end)
        if (total != end and not untagged) or pointer > end:
            raise Broken("its DSD chunk gives another size than the file has")
        self.offset = pointer or end
        self.room = 0
        if pointer:
            self.room = id3v2.tag_size(read_at(file, pointer, min(id3v2.HEADER, end - pointer)))
            if not self.room or pointer + self.room > end:
                raise Broken("its DSD chunk points to a tag that is not there")

    def put(self, file: BinaryIO, data: bytes) -> None:
        if not data and self.offset + self.room < size_of(file):
            # Without the tag nothing would say where the bytes behind it begin: an empty one stays.
            data = id3v2.empty(read_at(file, self.offset, id3v2.HEADER))
        splice(file, self.offset, self.room, data)
        file.seek(_SIZES)
        file.write(struct.pack("<QQ", size_of(file), self.offset if data else 0))

    def blocks(self, file: BinaryIO) -> dict[str, bytes]:
        behind = self.offset + self.room
        length = size_of(file) - behind
        return {"behind": digest_at(file, behind, length)} if length else {}


def _audio_end(file: BinaryIO, end: int) -> int:
    """Return where the data chunk ends, the last one that every file has; 0 where there is none."""
    offset = 28  # bytes of the DSD chunk
    for name in (b"fmt ", b"data"):
        if offset + 12 > end or read_at(file, offset, 4) != name:
            return 0
        offset += int.from_bytes(read_at(file, offset + 4, 8), "little")
    return offset
