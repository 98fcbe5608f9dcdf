"""Lossy codecs as an effect: encoded at a low bit rate and decoded again, by FFmpeg.

Whoever learns from one collection that is all 20 kbit/s Opus and another that is all lossless hears the
codec before the music. With every chunk through a codec drawn at random, none of them is a cue.
"""

from __future__ import annotations

import io
from fractions import Fraction
from typing import NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from tagkit.errors import RecipeError

FloatArray = NDArray[np.float32]


class Codec(NamedTuple):
    """``name`` FFmpeg's encoder, ``container`` its format, ``kbps`` the bit rates for one channel at
    16 kHz, from clearly damaged to nearly clean."""

    name: str
    container: str
    kbps: tuple[int, ...]


CODECS = (
    Codec("libmp3lame", "mp3", (16, 24, 32, 48, 64)),
    Codec("libopus", "ogg", (12, 16, 20, 24, 32, 48)),
    Codec("aac", "adts", (16, 24, 32, 48)),
)
#: What all three encode.
RATE = 16_000


def through(samples: FloatArray, rate: int, codec: Codec, kbps: int) -> FloatArray:
    """Return ``samples`` (n,) in [-1, 1] as they come out of ``codec``: (n,), delayed by at most 0.1 s.

    Raises RecipeError for a ``rate`` other than 16 kHz.
    """
    if rate != RATE:
        raise RecipeError(f"augment.codec needs audio of {RATE} Hz, not {rate}")
    decoded = _decode(_encode(samples, codec, kbps))
    found = np.zeros(len(samples), np.float32)
    found[: len(decoded)] = decoded[: len(samples)]
    return found


def _encode(samples: FloatArray, codec: Codec, kbps: int) -> io.BytesIO:
    out = io.BytesIO()
    with av.open(out, "w", format=codec.container) as container:
        stream = container.add_stream(codec.name, rate=RATE)
        stream.bit_rate = kbps * 1000
        stream.layout = "mono"
        stream.time_base = Fraction(1, RATE)
        pcm = np.rint(np.clip(samples, -1, 1) * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
        frame.sample_rate = RATE
        frame.pts = 0
        resampler = av.AudioResampler(
            stream.codec_context.format, "mono", RATE, frame_size=stream.codec_context.frame_size
        )
        for given in (frame, None):
            for part in resampler.resample(given):
                container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    out.seek(0)
    return out


def _decode(encoded: io.BytesIO) -> FloatArray:
    with av.open(encoded) as container:
        resampler = av.AudioResampler("flt", "mono", RATE)
        parts = [
            part.to_ndarray()[0]
            for frame in container.decode(audio=0)
            for part in resampler.resample(frame)
        ]
        parts += [part.to_ndarray()[0] for part in resampler.resample(None)]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)
