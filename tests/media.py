"""Small real audio files in every container, so that tests meet files and not fakes.

:func:`make` is what tests call. The sound is a seeded mix of tones and noise: two seeds are two
recordings in every container, and equal arguments give equal audio. Formats that nothing at hand
can encode are written here byte by byte: Monkey's Audio and Musepack as silence (their "nothing to
decode" frames need no entropy coder; the bytes a decoder skips are seeded), DSF and DFF as
first-order delta-sigma. :data:`KINDS` is the table of what there is.
"""

# ruff: noqa: ARG001 (every encoder has the table's signature, not every one needs the seed)

from __future__ import annotations

import binascii
import functools
import struct
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import soundfile

from tests import rawid3


class Kind(NamedTuple):
    suffix: str
    container: str  # what library.payload.sniff says of it
    encode: Callable[[Path, np.ndarray, int, int], None]  # path, (frames, channels), rate, seed
    id3: int | None = None  # the version of the ID3v2 tag in front, for kinds that always have one


# --------------------------------------------------------------------------------- the sound


def sound(seconds: float, rate: int, channels: int, seed: int) -> np.ndarray:
    """Return float32 (frames, channels) within ±0.5: three tones that fade, and noise."""
    rng = np.random.default_rng(seed)
    frames = max(1, round(seconds * rate))
    t = np.arange(frames)[:, None] / rate
    mix = 0.02 * rng.standard_normal((frames, channels))
    for _ in range(3):
        pitch, phase = rng.uniform(80, 1800), rng.uniform(0, 6, channels)
        mix += (
            0.14 * np.sin(2 * np.pi * pitch * t + phase) * (1 + np.cos(t * rng.uniform(1, 9))) / 2
        )
    return np.clip(mix, -0.5, 0.5).astype(np.float32)


# ------------------------------------------------------------------------------ the encoders


def _soundfile(format: str, subtype: str) -> Callable[[Path, np.ndarray, int, int], None]:
    def encode(path: Path, samples: np.ndarray, rate: int, seed: int) -> None:
        soundfile.write(path, samples, rate, format=format, subtype=subtype)

    return encode


