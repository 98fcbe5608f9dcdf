"""What decide promises: the rules in their order, by hand-worked values, and monotone."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagkit import thresholds
from tagkit.errors import UsageError, VocabularyError
from tagkit.thresholds import Decision, Options, decide, decide_all
from tagkit.vocab import Tag, all_tags

TAGS = (
    Tag("piano", "instrument"),
    Tag("happy", "mood"),
    Tag("sad", "mood"),
    Tag("calm", "mood"),
    Tag("film", "theme"),
)


def names(probabilities, thresholds=None, most=None, **options):
    return [d.name for d in decide(TAGS, probabilities, thresholds, Options(**options), most)]


def test_a_tag_passes_at_its_own_threshold():
    assert decide(TAGS, [0.9, 0.2, 0.3, 0.0, 0.8], [0.9, 0.3, 0.3, 0.3, 0.81]) == [
        Decision("sad", "mood", pytest.approx(0.3)),
        Decision("piano", "instrument", pytest.approx(0.9)),
    ]


def test_a_float32_probability_passes_the_decimal_threshold_it_was_made_from():
    for tenth in range(1, 10):
        value = tenth / 10  # np.float32(0.7) < 0.7
        assert names(np.full(5, value, np.float32), [value] * 5) != []


def test_without_thresholds_a_half_is_needed():
    assert names([0.5, 0.49, 0.0, 0.0, 0.51]) == ["film", "piano"]


def test_threshold_replaces_every_threshold_of_the_card():
    assert names([0.4, 0.4, 0.3, 0.0, 0.0], [0.9, 0.1, 0.1, 0.1, 0.1], threshold=0.4) == [
        "happy",
        "piano",
    ]


def test_min_confidence_is_a_floor_on_top():
    card = [0.1, 0.8, 0.1, 0.1, 0.1]
    assert names([0.3, 0.7, 0.6, 0.5, 0.5], card, min_confidence=0.5) == ["sad", "calm", "film"]


def test_order_is_category_then_probability_then_name():
    assert names([0.9, 0.6, 0.7, 0.6, 0.8]) == ["sad", "calm", "happy", "film", "piano"]


def test_top_k_keeps_the_most_probable_of_each_category_that_pass():
    assert names([0.9, 0.6, 0.7, 0.8, 0.2], top_k=2) == ["calm", "sad", "piano"]


def test_a_category_keeps_its_most_those_furthest_above_their_thresholds():
    # happy is 2.2 above its threshold in logits (from odds 1/9 to 1), sad .8 (from 4 to 9), calm 1.3.
    said, cut = [0.9, 0.5, 0.9, 0.6, 0.9], [0.5, 0.1, 0.8, 0.3, 0.5]
    assert names(said, cut, {"mood": 2}) == ["calm", "happy", "film", "piano"]
    assert names(said, cut, {"mood": 1, "theme": 1}) == ["happy", "film", "piano"]
    assert names(said, cut, {"mood": 3}) == names(said, cut)
    # Whoever names a threshold or a number wants just that, of what stays.
    assert names(said, cut, {"mood": 1}, threshold=0.5) == names(said, threshold=0.5)
    assert names(said, cut, {"mood": 2}, top_k=1) == ["calm", "film", "piano"]
    assert names(said, cut, {"mood": 1}, exclude=("happy",)) == ["calm", "film", "piano"]
    # Nor does a tag that was not far enough above return because another is not confident enough.
    assert names(said, cut, {"mood": 1}, min_confidence=0.55) == ["film", "piano"]


def test_most_holds_for_certain_and_impossible_probabilities_too():
    # sad and calm are just at their thresholds: of equals the first by name.
    assert names([0, 1, 1, 0.9, 0], [0.5, 0, 1, 0.9, 0.5], {"mood": 2}) == ["happy", "calm"]


def test_include_exclude_and_categories_take_any_published_spelling():
    every = [0.9] * 5
    assert names(every, include=("mood/theme---happy", "Piano")) == ["happy", "piano"]
    assert names(every, exclude=("HAPPY", "sad")) == ["calm", "film", "piano"]
    assert names(every, include=("happy", "sad"), exclude=("sad",)) == ["happy"]
    assert names(every, categories=("instrument", "theme")) == ["film", "piano"]


def test_a_tag_that_only_this_model_has_can_be_named():
    own = (Tag("glockenrock", "genre"),)
    assert decide(own, [0.9], None, Options(include=("GlockenRock",)))


def test_what_cannot_be_meant_is_refused():
    with pytest.raises(VocabularyError):
        names([0.9] * 5, include=("happyy zz",))
    with pytest.raises(VocabularyError):
        names([0.9] * 5, exclude=("no such tag",))
    with pytest.raises(VocabularyError):
        Options(categories=("moods",))
    for wrong in (
        {"threshold": 1.5},
        {"threshold": math.nan},
        {"min_confidence": -1},
        {"top_k": 0},
    ):
        with pytest.raises(UsageError):
            Options(**wrong)
    with pytest.raises(ValueError):
        names([0.9] * 4)
    with pytest.raises(ValueError):
        names([0.9] * 5, [0.5] * 4)


def test_nan_never_passes_not_even_zero():
    assert names([math.nan] * 5, threshold=0.0) == []


PROBABILITY = st.floats(0, 1, width=32) | st.just(math.nan)


@given(
    st.lists(PROBABILITY, min_size=5, max_size=5),
    st.floats(0, 1),
    st.floats(0, 1),
    st.sampled_from(["threshold", "min_confidence"]),
    st.none() | st.integers(1, 3),
    st.none() | st.fixed_dictionaries({"mood": st.integers(1, 3)}),
)
def test_raising_a_threshold_only_takes_tags_away(probabilities, one, other, option, top_k, most):
    low, high = sorted([one, other])
    card = [0.2, 0.4, 0.6, 0.5, 0.5]
    more = decide(TAGS, probabilities, card, Options(**{option: low}, top_k=top_k), most)
    fewer = decide(TAGS, probabilities, card, Options(**{option: high}, top_k=top_k), most)
    assert set(fewer) <= set(more)
    assert fewer == [decision for decision in more if decision in fewer]  # in the same order


@given(st.permutations(range(5)), st.lists(PROBABILITY, min_size=5, max_size=5))
def test_the_order_of_a_models_outputs_does_not_matter(order, probabilities):
    shuffled = [TAGS[i] for i in order]
    assert decide(shuffled, [probabilities[i] for i in order]) == decide(TAGS, probabilities)


def test_a_library_is_decided_in_seconds():
    tags = all_tags()[:150]
    rows = np.random.default_rng(0).random((10_000, len(tags)), dtype=np.float32)
    begun = time.process_time()
    assert len(list(decide_all(tags, rows, [0.95] * len(tags)))) == 10_000
    assert time.process_time() - begun < 2


def test_expected_shares_by_hand() -> None:
    tags = [Tag("a", "mood"), Tag("b", "mood"), Tag("c", "mood"), Tag("d", "genre")]
    found = thresholds.expected_shares([0.3, 0.1, 0.05, 0.5], tags, {"mood": 0.6}, most=0.4)
    # .45 is to become .6: × 4/3 lets a reach its ceiling exactly; genre keeps its mean under the ceiling
    assert found == pytest.approx([0.4, 0.4 / 3, 0.2 / 3, 0.4])
    more = thresholds.expected_shares([0.3, 0.1, 0.05, 0.5], tags, {"mood": 0.9}, most=0.4)
    # a stays at .4; b and c share .5 as 2 : 1, and b too is stopped at the ceiling or below
    assert more[:3] == pytest.approx([0.4, 1 / 3, 1 / 6])
    full = thresholds.expected_shares([0.3, 0.1, 0.05, 0.5], tags, {"mood": 9}, most=0.4)
    assert full[:3] == pytest.approx([0.4, 0.4, 0.4])


def test_for_shares_gives_each_tag_to_its_share() -> None:
    found = np.random.default_rng(0).random((1000, 3)).astype(np.float32)
    cuts = thresholds.for_shares(found, [0.1, 0.5, 0.02])
    assert (found >= cuts).mean(0) == pytest.approx([0.1, 0.5, 0.02], abs=0.002)


@pytest.mark.parametrize("options", [Options(), Options(top_k=1), Options(min_confidence=0.9)])
def test_many_tracks_are_decided_as_each_by_itself(options):
    tags = all_tags()[::5][:40]
    rows = np.random.default_rng(1).random((2100, len(tags)), dtype=np.float32)
    rows = np.where(rows < 0.9, rows, np.round(rows, 2))  # some equal, and some at their threshold
    card, most = np.linspace(0.5, 0.99, len(tags)).tolist(), {"mood": 2, "theme": 1}
    together = list(decide_all(tags, iter(rows), card, options, most))
    assert together == [decide(tags, row, card, options, most) for row in rows]
    assert len({len(found) for found in together}) > 2
