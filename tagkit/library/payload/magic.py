"""Which container a file is, by its first bytes; its name is never asked."""

from __future__ import annotations

import re

from tagkit.library.payload.source import Source, Span

_SEARCHED = 1 << 16  # bytes searched for MPEG frames behind junk, as broken taggers leave it

_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ATOMS = frozenset([b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"styp"])
_STARTS = {
    b"fLaC": "flac",
    b"MAC ": "ape",
    b"wvpk": "wavpack",
    b"MPCK": "musepack",
    b"MP+": "musepack",
    b"DSD ": "dsf",
    _ASF: "asf",
}


def container(source: Source, bounds: Span) -> str:
    """One of mp3 flac ogg opus wav aiff mp4 asf ape wavpack musepack dsf other.

    ``bounds`` is the file without the tags at its ends. mp3 means MPEG audio of any layer.
    """
    head = source.at(bounds.start, min(_SEARCHED, bounds.length))
    for magic, name in _STARTS.items():
        if head.startswith(magic):
            return name
    if head.startswith(b"OggS"):
        # Streams are announced by their first pages, one after another; a skeleton may lead.
        return "opus" if b"OpusHead" in head[:512] else "ogg"
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return "wav"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    if head[4:8] in _ATOMS:
        return "mp4"
    return "mp3" if _mpeg_audio(head) else "other"


def _mpeg_audio(head: bytes) -> bool:
    """Whether MPEG frames of one kind follow each other: two at the very start, or four later."""
    if _frames(head, 0, 2):
        return True
    starts = (match.start() for match in re.finditer(rb"\xff[\xe0-\xff]", head))
    return any(_frames(head, start, 4) for start in starts)


def _frames(head: bytes, offset: int, wanted: int) -> bool:
    kind = None
    for _ in range(wanted):
        frame = _frame(head[offset : offset + 4])
        if frame is None or kind not in (None, frame[0]):
            return False
        kind = frame[0]
        offset += frame[1]
        if wanted == 2 and offset >= len(head):  # a file of a single frame
            return True
    return True


# ISO 11172-3, 13818-3: kbit/s by (version 1?, layer), index 1..14
_RATES = {
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_HERTZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


def _frame(header: bytes) -> tuple[tuple[int, int, int], int] | None:
    """((version, layer, sample rate), length in bytes) of a frame header; None: it is none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    rate, hertz = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer == 4 or rate in (0, 15) or hertz == 3:
        return None
    bits = _RATES[version == 3, layer][rate - 1] * 1000
    sampling = _HERTZ[version][hertz]
    padding = header[2] >> 1 & 1
    if layer == 1:
        length = (12 * bits // sampling + padding) * 4
    else:
        length = (72 if layer == 3 and version != 3 else 144) * bits // sampling + padding
    return (version, layer, sampling), length
