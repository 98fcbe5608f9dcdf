"""The bootstrap's fast weighted figures are scikit-learn's, and its intervals hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from tagkit import metrics
from tagkit.errors import DataError
from tagkit.evaluation import bootstrap
from tagkit.evaluation.compare import compare
from tagkit.evaluation.scores import Settings
from tests.evaluation import made_up


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    tracks=st.integers(2, 30),
    levels=st.integers(1, 12),
    share=st.floats(0.05, 0.95),
)
def test_weighted_areas_are_scikit_learns(
    seed: int, tracks: int, levels: int, share: float
) -> None:
    random = np.random.default_rng(seed)
    labels = random.random((tracks, 2)) < share
    scores = random.integers(0, levels, (tracks, 2)) / 12
    weights = random.integers(0, 4, (tracks, 5)).astype(np.float32)
    found = bootstrap.resample(labels, scores, weights)
    for number in range(5):
        weight = weights[:, number]
        pooled = np.repeat(weight, 2)
        cases = [
            (
                labels[:, tag],
                scores[:, tag],
                weight,
                found.roc_auc[number, tag],
                found.pr_auc[number, tag],
            )
            for tag in range(2)
        ]
        cases.append((labels.ravel(), scores.ravel(), pooled, found.micro_roc_auc[number],
                      found.micro_pr_auc[number]))  # fmt: skip
        for truth, said, weigh, roc, precision in cases:
            present, absent = weigh[truth].sum() > 0, weigh[~truth].sum() > 0
            if present and absent:
                assert roc == pytest.approx(roc_auc_score(truth, said, sample_weight=weigh))
            else:
                assert np.isnan(roc)
            if present:
                expected = average_precision_score(truth, said, sample_weight=weigh)
                assert precision == pytest.approx(expected)
            else:
                assert np.isnan(precision)


def test_chunks_of_resamples_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    given = made_up()
    weights = bootstrap.weigh(given.artists, 20)
    whole = bootstrap.resample(given.labels, given.scores, weights)
    monkeypatch.setattr(bootstrap, "_AT_ONCE", 1)
    for one, other in zip(
        whole, bootstrap.resample(given.labels, given.scores, weights), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_an_artist_comes_with_all_tracks_or_with_none() -> None:
    artists = ["a", "b", "a", "", "", "c", "a"]
    weights = bootstrap.weigh(artists, 500, seed=3)
    assert np.array_equal(weights[0], weights[2]) and np.array_equal(weights[0], weights[6])
    assert not np.array_equal(weights[3], weights[4])  # unknown is not one artist
    groups = weights[[0, 1, 3, 4, 5]]
    assert (groups.sum(0) == 5).all()
    assert groups.mean(1) == pytest.approx(np.ones(5), abs=0.2)
    assert np.array_equal(weights, bootstrap.weigh(artists, 500, seed=3))
    assert not np.array_equal(weights, bootstrap.weigh(artists, 500, seed=4))


def test_weighted_counts_are_counts_of_repeated_tracks() -> None:
    given = made_up()
    weights = bootstrap.weigh(given.artists, 3)
    decided = given.scores >= 0.5
    found = bootstrap.confusions(given.labels, decided, weights)
    for number in range(3):
        rows = np.repeat(np.arange(len(given.ids)), weights[:, number].astype(int))
        expected = metrics.confusion(given.labels[rows], decided[rows])
        for part, wanted in zip(found, expected, strict=True):
            assert np.array_equal(part[number], wanted)


def test_intervals_are_wider_by_artist_than_by_track() -> None:
    """Thirty artists, ten tracks each that agree in label and score: thirty draws, not three hundred."""
    few = made_up(30)
    many = few.keep_tracks(np.repeat(np.arange(30), 10))
    widths = []
    for artists in ([f"{n}" for n in np.repeat(np.arange(30), 10)], [""] * 300):
        weights = bootstrap.weigh(artists, 300)
        low, high = bootstrap.interval(
            bootstrap.macro(bootstrap.resample(many.labels, many.scores, weights).roc_auc)
        )
        widths.append(high - low)
    assert widths[0] > 2 * widths[1]


def test_a_figure_without_any_resample_has_no_interval() -> None:
    assert all(np.isnan(bootstrap.interval(np.full(4, np.nan))))
    assert np.isnan(bootstrap.macro(np.full((2, 3), np.nan))).all()
    assert bootstrap.macro(np.array([[1.0, np.nan], [0.5, 0.0]])).tolist() == [1.0, 0.25]


def test_comparison_is_paired() -> None:
    good, better = made_up(signal=1.0), made_up(signal=1.3)
    found = compare([good, better, good], Settings(resamples=200))
    first, second, same = found.models
    assert not first.differences
    for name, difference in second.differences.items():
        assert difference.value == pytest.approx(
            second.figures[name].value - first.figures[name].value
        )
        assert difference.low > 0 and difference.better == 1.0
        # The two intervals overlap; what the artists share is not in the difference.
        assert second.figures[name].low is not None and first.figures[name].high is not None
        assert second.figures[name].low < first.figures[name].high
        assert same.differences[name] == (0.0, 0.0, 0.0, 0.0)


def test_what_is_compared_is_what_all_have() -> None:
    given = made_up()
    part = given.keep_tracks(np.arange(80)[::-1]).keep_tags([4, 0, 1])
    found = compare([given, part], Settings(resamples=5))
    assert found.outputs == (given.outputs[0], given.outputs[1], given.outputs[4])
    assert found.notes == (
        "on the 80 tracks that all have; some have 120",
        "on the 3 tags that all have; some have 5",
    )
    for difference in found.models[1].differences.values():
        assert difference.value == 0


def test_what_cannot_be_compared_is_said() -> None:
    one, other = made_up(), made_up(seed=1)
    with pytest.raises(DataError, match="0 tracks and 5 tags"):
        compare([one, other])
    with pytest.raises(DataError, match="other labels"):
        compare([one, made_up(labels=~one.labels)])
    with pytest.raises(DataError, match="a track twice"):
        compare([one.keep_tracks([0, 0, 1]), one])
    with pytest.raises(DataError, match="at least two"):
        compare([one])
