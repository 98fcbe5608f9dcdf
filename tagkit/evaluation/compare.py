"""Models side by side on the same tracks, and whether a difference would survive other artists.

The bootstrap is paired: each resample draws the same artists for every model, so what is hard about
an artist cancels out of the difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tagkit import metrics
from tagkit.errors import DataError
from tagkit.evaluation import bootstrap
from tagkit.evaluation.figure import Figure, figure
from tagkit.evaluation.predictions import Predictions
from tagkit.evaluation.scores import Settings


class Difference(NamedTuple):
    """This model's figure less the first model's, its 95 % interval, and in which share of the resamples
    it is above 0."""

    value: float
    low: float
    high: float
    better: float


@dataclass(frozen=True)
class Compared:
    """``figures`` as in :class:`~tagkit.evaluation.scores.Scores`; ``differences`` from the first model,
    none for the first itself."""

    name: str
    figures: Mapping[str, Figure]
    differences: Mapping[str, Difference]


@dataclass(frozen=True)
class Comparison:
    """``models`` in the order given, judged on ``outputs``, the tags that all of them have."""

    models: tuple[Compared, ...]
    outputs: tuple[str, ...]
    notes: tuple[str, ...]


def compare(
    given: Sequence[Predictions], settings: Settings | None = None, *, micro: bool = True
) -> Comparison:
    """Compare models, the first being what the others are measured against.

    ``micro``: also over all tags at once, which asks that one model's scores are alike from tag to
    tag, as ranks are not. Tracks are matched by id, tags by spelling; what not all models have is
    left out, and noted. Raises DataError where nothing is left, where ids repeat, and where labels differ.
    """
    settings = settings or Settings()
    if len(given) < 2:
        raise DataError("one model cannot be compared", hint="name at least two")
    shared, notes = _shared(given)
    weights = bootstrap.weigh(shared[0].artists, max(1, settings.resamples), settings.seed)
    judged = [_judge(predictions, weights, micro) for predictions in shared]
    first_values, first_draws = judged[0]
    models = []
    for number, (predictions, (values, draws)) in enumerate(zip(shared, judged, strict=True)):
        figures = {name: figure(value, draws[name]) for name, value in values.items()}
        differences = {
            name: _difference(value - first_values[name], draws[name] - first_draws[name])
            for name, value in values.items()
        }
        models.append(Compared(predictions.name, figures, differences if number else {}))
    return Comparison(tuple(models), shared[0].outputs, tuple(notes))


_Values = dict[str, float]
_Draws = dict[str, bootstrap.FloatArray]


def _judge(
    predictions: Predictions, weights: bootstrap.Weights, micro: bool
) -> tuple[_Values, _Draws]:
    labels, scores = predictions.labels, predictions.scores
    draws = bootstrap.resample(labels, scores, weights)
    precision, roc = metrics.average_precision, metrics.roc_auc
    found = {
        "pr_auc_macro": metrics.macro(precision(labels, scores)),
        "roc_auc_macro": metrics.macro(roc(labels, scores)),
    }
    drawn = {
        "pr_auc_macro": bootstrap.macro(draws.pr_auc),
        "roc_auc_macro": bootstrap.macro(draws.roc_auc),
    }
    if micro:
        found["pr_auc_micro"] = metrics.micro(precision, labels, scores)
        found["roc_auc_micro"] = metrics.micro(roc, labels, scores)
        drawn |= {"pr_auc_micro": draws.micro_pr_auc, "roc_auc_micro": draws.micro_roc_auc}
    return found, drawn


def _difference(value: float, draws: bootstrap.FloatArray) -> Difference:
    known = draws[~np.isnan(draws)]
    better = float((known > 0).mean()) if len(known) else float("nan")
    return Difference(value, *bootstrap.interval(draws), better)


def _shared(given: Sequence[Predictions]) -> tuple[list[Predictions], list[str]]:
    """The tracks and tags that all have, in the first one's order."""
    for predictions in given:
        if len(set(predictions.ids)) < len(predictions.ids):
            raise DataError(f"the predictions of {predictions.name} name a track twice")
    ids = _common([predictions.ids for predictions in given])
    outputs = _common([predictions.outputs for predictions in given])
    if not ids or not outputs:
        raise DataError(
            f"the models have {len(ids):,} tracks and {len(outputs)} tags in common",
            hint="compare predictions for one dataset",
        )
    shared = [
        predictions.keep_tracks(_places(predictions.ids, ids)).keep_tags(
            _places(predictions.outputs, outputs)
        )
        for predictions in given
    ]
    for predictions in shared[1:]:
        if not np.array_equal(predictions.labels, shared[0].labels):
            raise DataError(
                f"{predictions.name} was predicted beside other labels than {shared[0].name}",
                hint="compare predictions for one version of a dataset",
            )
    notes = []
    for what, common, part in (("tracks", ids, "ids"), ("tags", outputs, "outputs")):
        most = max(len(getattr(predictions, part)) for predictions in given)
        if len(common) < most:
            notes.append(f"on the {len(common):,} {what} that all have; some have {most:,}")
    return shared, notes


def _common(lists: Sequence[Sequence[str]]) -> list[str]:
    others = set(lists[0]).intersection(*lists[1:])
    return [name for name in lists[0] if name in others]


def _places(names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    where = {name: place for place, name in enumerate(names)}
    return [where[name] for name in wanted]
