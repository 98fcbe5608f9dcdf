"""A dataset of made sound for bench/training.py: its files, and the cache that training reads, by the real way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from tagkit.data.dataset import Dataset, Track
from tagkit.vocab import VOCABULARIES, canonical

RATE = 16_000
#: Tags that a track has on average: those of MagnaTagATune's 50 most frequent ones.
TAGS_A_TRACK = 2.5


def dataset(folder: Path, tracks: int, seconds: float) -> Dataset:
    """Make ``tracks`` files that are not there yet; all but the last two are for training."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    outputs = VOCABULARIES["mtat-top50"]
    labels = random.random((tracks, len(outputs))) < TAGS_A_TRACK / len(outputs)
    labels[-2:] = [[True], [False]]  # a validation that tells something
    made = []
    for number, row in enumerate(labels):
        path = folder / f"{number:05}-{seconds:g}.wav"
        if not path.exists():
            soundfile.write(path, sound(number, seconds), RATE, "PCM_16")
        tags = frozenset(name for name, has in zip(outputs, row, strict=True) if has)
        split = "train" if number < tracks - 2 else "validation"
        made.append(Track(str(number), path.name, split, tags))
    meant = tuple(canonical(name, "mtat") for name in outputs)
    return Dataset("made sound", folder, outputs, meant, tuple(made))


def sound(seed: int, seconds: float) -> NDArray[np.float32]:
    """Decaying notes of a few partials over noise, so that a log-mel of it has the range of music's."""
    random = np.random.default_rng(seed)
    found = random.standard_normal(round(seconds * RATE)) * 0.003
    for start in np.arange(0, seconds, 0.4):
        first = round(start * RATE)
        times = np.arange(min(RATE // 2, len(found) - first)) / RATE
        pitch = 55 * 2 ** (random.integers(0, 48) / 12)
        for partial in range(1, 5):
            wave = np.sin(2 * np.pi * pitch * partial * times) * np.exp(-times * (2 + partial))
            found[first : first + len(times)] += 0.15 / partial * wave
    return np.clip(found, -1, 1).astype(np.float32)
