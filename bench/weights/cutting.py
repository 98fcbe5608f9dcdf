"""Thresholds: from which probability a tag is given.

Elsewhere than on labels, a tag's threshold makes the part of the held-out tracks that *get* it the part that
have it in the official split file (``shares.py``), at most a third. Nobody writes seven moods on one track
and none on the next, but models do, since what they say of moods goes together. So a track gets at most
:data:`MOST` tags of a category, those furthest above their thresholds, and the thresholds are moved until
every tag is given to about its share again: what a loud track has too many of goes to the tracks that had none.

And whatever the share, a threshold lies above all that the models say of sound that is no music, held out
from training: silence, noise, speech, animals; those of SHARED/audio, which must get no tag, among it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tagkit.thresholds import decide_all, for_shares
from tagkit.vocab import Tag

FloatArray = NDArray[np.floating]

#: The most tags of a category on a track. Of MTG-Jamendo's annotated tracks (``shares.py``'s lists) 92 % have no
#: more moods, 89 % no more themes, 80 % no more instruments and 93 % no more genres.
MOST = {"mood": 2, "theme": 1, "instrument": 3, "genre": 3, "vocals": 2}
CEILING = 1 / 3
ROUNDS = 60
#: How far above what is said of no music: odds a quarter higher.
MARGIN = 1.25


def thresholds(
    found: FloatArray,
    tags: Sequence[Tag],
    shares: Sequence[float],
    nothing: FloatArray,
    labelled: Mapping[Tag, float] | None = None,
    ceiling: float = CEILING,
) -> NDArray[np.float64]:
    """Return one a tag (tags,), for probabilities ``found`` (tracks, tags) of music and ``nothing``
    (files, tags) of sound that is none. ``labelled``: thresholds that were fitted to labels. No tag is
    given to more than ``ceiling`` of the tracks."""
    wanted = np.minimum(np.asarray(shares, np.float64), ceiling)
    floor = above_nothing(nothing)
    fixed = np.array([tag in (labelled or {}) for tag in tags])
    for tag, cut in (labelled or {}).items():
        column = tags.index(tag)
        highest = max(cut, float(np.quantile(found[:, column], 1 - ceiling)))
        wanted[column] = (found[:, column] >= highest).mean()
        floor[column] = max(floor[column], highest)
    asked, best, least = wanted, floor, np.inf
    for number in range(ROUNDS):
        cuts = np.where(fixed, floor, np.maximum(for_shares(found, asked), floor))
        got = given(found, tags, cuts).mean(0)
        if (error := float(np.abs(got - wanted).sum())) < least:
            best, least = cuts, error
        # Ever smaller steps: the tags of a category share tracks, and all of them move at once.
        step = 0.5 / (1 + number / 5)
        grown = asked * ((wanted + 1e-4) / (got + 1e-4)) ** step
        asked = np.clip(grown, wanted / 4, np.minimum(4 * wanted, 1))
    return best


def above_nothing(nothing: FloatArray) -> NDArray[np.float64]:
    """Return the least threshold (tags,) that none of these files (files, tags) reaches."""
    if not len(nothing):
        return np.zeros(nothing.shape[1])
    most = nothing.max(0).astype(np.float64)
    odds = MARGIN * most / (1 - np.minimum(most, 1 - 1e-6))
    least: NDArray[np.float64] = odds / (1 + odds)
    return least


def given(
    found: FloatArray,
    tags: Sequence[Tag],
    cuts: Sequence[float] | NDArray[np.float64],
    most: Mapping[str, int] | None = None,
) -> NDArray[np.bool_]:
    """Return which tracks get which tags (tracks, tags), as ``tagkit tag`` decides; at most ``most`` of a
    category, by default :data:`MOST`."""
    place = {tag.name: column for column, tag in enumerate(tags)}
    decided = np.zeros(found.shape, bool)
    rows = decide_all(tags, found, list(cuts), None, MOST if most is None else most)
    for row, decisions in zip(decided, rows, strict=True):
        row[[place[decision.name] for decision in decisions]] = True
    return decided
