"""Files that are gigabytes of sound, or say so, and take next to no room on the disk."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from tests import media

SEED_BYTES = 100_000  # of noise, before the hole in the file


def wav(path: Path, rate: int, channels: int, bits: int, seconds: float) -> None:
    """A WAV file that is a hole but for its beginning."""
    block = channels * bits // 8
    data = round(rate * seconds) * block
    fields = (1, channels, rate, rate * block & 0xFFFFFFFF, block & 0xFFFF, bits)
    head = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, *fields) + b"data" + struct.pack("<I", data)
    _sparse(path, b"RIFF" + struct.pack("<I", data + 36 & 0xFFFFFFFF) + head, data)


def au(path: Path, rate: int, channels: int, size: int) -> None:
    _sparse(path, b".snd" + struct.pack(">IIIII", 24, 0xFFFFFFFF, 3, rate, channels), size)


def caf(path: Path, rate: float, channels: int, size: int) -> None:
    format = struct.pack(">d4sIIIII", rate, b"lpcm", 0, 2 * channels, 1, channels, 16)
    head = b"caff\0\1\0\0desc" + struct.pack(">Q", 32) + format + b"data"
    _sparse(path, head + struct.pack(">qI", -1, 0), size)


def flac(path: Path, **fields: int) -> None:
    """A FLAC file whose STREAMINFO says otherwise: rate, channels, bits, total, largest block."""
    data = bytearray(media.make(path.parent, "flac", seconds=1.0).read_bytes())
    said = {"rate": 44100, "channels": 2, "bits": 16, "total": 44100, "block": 4096} | fields
    packed = said["rate"] << 44 | said["channels"] - 1 << 41 | said["bits"] - 1 << 36
    data[8:12] = struct.pack(">HH", said["block"], said["block"])
    data[18:26] = (packed | said["total"]).to_bytes(8, "big")
    path.write_bytes(data)


def tta(path: Path, rate: int, channels: int) -> None:
    head = b"TTA1" + struct.pack("<HHHII", 1, channels, 16, rate, 0x7FFFFFFF)
    path.write_bytes(head + struct.pack("<I", zlib.crc32(head)) + bytes(1_000_000))


def matroska(path: Path, rate: int, channels: str, seconds: int) -> None:
    """PCM that FFmpeg decodes, packet by packet."""
    with av.open(str(path), "w", format="matroska") as out:
        stream = out.add_stream("pcm_s16le", rate=rate, layout=channels)
        count = stream.layout.nb_channels
        second = np.zeros((1, rate * count), np.int16)
        for number in range(seconds):
            frame = av.AudioFrame.from_ndarray(second, format="s16", layout=channels)
            frame.sample_rate, frame.pts = rate, number * rate
            out.mux(stream.encode(frame))


def chain(path: Path, kind: str, links: int) -> None:
    """Ogg of many streams, one behind the other."""
    found = [media.make(path.parent, kind, seconds=0.05, seed=seed) for seed in range(2)]
    path.write_bytes(b"".join(part.read_bytes() for part in found) * (links // 2))


def chunks(path: Path, form: bytes, name: bytes, count: int) -> None:
    path.write_bytes(form + (name + bytes(4)) * count)


def patched(path: Path, kind: str, box: bytes, offset: int, value: bytes) -> None:
    """A file of ``kind`` in which ``value`` stands at ``offset`` behind ``box``."""
    data = bytearray(media.make(path.parent, kind, seconds=1.0).read_bytes())
    at = data.rindex(box) + offset
    data[at : at + len(value)] = value
    path.write_bytes(data)


def repeated(path: Path, kind: str, tail: bytes, count: int) -> None:
    path.write_bytes(media.make(path.parent, kind, seconds=1.0).read_bytes() + tail * count)


def _sparse(path: Path, head: bytes, size: int) -> None:
    with path.open("wb") as file:
        file.write(head + np.random.default_rng(0).bytes(min(size, SEED_BYTES)))
        file.truncate(len(head) + size)


#: Name: how it is made. ``by`` is 1, or how much more there is of it in the full run.
MADE: dict[str, Callable[[Path, int], None]] = {
    "192 kHz in 16 channels.wav": lambda p, by: wav(p, 192_000, 16, 16, 60 * by),
    "24 bits of it.wav": lambda p, by: wav(p, 192_000, 16, 24, 50 * by),
    "1024 channels.wav": lambda p, by: wav(p, 44_100, 1024, 16, 2 * by),
    "65535 channels.wav": lambda p, _: wav(p, 44_100, 65535, 16, 0.2),
    "two billion a second.wav": lambda p, _: wav(p, 2**31 - 1, 1, 8, 1.9),
    "one a second.wav": lambda p, _: wav(p, 1, 1, 8, 2e9),
    "DSD1024.wav": lambda p, by: wav(p, 6_144_000, 2, 16, 10 * by),
    "two billion channels.au": lambda p, _: au(p, 44_100, 0x7FFFFFFF, 100_000),
    "500 channels.au": lambda p, by: au(p, 192_000, 500, 50_000_000 * by),
    "infinite.caf": lambda p, _: caf(p, 1e300, 2, 1_000_000),
    "192 kHz in 16 channels.caf": lambda p, by: caf(p, 192_000.0, 16, 50_000_000 * by),
    "192 kHz in 8 channels.mka": lambda p, by: matroska(p, 192_000, "7.1", 20 * by),
    "36 bits of samples.flac": lambda p, _: flac(p, total=2**36 - 1),
    "a million a second.flac": lambda p, _: flac(p, rate=2**20 - 1, channels=8, bits=32),
    "largest blocks.flac": lambda p, _: flac(p, block=65535, total=2**36 - 1),
    "no block.flac": lambda p, _: flac(p, block=0),
    "two billion a second.tta": lambda p, _: tta(p, 2**31 - 1, 2),
    "65535 channels.tta": lambda p, _: tta(p, 44_100, 65535),
    "largest frames.m4a": lambda p, _: patched(p, "alac", b"alac", 8, b"\x7f\xff\xff\xff"),
    "samples without end.m4a": lambda p, _: patched(p, "m4a", b"stts", 12, b"\x7f\xff\xff\xff" * 2),
    "sizes without end.m4a": lambda p, _: patched(p, "m4a", b"stsz", 12, b"\x7f\xff\xff\xff"),
    "largest blocks.ape": lambda p, _: patched(p, "ape", b"MAC ", 56, b"\xff\xff\xff\x7f" * 2),
    "largest blocks.wv": lambda p, _: patched(p, "wavpack", b"wvpk", 20, b"\xff\xff\xff\x7f"),
    "fastest.dsf": lambda p, _: patched(p, "dsf", b"fmt ", 28, b"\xff\xff\xff\xff"),
    "a thousand streams.ogg": lambda p, by: chain(p, "ogg", 1000 * by),
    "a thousand streams.opus": lambda p, by: chain(p, "opus", 1000 * by),
    "zeros behind.mp3": lambda p, by: repeated(p, "mp3", bytes(1000), 5000 * by),
    "syncs behind.mp3": lambda p, by: repeated(p, "mp3", b"\xff\xfb" * 500, 3000 * by),
    "chunks.wav": lambda p, by: chunks(p, b"RIFF\xff\xff\xff\xffWAVE", b"junk", 500_000 * by),
    "chunks.aiff": lambda p, by: chunks(p, b"FORM\x7f\xff\xff\xffAIFF", b"ANNO", 500_000 * by),
}
