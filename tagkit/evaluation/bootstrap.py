"""How far figures would move with other artists: the bootstrap, by artist.

Tracks by one artist are alike, so tracks are not independent draws: artists are resampled, each with
all its tracks (Efron & Tibshirani, "An introduction to the bootstrap", 1993, chapter 8). A resample is
a weight for every track: how often its artist was drawn. Weighted figures then need one sort a tag
for all resamples together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagkit import metrics

FloatArray = NDArray[np.float64]
Weights = NDArray[np.float32]  # (tracks, resamples), whole numbers: exact in float32

#: Values in one step's array: 64 MiB of float32.
_AT_ONCE = 1 << 24


class Resampled(NamedTuple):
    """Figures of each resample, NaN where one has no positive or no negative left."""

    roc_auc: FloatArray  # (resamples, tags)
    pr_auc: FloatArray
    micro_roc_auc: FloatArray  # (resamples,)
    micro_pr_auc: FloatArray


def weigh(artists: Sequence[str], resamples: int, seed: int = 0) -> Weights:
    """Return how often each resample holds each track. An artist "" is unknown: a group of its own."""
    groups = [artist or f"\0{row}" for row, artist in enumerate(artists)]
    names, member_of = np.unique(groups, return_inverse=True)
    random = np.random.default_rng(seed)
    drawn = random.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    weights: Weights = drawn.astype(np.float32).T[member_of]
    return weights


def resample(labels: metrics.Labels, scores: metrics.Scores, weights: Weights) -> Resampled:
    """Return macro and micro figures of (tracks, tags) arrays under every resample."""
    tracks, tags = labels.shape
    rows = np.arange(tracks)
    each = [
        _areas(present, column, rows, weights)
        for present, column in zip(labels.T, scores.T, strict=True)
    ]
    roc, precision = (np.stack(part, 1) for part in zip(*each, strict=True))
    pooled = _areas(labels.ravel(), scores.ravel(), np.repeat(rows, tags), weights)
    return Resampled(roc, precision, *pooled)


def confusions(
    labels: metrics.Labels, given: metrics.Labels, weights: Weights
) -> metrics.Confusion:
    """Return weighted counts (resamples, tags) of what decisions got right and wrong."""
    tp, given_in_all, present = (
        weights.T @ part.astype(np.float32) for part in (labels & given, given, labels)
    )
    total = weights.sum(0)[:, None]
    parts = (tp, given_in_all - tp, present - tp, total - given_in_all - present + tp)
    return metrics.Confusion(*(np.rint(part).astype(np.int64) for part in parts))


def macro(figures: FloatArray) -> FloatArray:
    """The mean over tags (…, tags) of each resample, over those that have the figure."""
    known = ~np.isnan(figures)
    sums, counts = np.where(known, figures, 0).sum(-1), known.sum(-1)
    means: FloatArray = np.divide(sums, counts, where=counts > 0, out=np.full(counts.shape, np.nan))
    return means


def interval(figures: FloatArray, level: float = 0.95) -> tuple[float, float]:
    """The percentile interval of a figure's resamples; NaN where no resample has it."""
    known = figures[~np.isnan(figures)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _areas(
    positive: metrics.Labels, score: metrics.Scores, rows: NDArray[np.int64], weights: Weights
) -> tuple[FloatArray, FloatArray]:
    """Weighted ROC-AUC and average precision (resamples,) of entries whose weights are in ``rows``.

    Between two scores that some positive has, only the sum of the weights matters: with few positives,
    few sums.
    """
    order = np.argsort(-score, kind="stable")
    score, positive, rows = score[order], positive[order], rows[order]
    starts = np.flatnonzero(np.concatenate([[True], score[1:] != score[:-1]]))
    ends = np.append(starts[1:], len(score))
    if not positive.any():
        nothing = np.full(weights.shape[1], np.nan)
        return nothing, nothing
    held = np.add.reduceat(positive, starts, dtype=np.int64)
    ties = _Ties(starts[held > 0], ends[held > 0], held[held > 0])
    found = [
        _areas_of(positive, rows, ties, weights[:, chunk])
        for chunk in _chunks(weights.shape[1], max(1, _AT_ONCE // len(score)))
    ]
    roc, precision = (np.concatenate(part) for part in zip(*found, strict=True))
    return roc, precision


class _Ties(NamedTuple):
    """Runs of equal scores that hold a positive: where they start and end, and how many they hold."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    positives: NDArray[np.int64]


def _areas_of(
    positive: metrics.Labels, rows: NDArray[np.int64], ties: _Ties, weights: Weights
) -> tuple[FloatArray, FloatArray]:
    cuts = np.unique(np.concatenate([[0], ties.starts, ties.ends]))
    inner = cuts[cuts < len(rows)]
    sums = np.add.reduceat(weights.take(rows, 0), inner, axis=0)
    before = np.zeros((len(inner) + 1, weights.shape[1]))  # the weight before each cut, and in all
    np.cumsum(sums, axis=0, out=before[1:])
    above = before[np.searchsorted(cuts, ties.starts)]
    through = before[np.searchsorted(cuts, ties.ends)]
    firsts = np.cumsum(ties.positives) - ties.positives
    hits = np.add.reduceat(weights.take(rows[positive], 0), firsts, axis=0).astype(np.float64)
    hits_through = np.cumsum(hits, axis=0)
    present = hits_through[-1]
    absent = before[-1] - present
    with np.errstate(invalid="ignore", divide="ignore"):
        # Nothing drawn so far: no hit either, and 0 counts.
        precision = np.where(through > 0, hits_through / through, 0)
        below = absent - (above - (hits_through - hits))  # negatives not above these scores
        tied = through - above - hits
        roc = (hits * (below - tied / 2)).sum(0) / (present * absent)
        return roc, (hits * precision).sum(0) / present


def _chunks(count: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, count, size))
