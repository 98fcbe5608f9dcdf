"""Decide: from the probabilities of a track to the tags it gets.

The rules, in order:

1. A tag is *allowed* if its category is in ``categories`` (none given: every category), if it is in
   ``include`` (none given: every tag), and if it is not in ``exclude``.
2. An allowed tag *passes* if its probability is at least its threshold: the card's, or
   ``Options.threshold`` in place of all of them; and at least ``min_confidence``. Both are compared
   in float32, as models give them: 0.7 passes 0.7. NaN never passes.
3. Of those that pass, each category keeps its ``top_k`` most probable.

Raising ``threshold`` or ``min_confidence`` therefore only ever takes tags away.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tagkit.errors import UsageError, VocabularyError
from tagkit.vocab import CATEGORIES, Tag, canonical

DEFAULT_THRESHOLD = 0.5
"""For a tag whose card has no threshold."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A tag that a track gets, with its probability in [0, 1]."""

    name: str
    category: str
    probability: float


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a person asks for on top of the model's own thresholds. Checked when made.

    ``threshold``, ``min_confidence`` are in [0, 1]; ``top_k`` counts per category, from 1;
    ``include`` and ``exclude`` take any published spelling; ``categories`` those of `vocab`.
    Raises UsageError for a number out of range, VocabularyError for an unknown category (an
    unknown tag is known to be one only beside a model's tags: `decide` raises then).
    """

    threshold: float | None = None
    min_confidence: float = 0.0
    top_k: int | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, value in (
            ("threshold", self.threshold),
            ("min_confidence", self.min_confidence),
        ):
            if value is not None and not 0 <= value <= 1:
                option = name.replace("_", "-")
                raise UsageError(f"--{option} is {value}", hint="a probability: from 0 to 1")
        if self.top_k is not None and self.top_k < 1:
            raise UsageError(f"--top-k is {self.top_k}", hint="at least 1")
        for category in self.categories:
            if category not in CATEGORIES:
                raise VocabularyError(
                    f"no category is called {category!r}", hint=f"one of {', '.join(CATEGORIES)}"
                )


def decide(
    tags: Sequence[Tag],
    probabilities: npt.ArrayLike,
    thresholds: Sequence[float] | None = None,
    options: Options | None = None,
) -> list[Decision]:
    """Return the tags of one track: by category order, then the most probable first, then by name.

    ``probabilities`` and ``thresholds`` are (tags,), in the order of ``tags``; without thresholds
    every tag has DEFAULT_THRESHOLD. Raises VocabularyError, and ValueError for other shapes.
    """
    row = np.asarray(probabilities, dtype=np.float32)
    return next(decide_all(tags, row[None], thresholds, options))


def decide_all(
    tags: Sequence[Tag],
    probabilities: npt.NDArray[np.floating] | Iterable[npt.ArrayLike],
    thresholds: Sequence[float] | None = None,
    options: Options | None = None,
) -> Iterator[list[Decision]]:
    """Yield for each track, a row of ``probabilities`` (tracks, tags), what `decide` returns.

    The rows may come from an iterator. 100,000 tracks of 150 tags take about a second.
    """
    options = options or Options()
    needed = _needed(tags, thresholds, options)
    # Sorting a row's few survivors by rank: category first, then name, both as numbers.
    by_rank = sorted(range(len(tags)), key=lambda i: (_order(tags[i].category), tags[i].name))
    rank = {index: place for place, index in enumerate(by_rank)}
    category = [_order(tag.category) for tag in tags]
    return (
        _decide_row(tags, np.asarray(row, dtype=np.float32), needed, category, rank, options.top_k)
        for row in probabilities
    )


def _decide_row(
    tags: Sequence[Tag],
    row: npt.NDArray[np.float32],
    needed: npt.NDArray[np.float32],
    category: Sequence[int],
    rank: dict[int, int],
    top_k: int | None,
) -> list[Decision]:
    if row.shape != needed.shape:
        raise ValueError(f"{row.shape} probabilities for {needed.shape} tags")
    passing = np.flatnonzero(row >= needed).tolist()  # NaN compares as False
    values = row.tolist()
    passing.sort(key=lambda i: (category[i], -values[i], rank[i]))
    decided: list[Decision] = []
    kept, current = 0, -1
    for index in passing:
        kept = kept + 1 if category[index] == current else 1
        current = category[index]
        if top_k is None or kept <= top_k:
            decided.append(Decision(tags[index].name, tags[index].category, values[index]))
    return decided


def _needed(
    tags: Sequence[Tag], thresholds: Sequence[float] | None, options: Options
) -> npt.NDArray[np.float32]:
    """The probability (tags,) that each tag needs; infinite for one that is not allowed."""
    if options.threshold is not None:
        needed = np.full(len(tags), options.threshold, dtype=np.float32)
    elif thresholds is not None:
        needed = np.array(thresholds, dtype=np.float32)
        if needed.shape != (len(tags),):
            raise ValueError(f"{needed.shape} thresholds for {len(tags)} tags")
    else:
        needed = np.full(len(tags), DEFAULT_THRESHOLD, dtype=np.float32)
    needed = np.maximum(needed, np.float32(options.min_confidence))
    include = {canonical(name, tags).name for name in options.include}
    exclude = {canonical(name, tags).name for name in options.exclude}
    for index, (name, category) in enumerate(tags):
        if (
            (options.categories and category not in options.categories)
            or (include and name not in include)
            or name in exclude
        ):
            needed[index] = math.inf
    return needed


def expected_shares(
    means: npt.ArrayLike, tags: Sequence[Tag], per_track: Mapping[str, float], most: float = 1 / 3
) -> npt.NDArray[np.float64]:
    """Return the share of tracks (tags,) that each tag should be given to.

    ``means``: (tags,), how probable each tag is on average. Within a category shares are in proportion
    to them, at most ``most``, and add up to ``per_track[category]`` tags a track, or to as many as
    ``most`` allows. A category that ``per_track`` leaves out keeps its means.
    """
    shares = np.minimum(np.asarray(means, np.float64), most)
    for category, wanted in per_track.items():
        chosen = np.array([tag.category == category for tag in tags])
        # A tag at the ceiling leaves its part to the others: some rounds settle it.
        for _ in range(50):
            free = chosen & (shares < most)
            missing = wanted - shares[chosen].sum()
            if not free.any() or abs(missing) < 1e-9:
                break
            grown = shares[free] * max(0.0, 1 + missing / shares[free].sum())
            shares[free] = np.minimum(grown, most)
    return shares


def for_shares(
    probabilities: npt.NDArray[np.floating], shares: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Return thresholds (tags,) that give each tag to its share of these tracks (tracks, tags)."""
    columns = zip(probabilities.T, np.asarray(shares), strict=True)
    return np.array([np.quantile(column, 1 - share) for column, share in columns])


def _order(category: str) -> int:
    return CATEGORIES.index(category) if category in CATEGORIES else len(CATEGORIES)
