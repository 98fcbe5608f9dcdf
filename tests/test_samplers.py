"""An epoch's order comes from seed and epoch alone; class-aware sampling gives every tag its turn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagkit.data import samplers
from tagkit.errors import RecipeError

#: Tag 0 on tracks 0-89, tag 1 on 80-94, tag 2 on 99 alone, tag 3 on none; tracks 95-98 have no tag.
LABELS = np.zeros((100, 4), dtype=bool)
LABELS[:90, 0] = LABELS[80:95, 1] = LABELS[99, 2] = True


def test_the_standard_order_has_every_track_once() -> None:
    order = samplers.build("standard", LABELS, 0)(3)
    assert sorted(order) == list(range(100)) and list(order) != list(range(100))


@pytest.mark.parametrize("name", samplers.SAMPLERS)
def test_seed_and_epoch_make_the_order(name: str) -> None:
    order = samplers.build(name, LABELS, 7)(2)
    assert order.dtype == np.int64
    sampler = samplers.build(name, LABELS, 7)
    sampler(0), sampler(5)  # an order does not depend on what was asked before
    assert np.array_equal(sampler(2), order)
    assert not np.array_equal(sampler(3), order)
    assert not np.array_equal(samplers.build(name, LABELS, 8)(2), order)


def test_tags_take_turns_and_their_tracks_too() -> None:
    order = samplers.build("class-aware", LABELS, 0)(0)
    assert len(order) == 100
    # three tags have tracks: 33 or 34 turns each, so the one track of tag 2 comes so often
    assert (order == 99).sum() in (33, 34)
    assert not set(order) & {95, 96, 97, 98}
    # tag 1's 15 tracks: at least two whole cycles of its own, on top of what tag 0 draws of 80-89
    only_one = np.bincount(order, minlength=100)[90:95]
    assert set(only_one) <= {2, 3}
    # tag 0's 33 or 34 turns are within its first cycle: no track of its own comes twice
    assert np.bincount(order, minlength=100)[:80].max() == 1
    # turns: no tag comes again before every tag has come
    assert all((order[at : at + 3] == 99).sum() == 1 for at in range(0, 99, 3))


def test_over_many_epochs_every_tagged_track_is_heard() -> None:
    sampler = samplers.build("class-aware", LABELS, 0)
    heard = set(np.concatenate([sampler(epoch) for epoch in range(30)]))
    assert heard == set(range(95)) | {99}


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 6), st.integers(0, 2**32 - 1), st.floats(0.02, 0.9))
def test_class_aware_draws_are_as_even_as_can_be(
    tracks: int, tags: int, seed: int, share: float
) -> None:
    labels = np.random.default_rng(seed).random((tracks, tags)) < share
    labels[0, 0] = True
    order = samplers.build("class-aware", labels, seed)(1)
    assert len(order) == tracks and labels[order].any(1).all()
    # a tag is drawn at least as often as its turns come
    assert (labels[order].sum(0) >= tracks // labels.any(0).sum())[labels.any(0)].all()


@pytest.mark.parametrize(("name", "word"), [("class_aware", "class-aware"), ("x", "standard")])
def test_unknown_samplers_are_named_with_what_is_near(name: str, word: str) -> None:
    with pytest.raises(RecipeError, match=f"'{name}'.*{word}"):
        samplers.build(name, LABELS, 0)


def test_no_tags_no_class_awareness() -> None:
    with pytest.raises(RecipeError, match="a training track with a tag"):
        samplers.build("class-aware", LABELS[95:99], 0)
