"""A small library and a small model for tests that drive the command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from tagkit import models
from tagkit.features import LogMel
from tagkit.front_end import FrontEnd
from tagkit.vocab import canonical
from tagkit.weights import bundle
from tagkit.weights.card import Card
from tests import media

#: Tags of the small model; with a threshold of 0 it gives all of them, with 1 none.
TAGS = ("happy", "sad", "film", "piano", "pop", "vocals")


def small_model(
    path: Path,
    tags: Sequence[str] = TAGS,
    *,
    thresholds: Sequence[float] | None = (0.0,) * len(TAGS),
    seed: int = 0,
) -> Path:
    """A bundle with random weights that hears half a second."""
    front_end = FrontEnd(8000, sample_rate=16000, n_mels=32)
    torch.manual_seed(seed)
    model = models.build("ds_cnn", len(tags), stem=4, dense=8).eval()
    card = Card(
        name=path.stem,
        architecture="ds_cnn",
        arguments={"stem": 4, "dense": 8},
        front_end=front_end,
        tags=tuple(canonical(name) for name in tags),
        outputs=tuple(tags),
        thresholds=None if thresholds is None else tuple(thresholds),
        licence="CC0-1.0",
    )
    bundle.save(path, card, model, LogMel(front_end))
    return path


def fill(folder: Path, kinds: list[str], *, foreign: bool = False) -> list[Path]:
    """One file of each kind, named after it; each another recording."""
    paths = []
    for seed, kind in enumerate(kinds):
        path = folder / f"{kind}{media.KINDS[kind].suffix}"
        paths.append(media.make(path, kind, seconds=1.0, seed=seed, foreign=foreign))
    return paths


def run(home: Path, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run ``tagkit`` as a user would, with a home of its own; stdout and stderr are captured."""
    return subprocess.run(
        [sys.executable, "-m", "tagkit", *map(str, arguments)],
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=120,
        **options,
    )


def environment(home: Path) -> dict[str, str]:
    return {
        **os.environ,
        "HOME": str(home),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "120",
    }
