"""Short excerpts of long pieces: where to cut, and how they are written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from tagkit import audio

RATE = 16000
SECONDS = 45.0
#: Shorter pieces are effects and jingles.
SHORTEST = 25.0
#: From this length on, a piece is heard in two places.
LONG = 150.0
#: An RMS below this, in dB relative to full scale, is silence.
SILENCE = -50.0

Samples = npt.NDArray[np.float32]


def starts(seconds: float) -> list[float]:
    """Return where excerpts of a piece of ``seconds`` begin, in seconds; none if it is too short.

    A short piece has one, from its middle; a long one two, around 25 % and 65 % of it.
    """
    if seconds < SHORTEST:
        return []
    if seconds < LONG:
        return [max(0.0, (seconds - SECONDS) / 2)]
    return [share * seconds - SECONDS / 2 for share in (0.25, 0.65)]


def cut(samples: Samples) -> list[Samples]:
    """Return the excerpts of a piece: mono at ``RATE`` Hz, peaks turned down to 1, without silent ones."""
    found = []
    for start in starts(len(samples) / RATE):
        first = round(start * RATE)
        excerpt = samples[first : first + round(SECONDS * RATE)]
        if level(excerpt) >= SILENCE:
            found.append(bounded(excerpt))
    return found


def read(paths: Sequence[Path]) -> Samples:
    """Return a piece, mono at ``RATE`` Hz: the sum of its files. Raises AudioError."""
    tracks = [audio.read(path, RATE) for path in paths]
    total = np.zeros(max(map(len, tracks)), np.float32)
    for track in tracks:
        total[: len(track)] += track
    return total


def level(samples: Samples) -> float:
    """Return the RMS in dB relative to full scale."""
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-12))


def bounded(samples: Samples) -> Samples:
    """Return the samples with their peak turned down to 1 where it is above."""
    peak = float(np.abs(samples).max(initial=0.0))
    return samples / peak if peak > 1 else samples


def write(path: Path, samples: Samples) -> None:
    """Write a 16-bit FLAC; it is never there half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}")
    soundfile.write(half, np.clip(samples, -1, 32767 / 32768), RATE, "PCM_16", format="FLAC")
    half.replace(path)
