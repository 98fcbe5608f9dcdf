"""Probabilities and thresholds of the tags that are labelled: Emotify's four genres, which are tags by name.

Its training artists' clips are of one genre in four each; among the tracks of MTG-Jamendo's official lists
some genres are rarer. So a clip that has the genre counts as much as the genre's share there, and all that
lack it as the rest: the probability is then that of a track from such a list. The feelings are no tags
(several words speak for each), and the prevalence of instruments in renders is our own doing: they are not
calibrated on.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import emotify
import numpy as np
from numpy.typing import NDArray

from tagkit.vocab import Tag, canonical

BoolArray = NDArray[np.bool_]
EPSILON = 1e-6
NAMES = ("classical", "electronic", "pop", "rock")


def genres(shared: Path) -> tuple[list[Path], dict[Tag, BoolArray]]:
    """Return the clips of the training artists, and which of them are of each genre (clips,)."""
    clips = emotify.read(shared)
    paths = [
        shared / "music" / file
        for file, train in zip(clips.files, clips.train, strict=True)
        if train
    ]
    named = [target for target in clips.targets if target.kind == "genre"]
    return paths, {
        canonical(target.name): clips.labels[clips.train, clips.targets.index(target)]
        for target in named
    }


def platt(probabilities: NDArray[np.floating], has: BoolArray, share: float) -> tuple[float, float]:
    """Return (scale, shift) of ``sigmoid(scale · logit + shift)`` by logistic regression, in a world where
    ``share`` of the tracks have the tag.

    J. Platt, "Probabilistic outputs for support vector machines", 1999, without his smoothed targets.
    Raises ValueError where the probabilities fall as the labels rise.
    """
    from sklearn.linear_model import LogisticRegression

    kept = np.clip(probabilities.astype(np.float64), EPSILON, 1 - EPSILON)
    logits = np.log(kept / (1 - kept))[:, None]
    fitted = LogisticRegression().fit(logits, has, sample_weight=weights(has, share))
    scale, shift = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    if scale <= 0:
        raise ValueError(f"a calibration with the scale {scale:.3f} would turn the order around")
    return scale, shift


def best_f1(probabilities: NDArray[np.floating], has: BoolArray, share: float) -> float:
    """Return the threshold with the largest F1 in a world where ``share`` of the tracks have the tag."""
    from sklearn.metrics import precision_recall_curve

    precision, recall, cuts = precision_recall_curve(
        has, probabilities, sample_weight=weights(has, share)
    )
    both = precision[:-1] + recall[:-1]
    f1 = 2 * precision[:-1] * recall[:-1] / np.where(both > 0, both, 1)
    return float(cuts[np.argmax(f1)])


def weights(has: BoolArray, share: float) -> NDArray[np.float64]:
    """Return how much each clip counts, as many as there are in all."""
    each: NDArray[np.float64] = np.where(has, share / has.mean(), (1 - share) / (1 - has.mean()))
    return each


def calibration(
    said: NDArray[np.floating],
    tags: tuple[Tag, ...],
    labels: Mapping[Tag, BoolArray],
    shares: Mapping[Tag, float],
) -> tuple[tuple[float, float], ...]:
    """Return a member's calibration, one a tag, from what it says (clips, tags) of the labelled clips;
    ``(1, 0)`` for those without labels."""
    pairs = []
    for column, tag in enumerate(tags):
        if tag in labels:
            scale, shift = platt(said[:, column], labels[tag], shares[tag])
            pairs.append((round(scale, 4), round(shift, 4)))
        else:
            pairs.append((1.0, 0.0))
    return tuple(pairs)
