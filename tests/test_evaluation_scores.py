"""Scores say what the papers' predictions are worth, and fit nothing on what they score."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tagkit import metrics
from tagkit.errors import DataError, UsageError
from tagkit.evaluation import record
from tagkit.evaluation.scores import Settings, popularity, score
from tests.evaluation import made_up, published

QUICK = Settings(resamples=0)


def test_the_published_ensemble() -> None:
    found = score(published("test"), published("validation"), QUICK)
    for name, value, chance in (
        ("pr_auc_macro", 0.160961, 0.031924),
        ("roc_auc_macro", 0.781229, 0.5),
    ):
        assert found.figures[name].value == pytest.approx(value, abs=1e-6)
        assert found.figures[name].popularity == pytest.approx(chance, abs=1e-6)
    groups = {group.name: group for group in found.groups}
    for name, tags, value in (
        ("head", 14, 0.18156),
        ("middle", 27, 0.17924),
        ("tail", 15, 0.10882),
    ):
        assert len(groups[name].columns) == tags
        assert groups[name].figures["pr_auc"].value == pytest.approx(value, abs=1e-5)
    assert {name for name, group in groups.items() if group.kind == "category"} == {"mood", "theme"}
    assert len(groups["mood"].columns) + len(groups["theme"].columns) == 56


def test_thresholds_come_from_validation_alone() -> None:
    test, validation = made_up(), made_up(seed=1)
    found = {cut.cut.name: cut for cut in score(test, validation, QUICK).decided}
    assert set(found) == {"youden", "f1", "per-tag"}
    labels, scores = validation.labels, validation.scores
    youden, best = metrics.youden_threshold(labels, scores), metrics.f1_threshold(labels, scores)
    assert (found["youden"].cut.thresholds == youden).all()
    assert (found["f1"].cut.thresholds == best).all()
    each = metrics.per_tag_thresholds(labels, scores)
    assert np.array_equal(found["per-tag"].cut.thresholds, each)
    # Other labels of the scored tracks move figures, not thresholds.
    other = score(replace(test, labels=~test.labels), validation, QUICK).decided
    for one, two in zip(found.values(), other, strict=True):
        assert np.array_equal(one.cut.thresholds, two.cut.thresholds)
        assert one.figures["f1_macro"].value != two.figures["f1_macro"].value
    with pytest.raises(DataError, match="the ones to score"):
        score(test, test, QUICK)


def test_without_validation_the_models_own_thresholds_count() -> None:
    plain = score(made_up(), None, QUICK)
    assert not plain.decided and any("no validation" in note for note in plain.notes)
    own = np.array([0.2, 0.4, 0.5, 0.6, 0.7], np.float32)
    (decided,) = score(made_up(thresholds=own), None, QUICK).decided
    assert decided.cut.name == "own" and np.allclose(decided.cut.thresholds, own)
    given = made_up().scores >= own
    counts = metrics.confusion(made_up().labels, given)
    assert all(np.array_equal(a, b) for a, b in zip(decided.counts, counts, strict=True))
    assert decided.figures["f1_macro"].value == pytest.approx(metrics.macro(metrics.f1(counts)))
    assert decided.figures["accuracy"].value == pytest.approx((given == made_up().labels).mean())


def test_popularity_stands_beside_every_decision() -> None:
    test, validation = made_up(), made_up(seed=1)
    found = score(test, validation, QUICK)
    shares = validation.labels.mean(0)
    assert "popularity: shares of the validation tracks" in found.notes
    baseline = popularity(test, shares)
    assert (baseline.scores == shares.astype(np.float32)).all()
    for decided in found.decided:
        assert all(of.popularity is not None for of in decided.figures.values())
    # By its own best threshold a constant gives a tag to every track, or to none.
    per_tag = next(d for d in found.decided if d.cut.name == "per-tag")
    assert per_tag.figures["recall_macro"].popularity == 1.0
    assert found.figures["roc_auc_macro"].popularity == 0.5
    assert found.figures["roc_auc_micro"].popularity == pytest.approx(
        metrics.micro(metrics.roc_auc, test.labels, baseline.scores)
    )


def test_tags_with_nothing_to_measure_are_left_out_and_named() -> None:
    labels = made_up().labels.copy()
    labels[:, 1], labels[:, 2] = False, True
    validation = made_up(seed=1)
    unseen = validation.labels.copy()
    unseen[:, 3] = False
    found = score(
        made_up(labels=labels), replace(validation, labels=unseen), Settings(resamples=20)
    )
    notes = " ".join(found.notes)
    assert "tags that no track has, left out of means (1): mood/theme---sad" in notes
    assert "tags that every track has, left out of means (1): mood/theme---film" in notes
    assert (
        "tags that no validation track has, cut where F1 is best (1): " in notes
        and "piano" in notes
    )
    kept = metrics.roc_auc(labels, made_up().scores)[[0, 3, 4]].mean()
    assert found.figures["roc_auc_macro"].value == pytest.approx(kept)
    cuts = {d.cut.name: d.cut.thresholds for d in found.decided}
    assert cuts["per-tag"][3] == cuts["f1"][3]
    assert found.ranked([of.value for of in found.tags["roc_auc"]])[0] in (0, 3, 4)
    text = json.dumps(record.of_scores(found), allow_nan=False)
    assert json.loads(text)["tags"][1]["figures"]["roc_auc"]["value"] is None


def test_labels_that_are_all_nought_are_an_error_not_a_page_of_nothing() -> None:
    with pytest.raises(DataError, match="nothing can be measured"):
        score(made_up(labels=np.zeros((120, 5))), None, QUICK)


def test_validation_in_another_order_of_tags() -> None:
    test, validation = made_up(), made_up(seed=1)
    shuffled = validation.keep_tags([3, 1, 4, 0, 2])
    for one, two in zip(
        score(test, validation, QUICK).decided, score(test, shuffled, QUICK).decided, strict=True
    ):
        assert np.array_equal(one.cut.thresholds, two.cut.thresholds)
    with pytest.raises(DataError, match="lack 1 tags, the first 'rock'"):
        score(test, validation.keep_tags([0, 1, 2, 3]), QUICK)


def test_intervals_hold_the_value_and_depend_on_the_seed_alone() -> None:
    one, again, other = (
        score(made_up(), made_up(seed=1), Settings(resamples=100, seed=seed)) for seed in (1, 1, 2)
    )
    assert one.figures == again.figures != other.figures
    for figures in (
        one.figures,
        *(d.figures for d in one.decided),
        *(g.figures for g in one.groups),
    ):
        for name, of in figures.items():
            if name not in ("trapezoidal_pr_auc_macro", "ece"):
                assert of.low is not None and of.high is not None, name
                assert of.low < of.value < of.high, name


def test_head_and_tail_are_where_they_are_said_to_be() -> None:
    given = made_up(train_counts=np.array([10, 9, 5, 4, 0]))
    found = score(given, None, Settings(head=9, tail=4, resamples=0))
    assert {group.name: group.columns for group in found.groups if group.kind == "frequency"} == {
        "head": (0,),
        "middle": (1, 2),
        "tail": (3, 4),
    }
    assert any("no training counts" in note for note in score(made_up(), None, QUICK).notes)
    with pytest.raises(UsageError, match="tail"):
        Settings(head=3, tail=4)
    with pytest.raises(UsageError, match="resamples"):
        Settings(resamples=-1)


def test_the_long_table_and_the_record_agree() -> None:
    found = score(made_up(), made_up(seed=1), QUICK)
    header, *rows = record.rows(found)
    assert header == ("scope", "name", "figure", "value", "low", "high", "popularity")
    table = {row[:3]: row[3] for row in rows}
    whole = record.of_scores(found)
    assert len(table) == len(rows)
    assert table["overall", "", "pr_auc_macro"] == whole["figures"]["pr_auc_macro"]["value"]
    assert table["tag", "rock", "per-tag fp"] == whole["tags"][4]["decisions"]["per-tag"]["fp"]
    assert (
        table["decision", "f1", "f1_macro"] == whole["decisions"][1]["figures"]["f1_macro"]["value"]
    )
    assert table["category", "mood", "roc_auc"] == whole["groups"][0]["figures"]["roc_auc"]["value"]
