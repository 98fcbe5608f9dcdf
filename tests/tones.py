"""A dataset that anything can learn in seconds: a tag is a tone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile

from tagkit.data.dataset import Dataset
from tagkit.data.manifest import read

TONES = {"happy": 400.0, "sad": 900.0, "piano": 2200.0}
SPLITS = {"train": 24, "validation": 8, "test": 8}
RATE = 16000

#: A recipe that trains on it within a second or two, after the imports.
RECIPE = """
name = "tones"
architecture = "mel_tcn"
[arguments]
channels = 4
dense = 8
[front_end]
chunk_samples = 8000
[train]
batch = 8
epochs = 3
learning_rate = 3e-3
validation_windows = 2
windows = 2
"""


def write(root: Path, splits: Mapping[str, int] = SPLITS, seed: int = 0) -> Dataset:
    """Write 0.75 s files with one to three tones each, and their manifest; return the dataset."""
    random = np.random.default_rng(seed)
    root.mkdir(parents=True, exist_ok=True)
    time = np.arange(int(0.75 * RATE)) / RATE
    lines = ["path,tags,split"]
    for split, count in splits.items():
        for number in range(count):
            tags = [tag for tag in TONES if random.random() < 0.5] or ["piano"]
            sound = random.normal(0, 0.01, len(time))
            for tag in tags:
                sound += 0.1 * np.sin(2 * np.pi * (TONES[tag] * time + random.random()))
            name = f"{split}{number}.wav"
            soundfile.write(root / name, sound.astype(np.float32), RATE)
            lines.append(f"{name},{';'.join(tags)},{split}")
    (root / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read(root)
