"""Everything that ``tagkit eval`` says of one model, as plain values.

*Popularity* is the baseline that hears nothing: every track gets each tag's share of the training
tracks as its score. Its figures stand beside the model's: what is above them was heard.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tagkit.errors import DataError, UsageError
from tagkit.evaluation import bootstrap, cuts
from tagkit.evaluation.areas import Areas
from tagkit.evaluation.cuts import Decided
from tagkit.evaluation.figure import Figure
from tagkit.evaluation.predictions import Predictions
from tagkit.vocab import CATEGORIES

PerTag = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """``head``, ``tail``: a tag with more training tracks than ``head`` is head, one with at most
    ``tail`` is tail; 550 and 200 are the focal-loss paper's. ``resamples`` of the bootstrap, 0 for
    none. Raises UsageError."""

    head: int = 550
    tail: int = 200
    resamples: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.tail <= self.head:
            raise UsageError(
                f"head begins above {self.head} tracks, tail ends at {self.tail}",
                hint="the tail must not reach above the head",
            )
        if self.resamples < 0:
            raise UsageError(f"{self.resamples} resamples", hint="0 for none")


@dataclass(frozen=True)
class Group:
    """Some of the tags: ``columns``, of a ``kind``, "frequency" or "category"."""

    name: str
    kind: str
    columns: tuple[int, ...]
    figures: Mapping[str, Figure]


@dataclass(frozen=True)
class Scores:
    """``figures``: over all tags. ``tags``: figure → one a tag, in the predictions' order. ``decided``: one
    a way of choosing thresholds. ``notes``: what a reader must know beside the figures."""

    predictions: Predictions
    settings: Settings
    figures: Mapping[str, Figure]
    tags: Mapping[str, tuple[Figure, ...]]
    groups: tuple[Group, ...]
    decided: tuple[Decided, ...]
    notes: tuple[str, ...]

    def ranked(self, values: Sequence[float]) -> list[int]:
        """Tags (columns) from the best to the worst by ``values``, those with NaN left out."""
        known = [column for column, value in enumerate(values) if not np.isnan(value)]
        return sorted(known, key=lambda column: -values[column])


def score(
    predictions: Predictions,
    validation: Predictions | None = None,
    settings: Settings | None = None,
) -> Scores:
    """Score a model. ``validation``: what the same model says of other tracks, to fit thresholds on.

    Without it the model's own thresholds are used, or none. Raises DataError where no track has any of
    the tags, and where validation lacks a tag or is the same predictions again.
    """
    settings = settings or Settings()
    if not predictions.labels.any():
        raise DataError(
            "no scored track has any of the tags, so nothing can be measured",
            hint="do the labels belong to these tracks and tags?",
        )
    if validation is not None:
        validation = cuts.align(validation, predictions)
    shares, source = _shares(predictions, validation)
    weights = None
    if settings.resamples:
        weights = bootstrap.weigh(predictions.artists, settings.resamples, settings.seed)
    areas = Areas(predictions, popularity(predictions, shares), weights)
    return Scores(
        predictions=predictions,
        settings=settings,
        figures=areas.overall(),
        tags=areas.per_tag(),
        groups=tuple(_groups(predictions, settings, areas)),
        decided=tuple(_decided(predictions, validation, shares, weights)),
        notes=(*_notes(predictions, validation, weights), f"popularity: {source}"),
    )


def popularity(predictions: Predictions, shares: PerTag) -> Predictions:
    """The baseline's predictions for the same tracks: every row is ``shares`` (tags,)."""
    scores = np.tile(shares.astype(np.float32), (len(predictions.ids), 1))
    return replace(predictions, scores=scores, thresholds=None, name="popularity")


def _shares(predictions: Predictions, validation: Predictions | None) -> tuple[PerTag, str]:
    """How popular each tag is (tags,) in [0, 1], and by what. Only the order of tags matters."""
    if predictions.train_counts is not None:
        counts = predictions.train_counts.astype(np.float64)
        return counts / max(1.0, counts.max()), "counts in the training tracks"
    if validation is not None:
        return np.asarray(validation.labels.mean(0), np.float64), "shares of the validation tracks"
    return np.asarray(predictions.labels.mean(0), np.float64), "shares of the scored tracks"


def _decided(
    predictions: Predictions,
    validation: Predictions | None,
    shares: PerTag,
    weights: bootstrap.Weights | None,
) -> Iterator[Decided]:
    baseline = popularity(predictions, shares)
    theirs = cuts.fit(baseline, validation and popularity(validation, shares))
    beside = {cut.name: cuts.decide(baseline, cut) for cut in theirs}
    for cut in cuts.fit(predictions, validation):
        yield cuts.decide(predictions, cut, weights, beside.get(cut.name))


def _groups(predictions: Predictions, settings: Settings, areas: Areas) -> Iterator[Group]:
    counts = predictions.train_counts
    chosen: dict[tuple[str, str], NDArray[np.bool_]] = {}
    if counts is not None:
        head, tail = counts > settings.head, counts <= settings.tail
        parts = {"head": head, "middle": ~head & ~tail, "tail": tail}
        chosen |= {(name, "frequency"): mask for name, mask in parts.items()}
    for category in CATEGORIES:
        mask = np.array([tag.category == category for tag in predictions.tags])
        chosen[category, "category"] = mask
    for (name, kind), mask in chosen.items():
        columns = tuple(int(column) for column in np.flatnonzero(mask))
        if columns:
            yield Group(name, kind, columns, areas.means(columns))


def _notes(
    predictions: Predictions, validation: Predictions | None, weights: bootstrap.Weights | None
) -> Iterator[str]:
    present = predictions.labels.sum(0)
    for what, count in (("no", 0), ("every", len(predictions.labels))):
        if names := _named(predictions, present == count):
            yield f"tags that {what} track has, left out of means ({len(names)}): {_some(names)}"
    if validation is not None:
        if names := _named(predictions, validation.labels.sum(0) == 0):
            yield f"tags that no validation track has, cut where F1 is best ({len(names)}): {_some(names)}"
    else:
        yield "no validation predictions: thresholds are the model's own, or none"
    if predictions.train_counts is None:
        yield "no training counts: no head, middle and tail"
    if weights is not None:
        known = {artist for artist in predictions.artists if artist}
        unknown = sum(not artist for artist in predictions.artists)
        drawn = f"{len(known):,} artists" if known else ""
        if unknown:
            drawn += f"{' and ' if known else ''}{unknown:,} tracks without one, each its own"
        yield f"intervals: 95 %, {weights.shape[1]:,} resamples of {drawn}"


def _named(predictions: Predictions, mask: NDArray[np.bool_]) -> list[str]:
    return [predictions.outputs[column] for column in np.flatnonzero(mask)]


def _some(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (" …" if len(names) > most else "")
