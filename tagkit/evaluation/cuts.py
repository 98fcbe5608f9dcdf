"""Thresholds and what decisions by them are worth.

One for all tags by Youden's J, one for all by F1, one a tag by F1: each fitted on validation. And the
model's own, as its card has them. They are never fitted on the tracks that are scored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagkit import metrics
from tagkit.errors import DataError
from tagkit.evaluation import bootstrap
from tagkit.evaluation.figure import Figure, figure
from tagkit.evaluation.predictions import Predictions

PerTag = NDArray[np.float64]


class Cut(NamedTuple):
    """``thresholds`` (tags,) in the order of the predictions, and how they came about."""

    name: str  # youden, f1, per-tag or own
    thresholds: PerTag
    fitted_on: str


@dataclass(frozen=True)
class Decided:
    """What decisions by a cut are worth: ``counts`` and ``f1`` per tag (tags,), ``figures`` over all."""

    cut: Cut
    counts: metrics.Confusion
    f1: PerTag
    figures: Mapping[str, Figure]


def align(validation: Predictions, predictions: Predictions) -> Predictions:
    """Return ``validation`` with the tags of ``predictions``, in their order.

    Raises DataError where it lacks one, and where it is the predictions themselves.
    """
    missing = [name for name in predictions.outputs if name not in validation.outputs]
    if missing:
        raise DataError(
            f"the validation predictions lack {len(missing)} tags, the first {missing[0]!r}",
            hint="they must come from the same model and vocabulary",
        )
    aligned = validation.keep_tags([validation.outputs.index(name) for name in predictions.outputs])
    if np.array_equal(aligned.scores, predictions.scores):
        raise DataError(
            "the validation predictions are the ones to score",
            hint="thresholds fitted on the tracks that they are measured on say nothing",
        )
    return aligned


def fit(predictions: Predictions, validation: Predictions | None) -> list[Cut]:
    """Return the cuts that there are: three with ``validation``, and the model's own."""
    found = []
    if validation is not None:
        labels, scores = validation.labels, validation.scores
        every = np.ones(len(predictions.outputs))
        best = metrics.f1_threshold(labels, scores)
        each = metrics.per_tag_thresholds(labels, scores)
        # A tag that validation lacks gets what is best for all.
        each = np.where(np.isnan(each), best, each)
        where = f"{len(labels):,} validation tracks"
        found = [
            Cut("youden", metrics.youden_threshold(labels, scores) * every, where),
            Cut("f1", best * every, where),
            Cut("per-tag", each, where),
        ]
    if predictions.thresholds is not None:
        own = predictions.thresholds.astype(np.float64)
        found.append(Cut("own", own, "the model's card"))
    return found


def decide(
    predictions: Predictions,
    cut: Cut,
    weights: bootstrap.Weights | None = None,
    baseline: Decided | None = None,
) -> Decided:
    """Count and score the decisions; ``baseline``: those of popularity, to stand beside."""
    given = predictions.scores >= cut.thresholds
    counts = metrics.confusion(predictions.labels, given)
    values = _figures(counts)
    resampled: Mapping[str, PerTag] = {}
    if weights is not None:
        resampled = _figures(bootstrap.confusions(predictions.labels, given, weights))
    beside = {} if baseline is None else baseline.figures
    return Decided(
        cut,
        counts,
        metrics.f1(counts),
        {
            name: figure(
                float(value),
                resampled.get(name),
                beside[name].value if name in beside else None,
            )
            for name, value in values.items()
        },
    )


def _figures(counts: metrics.Confusion) -> dict[str, PerTag]:
    """Figures over all tags from counts (…, tags): one number, or one a resample."""
    pooled = counts.pooled()
    found = {"accuracy": metrics.accuracy(pooled)[..., 0]}
    for name in ("precision", "recall", "f1"):
        per_tag = getattr(metrics, name)
        found[f"{name}_macro"] = bootstrap.macro(per_tag(counts))
        found[f"{name}_micro"] = per_tag(pooled)[..., 0]
    return found
