"""Predictions for tests of evaluation: made up, and the focal-loss paper's."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np

from tagkit.evaluation.predictions import Predictions
from tagkit.vocab import VOCABULARIES, canonical
from tests.shared import shared

#: Two moods, a theme, an instrument and a genre.
OUTPUTS = ("mood/theme---happy", "mood/theme---sad", "mood/theme---film", "piano", "rock")
LOSSES = ("bce", "focal_loss", "cb_focal_loss", "db_focal_loss")


def made_up(tracks: int = 120, seed: int = 0, *, signal: float = 1.0, **parts: Any) -> Predictions:
    """Predictions with ROC-AUC above chance by ``signal``; three tracks an artist.

    The same ``seed`` gives the same labels, whatever the signal.
    """
    random = np.random.default_rng(seed)
    labels = random.random((tracks, len(OUTPUTS))) < [0.5, 0.3, 0.3, 0.2, 0.1]
    labels[:2] = [[True], [False]]
    logits = random.standard_normal(labels.shape) + signal * (labels - 0.5)
    whole: dict[str, Any] = {
        "scores": 1 / (1 + np.exp(-logits)),
        "labels": labels,
        "outputs": OUTPUTS,
        "tags": tuple(canonical(output) for output in OUTPUTS),
        "ids": tuple(f"{seed}-{track}" for track in range(tracks)),
        "artists": tuple(f"artist {track // 3}" for track in range(tracks)),
        "albums": ("",) * tracks,
        "name": f"model-{signal:g}",
    }
    return Predictions(**(whole | parts))


@cache
def published(split: str) -> Predictions:
    """The focal-loss paper's ensemble on MTG-Jamendo's "test" or "validation", with artists and counts."""
    folder = shared("predictions/usc-sail-2020")
    names = [
        f"all_training_data/standard_sampling/{split}/{loss}_predictions.npy" for loss in LOSSES
    ]
    table = shared(
        f"datasets/mtg-jamendo/splits/split-0/autotagging_moodtheme-{split}.tsv"
    ).read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines()[1:]]
    counts = json.loads(shared("golden/mood_tag_counts.json").read_text())
    outputs = VOCABULARIES["jamendo-moodtheme56"]
    return Predictions(
        scores=np.mean([np.load(folder / name) for name in names], axis=0, dtype=np.float64),
        labels=np.load(folder / f"{split}_ground_truth.npy") == 1,
        outputs=outputs,
        tags=tuple(canonical(output) for output in outputs),
        ids=tuple(row[0] for row in rows),
        artists=tuple(row[1] for row in rows),
        albums=tuple(row[2] for row in rows),
        name="focal-paper",
        train_counts=np.array(counts["train_count_jamendo_plus_m4a"]),
    )
