"""Lines played with recorded single notes of real instruments: ``SHARED/music/philharmonia``.

Each file strings an instrument's notes together with 0.2 s of silence. The notes are cut apart, their pitch
is estimated, and a part is played with the nearest of them, tuned by resampling. A note is in one split only.
"""

from __future__ import annotations

import functools
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from score import Note
from synth import RATE, FloatArray

#: Which voice of general_midi.py has an instrument's tags and roles.
VOICES = {
    "banjo": "banjo",
    "bass_clarinet": "clarinet",
    "bassoon": "bassoon",
    "cello": "cello",
    "clarinet": "clarinet",
    "contrabassoon": "bassoon",
    "cor_anglais": "English horn",
    "double_bass": "contrabass",
    "flute": "flute",
    "french_horn": "French horn",
    "guitar": "steel guitar",
    "mandolin": "banjo",
    "oboe": "oboe",
    "saxophone": "alto saxophone",
    "trombone": "trombone",
}
LICENCE = "free, not to be passed on as samples"
STEP = 160  #: samples of a step in which silence is looked for: 10 ms
SILENCE = 3e-4  #: peak; the codec's own noise is below
GAP = 12  #: steps
RELEASE = 800  #: samples of a note's fade out
TUNE = 3.0  #: semitones a note may be moved
BLOCK = 4096


class Sample(NamedTuple):
    """``pitch``: MIDI pitch, with its cents."""

    pitch: float
    sound: FloatArray


def samples(path: Path, split: str) -> list[Sample]:
    """Return a split's notes: of six, one is for the validation part."""
    validation = split == "validation"
    return [note for i, note in enumerate(_all(path)) if (i % 6 == 0) == validation]


@functools.lru_cache(maxsize=1)
def _all(path: Path) -> list[Sample]:
    sound, _ = soundfile.read(path, dtype="float32")
    pitched = ((pitch(note), note) for note in apart(sound))
    return [Sample(found, note) for found, note in pitched if found is not None]


def apart(sound: FloatArray) -> list[FloatArray]:
    """Return the notes between silences of at least 0.12 s, those of 0.15 s and more."""
    steps = np.abs(sound[: len(sound) // STEP * STEP].reshape(-1, STEP)).max(1) > SILENCE
    edges = np.flatnonzero(np.diff(np.concatenate([[0], steps.astype(np.int8), [0]])))
    runs = edges.reshape(-1, 2).tolist()
    merged: list[list[int]] = []
    for start, end in runs:
        if merged and start - merged[-1][1] < GAP:
            merged[-1][1] = end
        else:
            merged.append([start, end])
    return [sound[a * STEP : b * STEP] for a, b in merged if (b - a) * STEP >= 0.15 * RATE]


def pitch(note: FloatArray) -> float | None:
    """Return the pitch of a note's loudest quarter second by autocorrelation; None where there is none."""
    energy = np.concatenate([[0.0], np.cumsum(note.astype(np.float64) ** 2)])
    start = int(np.argmax(energy[BLOCK:] - energy[:-BLOCK])) if len(note) > BLOCK else 0
    block = note[start : start + BLOCK] - note.mean()
    spectrum = np.abs(np.fft.rfft(block, 4 * BLOCK)) ** 2
    lags: npt.NDArray[np.float64] = np.fft.irfft(spectrum)[:640]
    # A lag hears ever less of the block: undo that.
    lags /= lags[0] * np.maximum(0.1, 1 - np.arange(640) / len(block))
    inner = (lags[1:-1] > lags[:-2]) & (lags[1:-1] >= lags[2:])
    peaks = [lag for lag in np.flatnonzero(inner) + 1 if lag >= 7]
    best = max((lags[lag] for lag in peaks), default=0.0)
    if best < 0.5:
        return None
    lag = next(lag for lag in peaks if lags[lag] > 0.9 * best)
    before, here, after = lags[lag - 1 : lag + 2]
    period = lag + 0.5 * (before - after) / (before - 2 * here + after)
    return float(69 + 12 * np.log2(RATE / period / 440))


def play(notes: list[Note], bpm: float, found: list[Sample], random: Random) -> FloatArray:
    """Return the notes (times in beats) played with the samples, overlapping a little."""
    second = 60 / bpm * RATE
    end = max(note.start + note.length for note in notes)
    out = np.zeros(int(end * second) + RATE, np.float32)
    for note in notes:
        chosen, shift = _nearest(note.pitch, found, random)
        tuned = _tuned(chosen.sound, shift)[: int(note.length * second) + RELEASE]
        tuned = tuned * np.float32(note.velocity / 127 / max(1e-3, np.abs(tuned).max()))
        tail = min(RELEASE, len(tuned))
        tuned[-tail:] *= np.linspace(1, 0, tail, dtype=np.float32)
        start = int(note.start * second)
        part = out[start : start + len(tuned)]
        part += tuned[: len(part)]
    return out


def _nearest(wanted: int, found: list[Sample], random: Random) -> tuple[Sample, float]:
    """Return one of the samples nearest in pitch class and register, and by how much to move it."""
    near = sorted(found, key=lambda sample: abs(sample.pitch - wanted))[:3]
    sample = random.choice(near)
    shift = wanted - sample.pitch
    return sample, shift if abs(shift) <= TUNE else (shift + 6) % 12 - 6


def _tuned(sound: FloatArray, semitones: float) -> FloatArray:
    if abs(semitones) < 0.1:
        return sound.copy()
    rate = RATE * 2 ** (semitones / 12)
    return np.asarray(soxr.resample(sound, rate, RATE, quality="QQ"), np.float32)
