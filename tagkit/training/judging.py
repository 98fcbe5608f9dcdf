"""How good a network is on the validation tracks, and from which probability on its tags are given."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from tagkit import metrics
from tagkit.thresholds import DEFAULT_THRESHOLD


def figures(
    labels: NDArray[np.bool_],
    scores: NDArray[np.float32],
    loss: Callable[[NDArray[np.bool_], NDArray[np.float32]], float],
) -> dict[str, float]:
    """Return the figures a run may choose by: macro PR-AUC and ROC-AUC over the tags that have them,
    and the loss of the tracks' mean probabilities, all of them as one batch. Any may be NaN."""
    return {
        "pr_auc": metrics.macro(metrics.average_precision(labels, scores)),
        "roc_auc": metrics.macro(metrics.roc_auc(labels, scores)),
        "loss": loss(labels, scores) if np.isfinite(scores).all() else float("nan"),
    }


def known(found: Mapping[str, float]) -> dict[str, float]:
    """Return the figures that are numbers: a split may be too small to have them all."""
    return {name: value for name, value in found.items() if math.isfinite(value)}


def thresholds(labels: NDArray[np.bool_], scores: NDArray[np.float32]) -> tuple[float, ...]:
    """Return the threshold of each tag (tags,) with the best F1; 0.5 for one that no track has."""
    found = metrics.per_tag_thresholds(labels, scores)
    return tuple(float(cut) for cut in np.where(np.isnan(found), DEFAULT_THRESHOLD, found))
