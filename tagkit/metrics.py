"""Figures of merit as functions: arrays in, arrays or floats out.

Everywhere ``labels`` (tracks, tags) say which tags a track has, 0 or 1, and ``scores`` (tracks, tags)
how strongly a model says so. A figure *per tag* is an array (tags,), with NaN where the tag leaves it
undefined: a tag without a positive has no recall, one without a negative no ROC curve. Of such an
array:

- :func:`macro` is the mean over the tags that have it, :func:`defined` says how many do;
- :func:`micro` pools all entries of the matrix into one tag first.

A threshold gives a tag from itself on: ``scores >= threshold``. scikit-learn is the reference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.bool_]
Scores = NDArray[np.floating]
PerTag = NDArray[np.float64]


def roc_auc(labels: Labels, scores: Scores) -> PerTag:
    """Area under the ROC curve per tag: how often a positive scores above a negative, ties half."""
    from sklearn.metrics import roc_auc_score

    return _per_tag(roc_auc_score, labels, scores, negatives=True)


def average_precision(labels: Labels, scores: Scores) -> PerTag:
    """Average precision per tag, Σ (Rₙ − Rₙ₋₁) Pₙ: what MTG-Jamendo and MediaEval call PR-AUC."""
    from sklearn.metrics import average_precision_score

    return _per_tag(average_precision_score, labels, scores)


def trapezoidal_pr_auc(labels: Labels, scores: Scores) -> PerTag:
    """Area under the precision-recall curve by the trapezoidal rule, per tag.

    Some published PR-AUCs are this. It interpolates between points that no threshold reaches, so it is
    not :func:`average_precision`, and neither bounds the other.
    """
    from sklearn.metrics import auc, precision_recall_curve

    def area(positive: Labels, column: Scores) -> float:
        precision, recall, _ = precision_recall_curve(positive, column)
        return float(auc(recall, precision))

    return _per_tag(area, labels, scores)


def _per_tag(
    figure: Callable[[Labels, Scores], float],
    labels: Labels,
    scores: Scores,
    *,
    negatives: bool = False,
) -> PerTag:
    labels = np.asarray(labels, bool)
    found = np.full(labels.shape[1], np.nan)
    for tag, positive in enumerate(labels.T):
        if positive.any() and not (negatives and positive.all()):
            found[tag] = figure(positive, scores[:, tag])
    return found


def macro(per_tag: NDArray[np.floating]) -> float:
    """The mean over the tags that have the figure; NaN where none has."""
    known = per_tag[~np.isnan(per_tag)]
    return float(known.mean()) if len(known) else float("nan")


def defined(per_tag: NDArray[np.floating]) -> int:
    """How many tags have the figure."""
    return int((~np.isnan(per_tag)).sum())


def micro(figure: Callable[[Labels, Scores], PerTag], labels: Labels, scores: Scores) -> float:
    """A figure of the whole matrix as if it were one tag, such as ``micro(roc_auc, labels, scores)``."""
    return float(figure(labels.reshape(-1, 1), scores.reshape(-1, 1))[0])


class Confusion(NamedTuple):
    """Per tag (tags,): tracks that have and get it, get it only, have it only, do neither."""

    tp: NDArray[np.int64]
    fp: NDArray[np.int64]
    fn: NDArray[np.int64]
    tn: NDArray[np.int64]

    def pooled(self) -> Confusion:
        """All tags as one, for micro figures."""
        return Confusion(*(part.sum(-1, keepdims=True) for part in self))


def confusion(labels: Labels, given: Labels) -> Confusion:
    """Count per tag what ``given`` (tracks, tags), the decisions, got right and wrong."""
    labels, given = np.asarray(labels, bool), np.asarray(given, bool)
    tp, fp, fn = ((a & b).sum(0) for a, b in ((labels, given), (~labels, given), (labels, ~given)))
    return Confusion(tp, fp, fn, len(labels) - tp - fp - fn)


def precision(counts: Confusion) -> PerTag:
    """tp / (tp + fp); 0 for a tag that was never given, NaN for one that no track has."""
    return _where_positive(counts, counts.tp, counts.tp + counts.fp)


def recall(counts: Confusion) -> PerTag:
    """tp / (tp + fn); NaN for a tag that no track has."""
    return _where_positive(counts, counts.tp, counts.tp + counts.fn)


def f1(counts: Confusion) -> PerTag:
    """2 tp / (2 tp + fp + fn); NaN for a tag that no track has."""
    return _where_positive(counts, 2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn)


def accuracy(counts: Confusion) -> PerTag:
    """(tp + tn) / tracks: the share of right decisions, element by element. With rare tags, giving
    none at all scores high."""
    total = counts.tp + counts.fp + counts.fn + counts.tn
    return np.asarray((counts.tp + counts.tn) / np.maximum(total, 1), np.float64)


def _where_positive(
    counts: Confusion, above: NDArray[np.int64], below: NDArray[np.int64]
) -> PerTag:
    ratio = above / np.maximum(below, 1)
    return np.where(counts.tp + counts.fn > 0, ratio, np.nan)


def youden_threshold(labels: Labels, scores: Scores) -> float:
    """The one threshold for all tags with the largest J = recall − false positive rate, pooled.

    W. J. Youden, "Index for rating diagnostic tests", Cancer 3, 1950. NaN without both kinds of label.
    """
    from sklearn.metrics import roc_curve

    pooled = np.asarray(labels, bool).ravel()
    if not pooled.any() or pooled.all():
        return float("nan")
    fallout, hits, thresholds = roc_curve(pooled, scores.ravel())
    return float(thresholds[np.argmax(hits - fallout)])


def f1_threshold(labels: Labels, scores: Scores) -> float:
    """The one threshold for all tags with the largest pooled F1; NaN without a positive."""
    pooled = np.asarray(labels, bool).ravel()
    return _best_f1(pooled, scores.ravel()) if pooled.any() else float("nan")


def per_tag_thresholds(labels: Labels, scores: Scores) -> PerTag:
    """Each tag's threshold (tags,) with the largest F1; NaN for a tag without a positive."""
    return _per_tag(_best_f1, labels, scores)


