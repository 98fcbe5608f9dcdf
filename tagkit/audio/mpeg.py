"""MP3s that say truly how long they are, so that no one need count their frames.

LAME and its kin put a "Xing" (or "Info") frame in front, with the number of frames and of bytes that
follow. What fits the file to the byte is believed; a file that was cut, joined or damaged does not.

Source: the header's layout as LAME's documentation of its tag gives it.
"""

from __future__ import annotations

import os
from typing import NamedTuple

SAMPLES = 1152  # of an MPEG-1 frame
LARGEST = 1441  # bytes of one
RATES = (44100, 48000, 32000)
SIDE = 32  # bytes of side information, in stereo
MONO = 3
BITRATES = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)  # kbit/s, from index 1

MOST_TAGS = 4  # stacked ID3v2 tags in front


# What a frame may borrow from those before it, in bytes; and what of a frame none can borrow.
RESERVOIR = 511
OVERHEAD = 4 + SIDE


class Announced(NamedTuple):
    """``frames`` that follow the one that says so, the least bytes of one, and where in the file the
    last of them ends."""

    frames: int
    least: int
    end: int

    @property
    def reach(self) -> int:
        """How many frames before one must be decoded to hear it as it is.

        Those that it borrows from, one that it overlaps with, and one for the synthesis filter.
        """
        return -(-RESERVOIR // (self.least - OVERHEAD)) + 2


def announced(descriptor: int) -> Announced | None:
    """Return what the header says, where it agrees with the file; None for any other MP3.

    Of MPEG-1 layer III (32 to 48 kHz) in stereo only.
    """
    start = _behind_id3(descriptor)
    head = os.pread(descriptor, LARGEST, start)
    if len(head) < 180 or head[0] != 0xFF or head[1] & 0xFE != 0xFA:
        return None
    bitrate, rate = head[2] >> 4, head[2] >> 2 & 3
    if not 0 < bitrate < 15 or rate == 3 or head[3] >> 6 == MONO:
        return None
    length = 144 * 1000 * BITRATES[bitrate - 1] // RATES[rate] + (head[2] >> 1 & 1)
    at = 4 + SIDE + (0 if head[1] & 1 else 2)  # there may be a checksum
    if head[at : at + 4] not in (b"Xing", b"Info") or head[at + 7] & 3 != 3:
        return None
    frames, size = (int.from_bytes(head[at + n : at + n + 4], "big") for n in (8, 12))
    # Some count the frame that this is, some do not.
    for end in (start + size, start + size + length):
        if _only_tags_from(descriptor, end):
            smallest = 144 * 1000 * BITRATES[0] // RATES[rate]
            # All are of one size in "Info"; but for this one, which may need more room.
            least = (
                max(smallest, size // (frames + 1)) if head[at : at + 4] == b"Info" else smallest
            )
            return Announced(frames, least, end)
    return None


def _behind_id3(descriptor: int) -> int:
    start = 0
    for _ in range(MOST_TAGS):
        head = os.pread(descriptor, 10, start)
        if len(head) < 10 or head[:3] != b"ID3" or max(head[6:]) > 127:
            break
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        start += 10 + size + (10 if head[5] & 0x10 else 0)
    return start


def _only_tags_from(descriptor: int, place: int) -> bool:
    """Whether the file ends there, or with an APEv2 tag, an ID3v1 tag or both."""
    head = os.pread(descriptor, 16, place)
    if head.startswith(b"APETAGEX"):
        place += 32 + int.from_bytes(head[12:], "little")
    left = os.fstat(descriptor).st_size - place
    return left == 0 or (left == 128 and os.pread(descriptor, 3, place) == b"TAG")
