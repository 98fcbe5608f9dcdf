"""In which order an epoch goes through the training tracks.

A sampler gives the order of an epoch from the seed and the epoch's number alone, so that a resumed
run, and each of several processes, sees what one uninterrupted process would.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tagkit.errors import RecipeError

Order: TypeAlias = NDArray[np.int64]
Sampler: TypeAlias = Callable[[int], Order]


def standard(labels: NDArray[np.bool_], random: np.random.Generator) -> Order:
    """Every track once, shuffled."""
    return random.permutation(len(labels)).astype(np.int64)


def class_aware(labels: NDArray[np.bool_], random: np.random.Generator) -> Order:
    """As many draws as there are tracks, equally many for each tag; tags without a track are left out.

    The tags take turns in a shuffled cycle, and each gives the next track of its own shuffled cycle;
    a cycle is shuffled anew when it is through. After Wu et al., "Distribution-balanced loss", ECCV
    2020, whose tags give three tracks a turn and whose epoch is as long as a quarter of the most
    frequent tag's count times the number of tags. Tracks of rare tags come often, tracks without tags
    never.
    """
    turns = _cycle(np.flatnonzero(labels.any(0)), len(labels), random)
    order = np.empty(len(labels), np.int64)
    for tag in np.unique(turns):
        places = np.flatnonzero(turns == tag)
        order[places] = _cycle(np.flatnonzero(labels[:, tag]), len(places), random)
    return order


def _cycle(items: Order, length: int, random: np.random.Generator) -> Order:
    """``length`` items: all of them shuffled, then all of them shuffled anew, and so on."""
    rounds = -(-length // len(items))
    shuffled = [random.permutation(items) for _ in range(rounds)]
    return np.concatenate(shuffled)[:length]


SAMPLERS: dict[str, Callable[[NDArray[np.bool_], np.random.Generator], Order]] = {
    "standard": standard,
    "class-aware": class_aware,
}


def build(name: str, labels: NDArray[np.bool_], seed: int) -> Sampler:
    """Return the sampler of that name for tracks with ``labels`` (tracks, tags).

    ``sampler(epoch)`` is an order of track indices, as many as there are tracks. Raises RecipeError
    for an unknown name, and where no track has a tag to be aware of.
    """
    if name not in SAMPLERS:
        near = get_close_matches(name, SAMPLERS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(SAMPLERS)}"
        raise RecipeError(f"no sampler is called {name!r}", hint=hint)
    if name == "class-aware" and not labels.any():
        raise RecipeError("class-aware sampling needs a training track with a tag")
    return partial(_order, name, labels, seed)


def _order(name: str, labels: NDArray[np.bool_], seed: int, epoch: int) -> Order:
    return SAMPLERS[name](labels, np.random.default_rng((seed, epoch)))
