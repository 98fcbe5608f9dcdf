"""Tracks to measure with: the project's example pieces, strung together and laid over each other.

Each is another one, as long as asked for, in stereo with different channels, and as loud as released music
is, so that encoders spend what they spend on real files. A track is a function of its number.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from tagkit import audio

FloatArray = npt.NDArray[np.float32]

PIECES = Path(__file__).parents[2] / "examples" / "music"
RATE = 44_100
FADE = RATE // 2
#: How fast a piece may be played, in steps of a semitone.
SEMITONES = range(-3, 4)
LOUDNESS = 0.2  # RMS before the soft limiter, -14 dBFS


@cache
def pieces() -> tuple[FloatArray, ...]:
    """Return the example pieces, mono (samples,) at 44.1 kHz."""
    return tuple(audio.read(path, RATE) for path in sorted(PIECES.iterdir()))


def make(number: int, seconds: float) -> FloatArray:
    """Return track ``number``: stereo (samples, 2) at 44.1 kHz, within [-1, 1]."""
    random = np.random.default_rng([20261121, number])
    length = round(seconds * RATE)
    front, back, far = (_line(random, length) for _ in range(3))
    left = front + 0.5 * back + 0.3 * np.roll(far, 700)
    right = 0.9 * front + 0.3 * np.roll(back, 500) - 0.4 * far
    track = np.stack([left, right], 1)
    track *= LOUDNESS / np.sqrt(np.mean(track**2))
    limited: FloatArray = np.tanh(track).astype(np.float32)
    return limited


def _line(random: np.random.Generator, length: int) -> FloatArray:
    """Return pieces in a random order, each at its own speed, faded into each other."""
    out = np.zeros(length, np.float32)
    at = 0
    while at < length:
        for piece in random.permutation(len(pieces())):
            pace = 2 ** (random.choice(SEMITONES) / 12)
            played = soxr.resample(pieces()[piece], RATE * pace, RATE, quality="QQ")
            played[:FADE] *= np.linspace(0, 1, FADE, dtype=np.float32)
            played[-FADE:] *= np.linspace(1, 0, FADE, dtype=np.float32)
            room = min(len(played), length - at)
            out[at : at + room] += played[:room]
            at += len(played) - FADE
            if at >= length:
                break
    return out
