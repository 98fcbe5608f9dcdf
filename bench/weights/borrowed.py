"""How much artist and album say, borrowed: fitted on predictions for MTG-Jamendo, not on the students'.

No music with albums is at hand that the students could be fitted on. The focal-loss paper's published
predictions (SHARED/predictions/usc-sail-2020) are of MTG-Jamendo's validation tracks, whose artists and
albums the split file tells. On them the best shares leave nothing to the track itself, for its labels are
given album by album; in a library a track is to be heard too, so at least half is its own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tagkit.inference import context
from tagkit.inference.context import Fitted
from tagkit.vocab import VOCABULARIES, canonical

LOSSES = ("bce", "focal_loss", "cb_focal_loss", "db_focal_loss")
OWN = 0.5


def fit(shared: Path) -> Fitted:
    """Return the best shares that leave :data:`OWN` to the track, and what they are worth there.

    Raises ValueError where the split file is not of the predictions' tracks.
    """
    folder = shared / "predictions" / "usc-sail-2020"
    said = folder / "all_training_data" / "standard_sampling" / "validation"
    members = [np.load(said / f"{loss}_predictions.npy", allow_pickle=False) for loss in LOSSES]
    labels = np.load(folder / "validation_ground_truth.npy", allow_pickle=False).astype(bool)
    splits = shared / "datasets" / "mtg-jamendo" / "splits" / "split-0"
    lines = (
        (splits / "autotagging_moodtheme-validation.tsv").read_text(encoding="utf-8").splitlines()
    )
    rows = [line.split("\t") for line in lines[1:]]
    outputs = VOCABULARIES["jamendo-moodtheme56"]
    if not np.array_equal([[output in row[5:] for output in outputs] for row in rows], labels):
        raise ValueError("autotagging_moodtheme-validation.tsv labels other tracks")
    return context.fit(
        np.mean(members, 0),
        labels,
        [canonical(output) for output in outputs],
        [row[1] for row in rows],
        [row[2] for row in rows],
        candidates=[shares for shares in context.grid(20) if shares.own >= OWN - 1e-9],
    )