def _av(
    muxer: str,
    codec: str,
    *,
    rates: tuple[int, ...] = (),
    most_channels: int = 8,
    options: dict[str, str] | None = None,
    codec_options: dict[str, str] | None = None,
    video: bool = False,
) -> Callable[[Path, np.ndarray, int, int], None]:
    def encode(path: Path, samples: np.ndarray, rate: int, seed: int) -> None:
        samples = samples[:, :most_channels]
        channels = samples.shape[1]
        layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
        with av.open(str(path), "w", format=muxer, options=options or {}) as out:
            wanted = rate if not rates or rate in rates else rates[0]
            stream = out.add_stream(codec, rate=wanted, layout=layout, options=codec_options or {})
            picture = out.add_stream("mpeg4", rate=5, width=32, height=32) if video else None
            out.start_encoding()  # opens the codecs: only then is a frame size known
            if picture is not None:
                for value in range(5):
                    pixels = np.full((32, 32, 3), value * 40, dtype=np.uint8)
                    out.mux(picture.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
                out.mux(picture.encode(None))
            packed = np.ascontiguousarray(samples.reshape(1, -1))
            frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
            frame.sample_rate = rate
            resampler = av.AudioResampler(
                stream.format, layout, wanted, frame_size=stream.codec_context.frame_size or 1024
            )
            for piece in [*resampler.resample(frame), *resampler.resample(None), None]:
                # FLAC ends with an empty packet that no muxer takes
                out.mux([packet for packet in stream.encode(piece) if packet.size])

    return encode


def _bits(samples: np.ndarray, rate: int, dsd_rate: int) -> np.ndarray:
    """First-order delta-sigma: (frames, channels) -> bits (frames', channels), frames' % 8 == 0."""
    frames = -(-len(samples) * dsd_rate // rate)
    frames += -frames % 8
    at = np.minimum(np.arange(frames) * rate // dsd_rate, len(samples) - 1)
    total = np.floor(np.cumsum((samples[at].astype(np.float64) + 1) / 2, axis=0))
    return np.diff(total, axis=0, prepend=0.0).astype(np.uint8)


DSD_RATE = 2_822_400


def _dsf(path: Path, samples: np.ndarray, rate: int, seed: int) -> None:
    bits = _bits(samples, rate, DSD_RATE)
    channels, block = samples.shape[1], 4096
    packed = np.packbits(bits, axis=0, bitorder="little")
    packed = np.pad(packed, ((0, -len(packed) % block), (0, 0)))
    data = packed.reshape(-1, block, channels).transpose(0, 2, 1).tobytes()
    fmt = struct.pack(
        "<4sQIIIIIIQII",
        *(b"fmt ", 52, 1, 0, {1: 1, 2: 2, 6: 7}[channels], channels, DSD_RATE, 1),
        *(len(bits), block, 0),
    )
    body = fmt + struct.pack("<4sQ", b"data", 12 + len(data)) + data
    path.write_bytes(struct.pack("<4sQQQ", b"DSD ", 28, 28 + len(body), 0) + body)


def _dff(path: Path, samples: np.ndarray, rate: int, seed: int) -> None:
    def chunk(name: bytes, body: bytes) -> bytes:
        return name + struct.pack(">Q", len(body)) + body + b"\0" * (len(body) % 2)

    channels = samples.shape[1]
    names = {1: [b"C000"], 2: [b"SLFT", b"SRGT"]}[channels]
    sound_properties = (
        b"SND "
        + chunk(b"FS  ", struct.pack(">I", DSD_RATE))
        + chunk(b"CHNL", struct.pack(">H", channels) + b"".join(names))
        + chunk(b"CMPR", b"DSD \x0enot compressed")
    )
    data = np.packbits(_bits(samples, rate, DSD_RATE), axis=0, bitorder="big").tobytes()
    path.write_bytes(
        chunk(
            b"FRM8",
            b"DSD "
            + chunk(b"FVER", struct.pack(">I", 0x01050000))
            + chunk(b"PROP", sound_properties)
            + chunk(b"DSD ", data),
        )
    )


def _ape(path: Path, samples: np.ndarray, rate: int, seed: int) -> None:
    """Monkey's Audio 3.99, every frame the special code for silence, in both channels."""
    rng = np.random.default_rng(seed)
    total, channels, per_frame = len(samples), samples.shape[1], 73728
    frames = -(-total // per_frame)
    silent_crc = struct.pack(
        "<II", 0x80000000, 3
    )  # top bit of the checksum: flags follow; 3: silence
    bodies = [silent_crc + rng.bytes(4096) for _ in range(frames)]
    header_bytes, descriptor_bytes = 24, 52
    first = descriptor_bytes + header_bytes + 4 * frames
    offsets = [first + sum(map(len, bodies[:i])) for i in range(frames)]
    header = struct.pack(
        "<HHIIIHHI",
        2000,
        0,
        per_frame,
        total - (frames - 1) * per_frame,
        frames,
        16,
        channels,
        rate,
    )
    data = b"".join(bodies)
    descriptor = struct.pack(
        "<4sHHIIIIIII16s",
        *(
            b"MAC ",
            3990,
            0,
            descriptor_bytes,
            header_bytes,
            4 * frames,
            0,
            len(data),
            0,
            0,
            b"\0" * 16,
        ),
    )
    path.write_bytes(descriptor + header + struct.pack(f"<{frames}I", *offsets) + data)


def _musepack(path: Path, samples: np.ndarray, rate: int, seed: int) -> None:
    """Musepack SV8: every frame says that its highest used band is 0, which is silence."""
    rng = np.random.default_rng(seed)

    def number(value: int) -> bytes:  # big-endian groups of 7 bits
        groups = [value & 127]
        while value := value >> 7:
            groups.append(value & 127 | 128)
        return bytes(reversed(groups))

    def packet(name: bytes, body: bytes) -> bytes:
        length = len(body) + 3  # of the name, the body, and the length's own bytes
        while len(number(length)) + 2 + len(body) != length:
            length += 1
        return name + number(length) + body

    rate_index = {44100: 0, 48000: 1, 37800: 2, 32000: 3}.get(rate, 0)
    channels, frames = min(samples.shape[1], 2), -(-len(samples) // 1152)
    # rate (3 bits), bands - 1 (5), channels - 1 (4), mid/side (1), frames a packet: 4^n (3)
    layout = bytes([rate_index << 5 | 25, (channels - 1) << 4 | 0 << 3 | 1])
    stream = b"\x08" + number(len(samples)) + number(0) + layout
    stream = struct.pack(">I", binascii.crc32(stream)) + stream
    # a packet of 4 frames: highest band 0 (0000), then three times "as the frame before" (1)
    audio = [packet(b"AP", b"\x0e" + rng.bytes(600)) for _ in range(-(-frames // 4))]
    path.write_bytes(
        b"MPCK"
        + packet(b"SH", stream)
        + packet(b"RG", b"\x01" + b"\0" * 8)
        + b"".join(audio)
        + packet(b"SE", b"")
    )


def _mp3(
    options: dict[str, str] | None = None, **codec_options: str
) -> Callable[[Path, np.ndarray, int, int], None]:
    bare = {"id3v2_version": "0", "write_id3v1": "0", **(options or {})}
    rates = (44100, 48000, 32000, 22050, 24000, 16000, 11025, 12000, 8000)
    codec = {"b": "128k"} | codec_options
    return _av("mp3", "libmp3lame", rates=rates, most_channels=2, options=bare, codec_options=codec)


_RATES_44 = (44100, 48000, 32000, 22050, 16000, 8000)
_OPUS_RATES = (48000, 24000, 16000, 12000, 8000)
_aac = functools.partial(_av, codec="aac", rates=_RATES_44, codec_options={"b": "96k"})
_MP3 = _mp3()
_WMA = _av("asf", "wmav2", rates=_RATES_44, most_channels=2, codec_options={"b": "128k"})

KINDS: dict[str, Kind] = {
    "mp3": Kind(".mp3", "mp3", _MP3),  # no tag at all
    "mp3_vbr": Kind(".mp3", "mp3", _mp3({"write_xing": "0"}, q="6", b="0")),  # VBR, no Xing header
    "mp3_id3v22": Kind(".mp3", "mp3", _MP3, id3=2),
    "mp3_id3v23": Kind(".mp3", "mp3", _MP3, id3=3),
    "mp3_id3v24": Kind(".mp3", "mp3", _MP3, id3=4),
    "mp3_ape": Kind(".mp3", "mp3", _MP3, id3=4),  # ID3v2.4 in front, APEv2 and ID3v1 behind
    "flac": Kind(".flac", "flac", _soundfile("FLAC", "PCM_16")),
    "flac_id3": Kind(".flac", "flac", _soundfile("FLAC", "PCM_16"), id3=3),
    "ogg": Kind(".ogg", "ogg", _soundfile("OGG", "VORBIS")),
    "oggflac": Kind(".oga", "ogg", _av("ogg", "flac")),
    "opus": Kind(".opus", "opus", _av("opus", "libopus", rates=_OPUS_RATES)),
    "wav": Kind(".wav", "wav", _soundfile("WAV", "PCM_16")),
    "aiff": Kind(".aiff", "aiff", _soundfile("AIFF", "PCM_16")),
    "m4a": Kind(".m4a", "mp4", _aac("ipod")),
    "m4a_faststart": Kind(".m4a", "mp4", _aac("ipod", options={"movflags": "faststart"})),
    "alac": Kind(".m4a", "mp4", _av("ipod", "alac")),
    "mp4_video": Kind(".mp4", "mp4", _aac("mp4", video=True)),
    "wma": Kind(".wma", "asf", _WMA),
    "ape": Kind(".ape", "ape", _ape),
    "wavpack": Kind(".wv", "wavpack", _av("wv", "wavpack")),
    "musepack": Kind(".mpc", "musepack", _musepack),
    "dsf": Kind(".dsf", "dsf", _dsf),
    "mka": Kind(".mka", "other", _av("matroska", "flac")),
    "webm": Kind(".webm", "other", _av("webm", "libopus", rates=_OPUS_RATES)),
    "aac": Kind(".aac", "other", _aac("adts")),
    "dff": Kind(".dff", "other", _dff),
}

WRITABLE = tuple(
    name
    for name, kind in KINDS.items()
    if kind.container != "other" and name not in ("mp4_video", "mp3_id3v22")
)


# ----------------------------------------------------------------------------------- making


@functools.lru_cache(maxsize=128)
def _encoded(kind: str, seconds: float, rate: int, channels: int, seed: int) -> bytes:
    entry = KINDS[kind]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"made{entry.suffix}"
        entry.encode(path, sound(seconds, rate, channels, seed), rate, seed)
        return path.read_bytes()


def make(
    target: Path,
    kind: str,
    *,
    seconds: float = 1.0,
    rate: int = 44100,
    channels: int = 2,
    seed: int = 0,
    foreign: bool = False,
) -> Path:
    """Write one file of a kind of :data:`KINDS` and return its path.

    ``target`` is the file to write, or an existing folder (``<kind>-<seed><suffix>`` is made there).
    A codec that cannot do the rate or the channels gets the nearest it can. ``foreign`` adds what a
    real library has beside a mood: title, two artists, a date, a comment, a picture.
    """
    entry = KINDS[kind]
    path = target / f"{kind}-{seed}{entry.suffix}" if target.is_dir() else target
    data = _encoded(kind, seconds, rate, channels, seed)
    if entry.id3:
        frames = (
            rawid3.foreign_frames(entry.id3) if foreign else rawid3.frames(entry.id3, title="A")
        )
        data = rawid3.tag(entry.id3, frames) + data
    if kind == "mp3_ape":
        data += apev2_tag(APE_ITEMS) + rawid3.id3v1("A", "B")
    path.write_bytes(data)
    if foreign and not entry.id3:
        add_foreign(path, entry.container)
    return path


# ------------------------------------------------------------------------------ foreign tags

TITLE, ARTISTS, DATE, COMMENT = (
    "Gymnopédie",
    ["Satie", "Ciccolini"],
    "1888-04-01",
    "No. 1; slow / sad",
)
APE_ITEMS = {"Title": ["A"], "Artist": ["B"], "Replaygain_Track_Gain": ["-3.10 dB"]}


def png(side: int = 8) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    rows = b"".join(b"\0" + bytes([30, 60, 90]) * side for _ in range(side))
    size = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", size)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def apev2_tag(items: dict[str, list[str]]) -> bytes:
    """Return an APEv2 tag, header and footer, from UTF-8 text items."""
    body = b""
    for name, values in items.items():
        text = "\0".join(values).encode()
        body += struct.pack("<II", len(text), 0) + name.encode() + b"\0" + text

    def edge(flags: int) -> bytes:
        return b"APETAGEX" + struct.pack("<IIII8x", 2000, len(body) + 32, len(items), flags)

    return edge(0xA0000000) + body + edge(0x80000000)


def add_foreign(path: Path, container: str) -> None:
    """Give an untagged file the tags of a real library; with mutagen, the ID3 of MP3 by hand."""
    import mutagen.aiff
    import mutagen.apev2
    import mutagen.asf
    import mutagen.flac
    import mutagen.mp4

    if container == "mp3":
        path.write_bytes(rawid3.tag(4, rawid3.foreign_frames(4)) + path.read_bytes())
        return
    file = mutagen.File(path)
    assert file is not None, f"mutagen does not know {path}"
    if container in ("wav", "aiff", "dsf"):
        from mutagen.id3 import APIC, COMM, TDRC, TIT2, TPE1

        file.add_tags()
        for frame in (
            TIT2(3, TITLE),
            TPE1(3, ARTISTS),
            TDRC(3, DATE),
            COMM(3, "eng", "", [COMMENT]),
            APIC(3, "image/png", 3, "front", png()),
        ):
            file.tags.add(frame)
    elif container in ("flac", "ogg", "opus"):
        if file.tags is None:
            file.add_tags()
        file.tags.update(title=[TITLE], artist=ARTISTS, date=[DATE], comment=[COMMENT])
        picture = mutagen.flac.Picture()
        picture.data, picture.type, picture.mime = png(), 3, "image/png"
        if container == "flac":
            file.add_picture(picture)
        else:
            file.tags["metadata_block_picture"] = [
                binascii.b2a_base64(picture.write()).decode().strip()
            ]
    elif container == "mp4":
        if file.tags is None:
            file.add_tags()
        file.tags.update(
            {"©nam": [TITLE], "©ART": ARTISTS, "©day": [DATE], "©cmt": [COMMENT], "trkn": [(1, 3)]}
        )
        file.tags["----:com.apple.iTunes:BARCODE"] = [b"123"]
        cover = mutagen.mp4.MP4Cover
        file.tags["covr"] = [cover(png(), imageformat=cover.FORMAT_PNG)]
    elif container in ("ape", "wavpack", "musepack"):
        if file.tags is None:
            file.add_tags()
        file.tags.update({"Title": TITLE, "Artist": ARTISTS, "Year": DATE, "Comment": COMMENT})
        binary = mutagen.apev2.APEBinaryValue(b"front.png\0" + png())
        file.tags["Cover Art (Front)"] = binary
    elif container == "asf":
        file.tags["Title"] = TITLE
        file.tags["Author"] = list(ARTISTS)
        file.tags["WM/Year"] = DATE
        file.tags["Description"] = COMMENT
        picture = (
            struct.pack("<BI", 3, len(png())) + "image/png\0front\0".encode("utf-16-le") + png()
        )
        file.tags["WM/Picture"] = mutagen.asf.ASFByteArrayAttribute(picture)
    else:
        raise ValueError(f"no foreign tags for {container}")
    file.save()
