"""Ways to break a whole file, every one drawn from a seed."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable, Iterator

from tests.trust.broken import good

# What a format's parser steers by: sizes, counts and flags stand right before or behind these.
LANDMARKS = re.compile(
    rb"ID3|3DI|APETAGEX|TAG|LYRICS|OggS|fLaC|OpusHead|OpusTags|\x03vorbis|\x05vorbis|\x7fFLAC"
    rb"|RIFF|WAVE|fmt |data|id3 |ID3 |LIST|FORM|AIFF|COMM|SSND|FVER|DSD |MAC |wvpk|MPCK|SH|RG"
    rb"|ftyp|moov|mvhd|trak|mdia|minf|stbl|stsd|stco|co64|stsz|udta|meta|hdlr|ilst|----|mean|name"
    rb"|mdat|free|gnre|covr|TIT2|TPE1|TXXX|TMOO|TCON|APIC|CHAP|CTOC|COMM|GEOB|PRIV|MOOD|THEME"
    rb"|\x26\xb2\x75\x8e|\xa1\xdc\xab\x8c|\x40\xa4\xd0\xd2|\xb5\x03\xbf\x5f|\xea\xcb\xf8\xc5"
    rb"|\x94\x1c\x23\x44|Mood|Title"
)
_NUMBERS = (0, 1, 2, 7, 8, 9, 16, 127, 128, 255, 256, 65535, 65536, 1 << 24, (1 << 28) - 1)
_NUMBERS += ((1 << 31) - 1, 1 << 31, (1 << 32) - 8, (1 << 32) - 1, 1 << 63, (1 << 64) - 1)
_PACKED = (b"\x7f" * 4, b"\x80" * 4, b"\0\0\x7f\x7f", b"\0\1\0\0", b"\xff\xff\xff\x7f")


def landmarks(data: bytes) -> list[int]:
    return [match.start() for match in LANDMARKS.finditer(data)] or [0]


def truncate(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def flip(data: bytes, chance: random.Random) -> bytes:
    """Flip up to eight bits, most of them where the structure is."""
    broken = bytearray(data)
    marks = landmarks(data)
    for _ in range(chance.randint(1, 8)):
        near = chance.choice(marks) + chance.randint(-12, 40)
        at = near if chance.random() < 0.8 else chance.randrange(len(data))
        broken[min(max(at, 0), len(data) - 1)] ^= 1 << chance.randrange(8)
    return bytes(broken)


def number(data: bytes, chance: random.Random) -> bytes:
    """Put an absurd size or count beside a landmark."""
    broken = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        value = chance.choice(_NUMBERS)
        width = chance.choice((1, 2, 3, 4, 4, 4, 8))
        order = chance.choice(("little", "big"))
        new = (value & (1 << 8 * width) - 1).to_bytes(width, order)  # type: ignore[arg-type]
        if chance.random() < 0.2:
            new = chance.choice(_PACKED)
        at = max(0, chance.choice(landmarks(data)) + chance.randint(-10, 34))
        broken[at : at + len(new)] = new
    return bytes(broken)


def off_by_some(data: bytes, chance: random.Random) -> bytes:
    """Make a size of four bytes a little larger or smaller than it is."""
    broken = bytearray(data)
    at = max(0, chance.choice(landmarks(data)) + chance.choice((-4, 3, 4, 5, 6, 8, 12, 16)))
    at = min(at, max(0, len(data) - 4))
    layout = chance.choice(("<I", ">I"))
    (value,) = struct.unpack(layout, data[at : at + 4].ljust(4, b"\0"))
    change = chance.choice((-9, -8, -4, -2, -1, 1, 2, 4, 8, 10, 100))
    broken[at : at + 4] = struct.pack(layout, (value + change) % (1 << 32))
    return bytes(broken)


def cut_out(data: bytes, chance: random.Random) -> bytes:
    begin, end = _span(data, chance)
    return data[:begin] + data[end:]


def double(data: bytes, chance: random.Random) -> bytes:
    """Repeat a span, often exactly one box, page or frame."""
    begin, end = _span(data, chance)
    times = chance.choice((1, 1, 1, 2, 50))
    return data[:end] + data[begin:end] * (times if end - begin < 4000 else 1) + data[end:]


def swap(data: bytes, chance: random.Random) -> bytes:
    begin, middle = _span(data, chance)
    end = chance.choice([at for at in [*landmarks(data), len(data)] if at >= middle] or [middle])
    return data[:begin] + data[middle:end] + data[begin:middle] + data[end:]


def insert(data: bytes, chance: random.Random) -> bytes:
    at = max(0, chance.choice(landmarks(data)) + chance.choice((0, 0, 4, 8, 10, 27)))
    new = chance.choice((b"\0", b"\0" * 10, b"\xff" * 4, b"TAG", b"ID3\4\0\0\0\0\0\0", b"\0\0\0\1"))
    return data[:at] + new * chance.choice((1, 1, 3)) + data[at:]


def nulls(data: bytes, chance: random.Random) -> bytes:
    begin = chance.choice(landmarks(data)) + chance.randint(0, 8)
    length = chance.choice((1, 4, 16, 500))
    return data[:begin] + bytes(len(data[begin : begin + length])) + data[begin + length :]


def noise(data: bytes, chance: random.Random) -> bytes:
    begin = chance.choice(landmarks(data)) + chance.randint(0, 30)
    length = chance.choice((1, 2, 8, 64, 1000))
    middle = chance.randbytes(len(data[begin : begin + length]))
    return data[:begin] + middle + data[begin + length :]


def graft(data: bytes, chance: random.Random) -> bytes:
    """The beginning of this file and the end of one of another format."""
    other = good.plain(chance.choice(good.KINDS))
    a = chance.choice(landmarks(data))
    b = chance.choice(landmarks(other))
    return data[: a + chance.choice((0, 0, 8, 30))] + other[b:]


def _span(data: bytes, chance: random.Random) -> tuple[int, int]:
    marks = [*landmarks(data), len(data)]
    begin = chance.choice(marks)
    later = [at for at in marks if at > begin] or [len(data)]
    end = later[0] if chance.random() < 0.6 else chance.choice(later)
    if chance.random() < 0.3:
        begin = max(0, begin - chance.choice((4, 8)))
        end = max(begin, end - chance.choice((4, 8)))
    return begin, end


HARMS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *(truncate, flip, number, number, off_by_some, cut_out, double, swap, insert, nulls, noise),
    graft,
)


def drawn(kind: str, count: int, chance: random.Random) -> Iterator[tuple[str, bytes]]:
    """Yield (what was done, the file) ``count`` times, from whole files of one kind."""
    for _ in range(count):
        data = good.tagged(kind) if chance.random() < 0.5 else good.plain(kind)
        words = []
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            one = chance.choice(HARMS)
            data = one(data, chance) if data else data
            words.append(one.__name__)
        yield f"{kind}: {' '.join(words)}", data


def truncated(kind: str, parts: int) -> Iterator[tuple[str, bytes]]:
    """Yield the file cut at every ``parts``-th of it, 0 bytes included."""
    data = good.tagged(kind)
    for part in range(parts):
        yield f"{kind}: {part}/{parts}", data[: len(data) * part // parts]
