"""Decide: from the probabilities of a track to the tags it gets.

The rules, in order:

1. A tag is *allowed* if its category is in ``categories`` (none given: every category), if it is in
   ``include`` (none given: every tag), and if it is not in ``exclude``.
2. An allowed tag *passes* if its probability is at least its threshold: the model's, or
   ``Options.threshold`` in place of all of them. Both are compared in float32, as models give them:
   0.7 passes 0.7. NaN never passes.
3. Where the model says how many tags of a category a track gets at ``most``, those stay whose logits
   are furthest above their thresholds': what is probable for a rare tag is not for a frequent one.
   ``Options.threshold`` asks for all that reach it, so ``most`` does not hold then.
4. Of those that stay and have at least ``min_confidence``, each category keeps its ``top_k`` most
   probable.

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
    most: Mapping[str, int] | None = None,
) -> list[Decision]:
    """Return the tags of one track: by category order, then the most probable first, then by name.

    ``probabilities`` and ``thresholds`` are (tags,), in the order of ``tags``; without thresholds
    every tag has DEFAULT_THRESHOLD. ``most``: the most tags of a category, where there is a most.
    Raises VocabularyError, and ValueError for other shapes.
    """
    row = np.asarray(probabilities, dtype=np.float32)
    return next(decide_all(tags, row[None], thresholds, options, most))


def decide_all(
    tags: Sequence[Tag],
    probabilities: npt.NDArray[np.floating] | Iterable[npt.ArrayLike],
    thresholds: Sequence[float] | None = None,
    options: Options | None = None,
    most: Mapping[str, int] | None = None,
) -> Iterator[list[Decision]]:
    """Yield for each track, a row of ``probabilities`` (tracks, tags), what `decide` returns.

    The rows may come from an iterator. 100,000 tracks of 150 tags take about a second.
    """
    rules = _Rules(tags, thresholds, options or Options(), most or {})
    return (rules.decide(np.asarray(row, dtype=np.float32)) for row in probabilities)


class _Rules:
    """What holds for every track, computed once."""

    def __init__(
        self,
        tags: Sequence[Tag],
        thresholds: Sequence[float] | None,
        options: Options,
        most: Mapping[str, int],
    ) -> None:
        self.tags = tags
        self.needed = _needed(tags, thresholds, options)
        self.logits = _logit(self.needed)
        self.floor = np.float32(options.min_confidence)
        self.most = most if options.threshold is None else {}
        self.top_k = {} if options.top_k is None else dict.fromkeys(CATEGORIES, options.top_k)
        # Sorting a row's few survivors by rank: category first, then name, both as numbers.
        by_rank = sorted(range(len(tags)), key=lambda i: (_order(tags[i].category), tags[i].name))
        self.rank = {index: place for place, index in enumerate(by_rank)}
        self.category = [_order(tag.category) for tag in tags]

    def decide(self, row: npt.NDArray[np.float32]) -> list[Decision]:
        if row.shape != self.needed.shape:
            raise ValueError(f"{row.shape} probabilities for {self.needed.shape} tags")
        passing = np.flatnonzero(row >= self.needed)  # NaN compares as False
        if self.most:
            above = _logit(row[passing]) - self.logits[passing]
            passing = passing[self._first(passing, above, self.most)]
        passing = passing[row[passing] >= self.floor]
        found = passing[self._first(passing, row[passing], self.top_k)]
        return [
            Decision(self.tags[index].name, self.tags[index].category, probability)
            for index, probability in zip(found.tolist(), row[found].tolist(), strict=True)
        ]

    def _first(
        self,
        indices: npt.NDArray[np.intp],
        scores: npt.NDArray[np.float32],
        count: Mapping[str, int],
    ) -> list[int]:
        """Which of ``indices`` stay: each category's ``count`` of largest scores; in their order."""
        tags, values = indices.tolist(), scores.tolist()
        order = sorted(
            range(len(tags)),
            key=lambda i: (self.category[tags[i]], -values[i], self.rank[tags[i]]),
        )
        if not count:
            return order
        stay, kept, current = [], 0, ""
        for place in order:
            category = self.tags[tags[place]].category
            kept = kept + 1 if category == current else 1
            current = category
            if kept <= count.get(category, kept):
                stay.append(place)
        return stay


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


def _logit(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Finite also for 0, 1 and the infinite needs of tags that are not allowed."""
    kept = np.clip(probabilities, 1e-6, 1 - 1e-6)
    found: npt.NDArray[np.float32] = np.log(kept / (1 - kept))
    return found


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
