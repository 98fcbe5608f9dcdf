"""What an artist's and an album's other tracks say about a track.

Moods, themes and genres are shared within an album more than from song to song, and annotators often
tag whole albums. A track's probabilities are blended with the means of its album and of its artist::

    p' = (1 - artist - album) · p  +  artist · mean of the artist's tracks  +  album · mean of the album's

Both means include the track itself, so a track without company keeps what it has. Instruments and
vocals are heard in a recording, not in its neighbours: they are never touched. An unknown artist,
"Various Artists" and unnamed albums bind nothing; an album is one artist's album of that name, so a
compilation falls apart into its artists.

Smoothed figures use other tracks by the artist: never print them beside single-file figures without
saying so.

:func:`smooth` is for callers that hold the scores of *all* tracks at once (``tagkit eval --context``);
``tagkit tag`` adds up :class:`Means` over what the store holds (``library.neighbours``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagkit import metrics
from tagkit.errors import DataError
from tagkit.inference.names import is_album, is_somebody, plain
from tagkit.vocab import Tag

#: The categories that context speaks for.
CATEGORIES = ("mood", "theme", "genre")

#: Whose other tracks may speak: the artist's and the album's, the album's alone, nobody's.
LEVELS = ("artist", "album", "none")


@dataclass(frozen=True)
class Context:
    """How much of a track's probability comes from its ``artist`` and its ``album``: shares ≥ 0 with a
    sum ≤ 1; the rest is the track's own. Raises DataError for others."""

    artist: float
    album: float

    def __post_init__(self) -> None:
        # Shares of a grid add up to 1 only within the precision of floats.
        if not (self.artist >= 0 and self.album >= 0 and self.artist + self.album <= 1 + 1e-9):
            raise DataError(
                f"context shares of artist {self.artist} and album {self.album}",
                hint="both at least 0, together at most 1",
            )

    @property
    def own(self) -> float:
        """The share that a track's own probability keeps."""
        return 1 - self.artist - self.album

    def at(self, level: str) -> Context | None:
        """Return the shares that hold at one of :data:`LEVELS`, None where nothing is left of them.

        At "album" the artist's share is the track's own.
        """
        shares = Context(self.artist if level == "artist" else 0.0, self.album)
        return None if level == "none" or shares == Context(0, 0) else shares


def smooth(
    probabilities: NDArray[np.floating],
    tags: Sequence[Tag],
    artists: Sequence[str],
    albums: Sequence[str],
    context: Context,
) -> NDArray[np.floating]:
    """Return (tracks, tags), of the type given: ``probabilities`` blended with those of the same artist
    and album.

    ``artists``, ``albums``: (tracks,), "" where unknown. Any scores will do, not only probabilities.
    """
    found = np.array(probabilities)
    columns = spoken(tags)
    found[:, columns] = _Blend(found[:, columns], artists, albums)(context)
    return found


class Fitted(NamedTuple):
    """``pr_auc`` with the shares, ``alone`` without: on the tracks that they were fitted on, macro over
    the tags that context speaks for."""

    context: Context
    pr_auc: float
    alone: float


def fit(
    probabilities: NDArray[np.floating],
    labels: NDArray[np.bool_],
    tags: Sequence[Tag],
    artists: Sequence[str],
    albums: Sequence[str],
    *,
    candidates: Sequence[Context] | None = None,
) -> Fitted:
    """Return the shares with the largest macro PR-AUC (average precision) on these validation tracks.

    All of ``candidates`` are tried, by default :func:`grid`; of equals the first wins. Raises DataError
    where no tag can be smoothed or no two tracks share an artist.
    """
    columns = spoken(tags)
    if not labels[:, columns].any():
        raise DataError("no track has a mood, theme or genre, so no context can be fitted")
    blended = _Blend(np.asarray(probabilities)[:, columns], artists, albums)
    if not blended.binds:
        raise DataError(
            "no two tracks share an artist, so no context can be fitted",
            hint="the dataset's reader must know artists: give a manifest with the column artist",
        )
    truth = labels[:, columns]
    scores = {
        shares: metrics.macro(metrics.average_precision(truth, blended(shares)))
        for shares in (Context(0, 0), *(candidates or grid()))
    }
    best = max(scores, key=scores.__getitem__)
    return Fitted(best, scores[best], scores[Context(0, 0)])


