"""Metrics equal the published figures, scikit-learn's, and values worked by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from tagkit import metrics
from tests.shared import shared

USC = "predictions/usc-sail-2020"
SETS = (
    "all_training_data/standard_sampling/test",
    "all_training_data/standard_sampling/validation",
    "all_training_data/class_aware_resampling/test",
    "jamendo_only/standard_sampling/test",
)
LOSSES = ("bce", "focal_loss", "cb_focal_loss", "db_focal_loss")


def published(folder: str, loss: str) -> tuple[np.ndarray, np.ndarray]:
    labels = np.load(shared(f"{USC}/{folder.rsplit('/', 1)[1]}_ground_truth.npy")) == 1
    names = LOSSES if loss == "ENS(mean4)" else (loss,)
    scores = [np.load(shared(f"{USC}/{folder}/{name}_predictions.npy")) for name in names]
    return labels, np.mean(scores, axis=0, dtype=np.float64)


@pytest.mark.parametrize("folder", SETS)
@pytest.mark.parametrize("loss", ["bce", "ENS(mean4)"])
def test_figures_of_the_published_predictions(folder: str, loss: str) -> None:
    golden = json.loads(shared("golden/metrics_usc.json").read_text())[f"{folder}/{loss}"]
    labels, scores = published(folder, loss)
    precision, roc = metrics.average_precision(labels, scores), metrics.roc_auc(labels, scores)
    np.testing.assert_allclose(precision, golden["apv"], atol=1e-6)
    np.testing.assert_allclose(roc, golden["rocv"], atol=1e-6)
    assert metrics.macro(precision) == pytest.approx(golden["ap"], abs=1e-6)
    assert metrics.macro(roc) == pytest.approx(golden["roc"], abs=1e-6)
    trapezoid = metrics.macro(metrics.trapezoidal_pr_auc(labels, scores))
    assert trapezoid == pytest.approx(golden["trap"], abs=1e-6)
    micro = metrics.micro(metrics.average_precision, labels, scores)
    assert micro == pytest.approx(golden["apm"], abs=1e-6)
    assert metrics.micro(metrics.roc_auc, labels, scores) == pytest.approx(golden["rocm"], abs=1e-6)


def test_the_popularity_baseline_is_chance() -> None:
    labels = np.load(shared(f"{USC}/test_ground_truth.npy")) == 1
    constant = np.tile(labels.mean(0), (len(labels), 1))
    assert metrics.macro(metrics.roc_auc(labels, constant)) == 0.5
    chance = metrics.macro(metrics.average_precision(labels, constant))
    assert chance == pytest.approx(0.031924, abs=1e-6)


#: Three tags on six tracks: one worked by hand, one that no track has, one that every track has.
LABELS = np.array([[1, 0, 1], [0, 0, 1], [1, 0, 1], [0, 0, 1], [0, 0, 1], [1, 0, 1]], bool)
SCORES = np.array([0.9, 0.8, 0.7, 0.3, 0.2, 0.3])[:, None].repeat(3, 1)


def test_values_worked_by_hand() -> None:
    # Positives at .9, .7, .3; negatives at .8, .3, .2: 3 + 2 + 1.5 of 9 pairs are in order.
    assert metrics.roc_auc(LABELS, SCORES)[0] == pytest.approx(6.5 / 9)
    # Precision at the positives: 1/1, 2/3 and, two tied at .3, 3/5.
    assert metrics.average_precision(LABELS, SCORES)[0] == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    counts = metrics.confusion(LABELS, SCORES >= 0.7)
    assert [int(part[0]) for part in counts] == [2, 1, 1, 2]
    assert metrics.precision(counts)[0] == metrics.recall(counts)[0] == pytest.approx(2 / 3)
    assert metrics.f1(counts)[0] == metrics.accuracy(counts)[0] == pytest.approx(2 / 3)
    # F1 is 2/3 at .7 and 6/8 at .3.
    assert metrics.per_tag_thresholds(LABELS, SCORES)[0] == 0.3
    # Positives at .9, .8, .3, negatives at .7, .6, .2. At .8: J is 2/3, F1 4/5; at .3: 1/3 and 3/4.
    labels = np.array([[1, 1, 0, 0, 1, 0]], bool).T
    scores = np.array([[0.9, 0.8, 0.7, 0.6, 0.3, 0.2]]).T
    assert metrics.youden_threshold(labels, scores) == 0.8
    assert metrics.f1_threshold(labels, scores) == 0.8


def test_what_a_tag_leaves_undefined_is_nan_and_left_out_of_the_mean() -> None:
    roc, precision = metrics.roc_auc(LABELS, SCORES), metrics.average_precision(LABELS, SCORES)
    assert np.isnan(roc).tolist() == [False, True, True]
    assert np.isnan(precision).tolist() == [False, True, False]
    assert np.isnan(metrics.per_tag_thresholds(LABELS, SCORES)).tolist() == [False, True, False]
    counts = metrics.confusion(LABELS, SCORES >= 2)
    for figure in (metrics.precision, metrics.recall, metrics.f1):
        assert np.array_equal(figure(counts), [0, np.nan, 0], equal_nan=True)
    assert (metrics.macro(roc), metrics.defined(roc)) == (pytest.approx(6.5 / 9), 1)
    assert np.isnan(metrics.macro(roc[1:]))
    nothing = np.zeros((4, 2), bool)
    assert np.isnan(metrics.youden_threshold(nothing, np.ones((4, 2))))
    assert np.isnan(metrics.f1_threshold(nothing, np.ones((4, 2))))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), tracks=st.integers(2, 40), levels=st.integers(1, 30))
def test_as_scikit_learn_says(seed: int, tracks: int, levels: int) -> None:
    random = np.random.default_rng(seed)
    labels = random.random((tracks, 3)) < 0.4
    labels[0], labels[1] = True, False
    scores = random.integers(0, levels, (tracks, 3)) / 30
    decided = scores >= 0.5
    counts = metrics.confusion(labels, decided)
    kind = {"average": None, "zero_division": 0}
    p, r, f, _ = sk.precision_recall_fscore_support(labels, decided, **kind)
    for ours, theirs in ((metrics.precision, p), (metrics.recall, r), (metrics.f1, f)):
        np.testing.assert_allclose(ours(counts), theirs)
    pooled = counts.pooled()
    assert metrics.f1(pooled)[0] == pytest.approx(
        sk.f1_score(labels, decided, average="micro", zero_division=0)
    )
    assert metrics.accuracy(pooled)[0] == pytest.approx((labels == decided).mean())
    each = metrics.f1(
        metrics.confusion(labels, scores >= metrics.per_tag_thresholds(labels, scores))
    )
    for cut in np.unique(scores):
        assert (each >= metrics.f1(metrics.confusion(labels, scores >= cut)) - 1e-12).all()


def test_youdens_threshold_is_the_best_of_all() -> None:
    labels, scores = published(SETS[0], "bce")
    labels, scores = labels[:300], scores[:300]

    def index(cut: float) -> float:
        tp, fp, fn, tn = (
            int(part[0]) for part in metrics.confusion(labels, scores >= cut).pooled()
        )
        return tp / (tp + fn) - fp / (fp + tn)

    best = index(metrics.youden_threshold(labels, scores))
    others = [index(cut) for cut in np.quantile(scores, np.linspace(0, 1, 99))]
    assert max(others) <= best + 1e-12 and max(others) > best - 0.02


def test_calibration_by_hand() -> None:
    scores = np.array([[0.1], [0.1], [0.9], [0.9]])
    labels = np.array([[0], [1], [1], [1]], bool)
    # Two at .1 with a half right: .4 off; two at .9, all right: .1 off.
    for adaptive in (False, True):
        found = metrics.expected_calibration_error(labels, scores, bins=2, adaptive=adaptive)
        np.testing.assert_allclose(found, [0.25])
    bins = metrics.reliability(labels, scores, bins=10)
    np.testing.assert_allclose(bins.score, [0.1, 0.9])
    np.testing.assert_allclose(bins.share, [0.5, 1.0])
    assert bins.entries.tolist() == [2, 2]


def test_adaptive_bins_look_where_the_scores_are() -> None:
    random = np.random.default_rng(0)
    scores = random.beta(1, 40, (5000, 1))
    labels = random.random((5000, 1)) < scores
    assert metrics.expected_calibration_error(labels, scores, adaptive=True)[0] < 0.01
    assert len(metrics.reliability(labels, scores, adaptive=True).entries) == 15
    assert len(metrics.reliability(labels, scores).entries) < 8
    np.testing.assert_allclose(
        metrics.micro(metrics.expected_calibration_error, labels, scores / 2),
        scores.mean() / 2,
        atol=0.01,
    )
