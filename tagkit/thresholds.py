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
from itertools import islice, pairwise

import numpy as np
import numpy.typing as npt

from tagkit.errors import UsageError, VocabularyError
from tagkit.vocab import CATEGORIES, Tag, canonical

DEFAULT_THRESHOLD = 0.5
"""For a tag whose card has no threshold."""

_BLOCK = 1000  # tracks decided at once: enough to make numpy pay, few enough to keep memory flat


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

    The rows may come from an iterator, which is read some rows ahead. 100,000 tracks of 150 tags take
    about a second.
    """
    rules = _Rules(tags, thresholds, options or Options(), most or {})
    rows = iter(probabilities)
    blocks = iter(lambda: list(islice(rows, _BLOCK)), [])
    return (decided for block in blocks for decided in rules.decide(block))


class _Rules:
    """What holds for every track, computed once. Tags are numbered by category, then by name."""

    def __init__(
        self,
        tags: Sequence[Tag],
        thresholds: Sequence[float] | None,
        options: Options,
        most: Mapping[str, int],
    ) -> None:
        needed = _needed(tags, thresholds, options)
        order = sorted(range(len(tags)), key=lambda i: (_order(tags[i].category), tags[i].name))
        self.order = np.array(order, np.intp)
        self.tags = [(tags[i].name, tags[i].category) for i in order]
        self.category = np.array([_order(tags[i].category) for i in order], np.intp)
        self.needed = needed[self.order]
        self.logits = _logit(self.needed)
        self.floor = np.float32(options.min_confidence)
        self.most = _limits(most if options.threshold is None else {})
        self.top_k = _limits(
            {} if options.top_k is None else dict.fromkeys(CATEGORIES, options.top_k)
        )

    def decide(self, block: Sequence[npt.ArrayLike]) -> Iterator[list[Decision]]:
        rows = [np.asarray(row, dtype=np.float32) for row in block]
        for row in rows:
            if row.shape != self.needed.shape:
                raise ValueError(f"{row.shape} probabilities for {self.needed.shape} tags")
        table = np.stack(rows)[:, self.order]
        track, tag = np.nonzero(table >= self.needed)  # NaN compares as False
        values = table[track, tag]
        if self.most is not None:
            above = _logit(values) - self.logits[tag]
            # Sorted again: of equals below, the first by name comes first.
            stay = np.sort(self._first(track, tag, above, self.most))
            track, tag, values = track[stay], tag[stay], values[stay]
        sure = np.flatnonzero(values >= self.floor)
        found = sure[self._first(track[sure], tag[sure], values[sure], self.top_k)]
        chosen = map(self.tags.__getitem__, tag[found].tolist())
        decided = [
            Decision(name, category, probability)
            for (name, category), probability in zip(chosen, values[found].tolist(), strict=True)
        ]
        ends = np.searchsorted(track[found], np.arange(len(rows) + 1)).tolist()
        return (decided[start:end] for start, end in pairwise(ends))

    def _first(
        self,
        track: npt.NDArray[np.intp],
        tag: npt.NDArray[np.intp],
        scores: npt.NDArray[np.float32],
        limits: npt.NDArray[np.intp] | None,
    ) -> npt.NDArray[np.intp]:
        """Which of these, given by track and tag, stay: of each track and category as many as it may
        have, by track, category, the largest score and name."""
        category = self.category[tag]
        group = track * (len(CATEGORIES) + 1) + category
        order = np.lexsort((-scores, group))  # stable
        if limits is None or not len(order):
            return order
        starts = np.flatnonzero(np.diff(group[order], prepend=-1))
        place = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
        return order[place < limits[category[order]]]


def _limits(count: Mapping[str, int]) -> npt.NDArray[np.intp] | None:
    """The most tags of each category by its number; None where there is no most."""
    endless = np.iinfo(np.intp).max
    names = (*CATEGORIES, "")
    return np.array([count.get(name, endless) for name in names], np.intp) if count else None


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