def _best_f1(positive: Labels, column: Scores) -> float:
    from sklearn.metrics import precision_recall_curve

    precision, recall, thresholds = precision_recall_curve(positive, column)
    both = precision[:-1] + recall[:-1]
    # Where both are 0, so is their product: F1 is 0.
    best = 2 * precision[:-1] * recall[:-1] / np.where(both > 0, both, 1)
    return float(thresholds[np.argmax(best)])


class Reliability(NamedTuple):
    """Of each bin of scores that is not empty: the mean score, the share of positives, the entries."""

    score: PerTag
    share: PerTag
    entries: NDArray[np.int64]


def reliability(
    labels: Labels, scores: Scores, *, bins: int = 15, adaptive: bool = False
) -> Reliability:
    """Sort all entries of both arrays, of any equal shape, into bins of their score in [0, 1].

    Bins of equal width, or with ``adaptive`` of equal numbers of entries (equal scores stay together).
    Most scores of a tagger lie near 0: adaptive bins look there, bins of equal width also at the few
    high scores, which decide.
    """
    flat, positive = np.asarray(scores, np.float64).ravel(), np.asarray(labels, bool).ravel()
    edges = np.linspace(0, 1, bins + 1)
    if adaptive and len(flat):
        edges = np.quantile(flat, edges)
    place = np.searchsorted(edges[1:-1], flat, side="right")
    entries = np.bincount(place, minlength=bins)
    full = entries > 0
    sums = np.bincount(place, flat, bins)[full], np.bincount(place, positive, bins)[full]
    return Reliability(sums[0] / entries[full], sums[1] / entries[full], entries[full])


def expected_calibration_error(
    labels: Labels, scores: Scores, *, bins: int = 15, adaptive: bool = False
) -> PerTag:
    """The mean distance, per tag, between a bin's mean score and its share of positives, by entries.

    Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015, for
    binary outcomes; bins as in :func:`reliability`. :func:`micro` pools it. Scores in [0, 1].
    """

    def error(positive: Labels, column: Scores) -> float:
        found = reliability(positive, column, bins=bins, adaptive=adaptive)
        gap = np.abs(found.score - found.share)
        return float(gap @ found.entries / found.entries.sum())

    columns = zip(np.asarray(labels, bool).T, scores.T, strict=True)
    return np.array([error(positive, column) for positive, column in columns])


def rank_correlation(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Spearman's ρ of each column of ``a`` and ``b``, both (tracks, tags) → (tags,).

    Ties share their mean rank. A column that is constant in either has no order: NaN.
    """
    from scipy.stats import rankdata

    x, y = (rankdata(v, axis=0) - (len(v) + 1) / 2 for v in (a, b))
    norm = np.sqrt((x**2).sum(0) * (y**2).sum(0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(norm > 0, (x * y).sum(0) / norm, np.nan)
