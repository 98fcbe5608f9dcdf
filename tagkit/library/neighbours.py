"""Which tracks of the library speak for one another, and what they say on average.

A track's neighbours are the tracks of its artist and of its album (:mod:`tagkit.library.belonging`), and
all that the store knows speak, in this run or not: a file that is added to an album later gets what it
would have got with the others. Only files that are there speak, as they are now, and the same audio speaks
once in a group, however many files hold it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tagkit.inference.context import Context, Means, blend
from tagkit.library.belonging import Belongings
from tagkit.library.finding.paths import Paths
from tagkit.library.members import Members, Numbers, bound, find, members, numbers
from tagkit.library.store import Placed, Store, encoded
from tagkit.library.store.files import batches

#: A folder of more tracks than this, none of which says its album, is no album.
MOST_IN_FOLDER = 100

# Probabilities are added up as multiples of this: sums of up to 131,072 of them are then exact in float64,
# and so the same in whatever order they come. From 1/4096 on it is no coarser than float32.
_GRAIN = 2.0**-36

_BATCH = 5000  # files of the library looked at at once


def gather(
    store: Store, paths: Iterable[Path], shares: Context, *, elsewhere: bool = True
) -> Neighbours:
    """Return the neighbours of ``paths``, which a `Store.look` has just seen.

    With ``elsewhere`` those of other runs are among them: their files are looked at, and none is
    listened to.
    """
    belongings = Belongings(store.places.roots())
    own = members(store.places.of(paths), belongings, shares)
    if not elsewhere:
        return Neighbours(own, shares)
    known = np.sort(own.names)
    artists, albums = bound(own.artists), bound(own.albums)

    def near(placed: Iterable[Placed]) -> Iterator[tuple[list[Placed], Members]]:
        for batch in batches(placed, _BATCH):
            new = find(known, numbers(file.name for file in batch)) < 0
            others = [file for file, is_new in zip(batch, new.tolist(), strict=True) if is_new]
            found = members(others, belongings, shares)
            chosen = np.flatnonzero(found.near(artists, albums))
            yield [others[row] for row in chosen], Members._make(column[chosen] for column in found)

    met = Paths(
        Path(os.fsdecode(file.name)) for files, _ in near(store.places.all()) for file in files
    )
    there = (look.path for look in store.look(met, ()) if look.key is not None)
    for _, found in near(store.places.of(there)):  # as their tags are now
        own += found
    return Neighbours(own, shares)


class Neighbours:
    """The groups of two tracks or more, and once they are :meth:`heard <hear>`, their means.

    ``contents`` are the store's numbers of all who speak. The same library gives means that are equal
    to the bit, whatever the order of its runs, and in whatever order they are heard.
    """

    def __init__(self, files: Members, shares: Context) -> None:
        self.shares = shares
        self._means: Means | None = None
        groups = np.union1d(
            _several(files.artists, files.contents),
            _several(files.albums, files.contents, bound(files.albums[files.folders])),
        )
        self._count = len(groups)
        order = np.argsort(files.names, kind="stable")
        self._names = files.names[order]
        self._bonds = np.stack([find(groups, c)[order] for c in (files.artists, files.albums)])
        # Who speaks where: each content once in a group, by content.
        spoken = (files.contents[order], self._bonds)
        pairs = np.unique(np.stack(np.broadcast_arrays(*spoken), -1).reshape(-1, 2), axis=0)
        self._content, self._group = pairs[pairs[:, 1] >= 0].T

    @property
    def contents(self) -> list[int]:
        found: list[int] = np.unique(self._content).tolist()
        return found

    def hear(self, contents: Sequence[int], scores: NDArray[np.floating]) -> None:
        """Take in what these contents, each of them once, say (contents, tags); what is in no group or
        no number says nothing."""
        if self._means is None:
            self._means = Means(self._count, scores.shape[1])
        said = np.array(contents, np.int64)
        first, last = (np.searchsorted(self._content, said, side) for side in ("left", "right"))
        # A NaN would silence all its neighbours.
        times = np.where(np.isfinite(scores).all(1), last - first, 0)
        row = np.repeat(np.arange(len(said)), times)
        nth = np.arange(len(row)) - np.repeat(np.cumsum(times) - times, times)
        exact = np.rint(np.asarray(scores, np.float64) / _GRAIN) * _GRAIN
        self._means.add(self._group[first[row] + nth], exact[row])

    def blend(
        self, paths: Sequence[Path], own: NDArray[np.floating]
    ) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
        """Return what the tracks say with their neighbours (tracks, tags), of the type of ``own``, and
        which (tracks,) have some."""
        if self._means is None or not self._count:
            return own, np.zeros(len(own), bool)
        place = find(self._names, numbers(map(encoded, paths)))
        found = np.where(place >= 0, self._bonds[:, place], -1)
        # Of a group of which only one track could be heard, it is nobody's company.
        found[self._means.counts[found] < 2] = -1
        smoothed: NDArray[np.bool_] = np.any(found >= 0, axis=0)
        artist, album = (self._means.of(groups, own) for groups in found)
        blended = blend(own, artist, album, self.shares).astype(own.dtype)
        return np.where(smoothed[:, None], blended, own), smoothed


def _several(column: Numbers, contents: Numbers, folders: Numbers | None = None) -> Numbers:
    """Return the artists or albums that have more than one recording, sorted; of albums that are
    ``folders`` those with not too many."""
    held = column >= 0
    pairs = np.unique(np.stack((column[held], contents[held]), 1), axis=0)
    found, count = np.unique(pairs[:, 0], return_counts=True)
    keep = count > 1
    if folders is not None:
        keep &= (count <= MOST_IN_FOLDER) | (find(folders, found) < 0)
    kept: Numbers = found[keep]
    return kept