def grid(count: int = 10) -> list[Context]:
    """Return all shares in ``count`` parts, those first that leave most to the track itself."""
    pairs = [(a, b) for a in range(count + 1) for b in range(count + 1 - a)]
    pairs.sort(key=lambda pair: (sum(pair), pair))
    return [Context(a / count, b / count) for a, b in pairs]


def spoken(tags: Sequence[Tag]) -> NDArray[np.int64]:
    """Return which of ``tags`` context speaks for."""
    return np.flatnonzero([tag.category in CATEGORIES for tag in tags])


def blend(
    own: NDArray[np.floating],
    artist: NDArray[np.floating],
    album: NDArray[np.floating],
    context: Context,
) -> NDArray[np.float64]:
    """Return (tracks, tags): what each track says with the means of its artist and its album."""
    # Trained in float32, summed over an artist's hundreds of tracks: the means are float64.
    found: NDArray[np.float64] = (
        context.own * np.asarray(own, np.float64) + context.artist * artist + context.album * album
    )
    return found


class Means:
    """The means of ``groups`` groups of tracks over ``tags`` tags, added up as the tracks come by.

    Equal tracks in an equal order give means that are equal to the bit.
    """

    def __init__(self, groups: int, tags: int) -> None:
        self._sums = np.zeros((groups, tags))
        self.counts = np.zeros(groups, np.int64)

    def add(self, groups: NDArray[np.int64], scores: NDArray[np.floating]) -> None:
        """Take in ``scores`` (rows, tags), each for the group (rows,) that it belongs to."""
        if len(groups):
            order = np.argsort(groups, kind="stable")
            found, starts = np.unique(groups[order], return_index=True)
            rows = np.asarray(scores, np.float64)[order]
            self._sums[found] += np.add.reduceat(rows, starts, axis=0)
            self.counts[found] += np.diff(starts, append=len(order))

    def of(self, groups: NDArray[np.int64], own: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the mean of each row's group (rows, tags); ``own`` where that is -1."""
        found = np.array(own, np.float64)
        bound = np.flatnonzero(groups >= 0)
        found[bound] = self._sums[groups[bound]] / self.counts[groups[bound], None]
        return found


class _Blend:
    """Scores with their group means, computed once and blended as often as asked."""

    def __init__(
        self, scores: NDArray[np.floating], artists: Sequence[str], albums: Sequence[str]
    ) -> None:
        self.own = np.asarray(scores, np.float64)
        by_artist, by_album = _groups(artists, albums)
        self.artist, self.album = (_means(self.own, group) for group in (by_artist, by_album))
        self.binds = len(np.unique(by_artist)) < len(by_artist)

    def __call__(self, context: Context) -> NDArray[np.float64]:
        return blend(self.own, self.artist, self.album, context)


def _groups(
    artists: Sequence[str], albums: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number each track's artist and album (tracks,); who belongs to none is a group of one."""
    numbers: dict[object, int] = {}
    by_artist: list[int] = []
    by_album: list[int] = []
    for track, names in enumerate(zip(artists, albums, strict=True)):
        artist, album = map(plain, names)
        bound = is_somebody(artist)
        keys = (artist if bound else track, (artist, album) if bound and is_album(album) else track)
        for group, key in zip((by_artist, by_album), keys, strict=True):
            group.append(numbers.setdefault(key, len(numbers)))
    return np.array(by_artist, np.int64), np.array(by_album, np.int64)


def _means(scores: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each row's group mean (tracks, tags)."""
    names, group = np.unique(groups, return_inverse=True)
    means = Means(len(names), scores.shape[1])
    means.add(group, scores)
    return means.of(group, scores)
