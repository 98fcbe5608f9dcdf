"""Files with their audio, artist and album as numbers, in columns: 33 bytes a file.

A name, an artist and an album is represented by 63 bits of its hash, as in `finding.scan`: among a million
of them two are taken for one in one run of ten million.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagkit.inference.context import Context
from tagkit.library.belonging import Belongings
from tagkit.library.store import Placed

Numbers = NDArray[np.int64]

NOBODY = -1


class Members(NamedTuple):
    """Columns of (files,), in one order. ``artists`` and ``albums`` are NOBODY where there is none."""

    names: Numbers
    contents: Numbers  # as the store counts them
    artists: Numbers
    albums: Numbers
    folders: NDArray[np.bool_]  # the album is a folder

    def __add__(self, others: object) -> Members:
        if not isinstance(others, Members):
            return NotImplemented
        return Members._make(np.concatenate(pair) for pair in zip(self, others, strict=True))

    def near(self, artists: Numbers, albums: Numbers) -> NDArray[np.bool_]:
        """Return which of these files belong to one of the artists or of the albums, both sorted."""
        return (find(artists, self.artists) >= 0) | (find(albums, self.albums) >= 0)


def members(placed: Iterable[Placed], belongings: Belongings, shares: Context) -> Members:
    """Return the files as columns. Whoever has no share in ``shares``, artist or album, binds nobody."""
    rows = array("q")  # all five in turn
    for name, content, origin in placed:
        artist, album = belongings.of(name, origin)
        bonds = artist if shares.artist else None, album if shares.album else None
        rows.extend((number(name), content, *map(number, bonds)))
        rows.append(album is not None and not album.title)
    names, contents, artists, albums, folders = np.array(rows, np.int64).reshape(-1, 5).T.copy()
    return Members(names, contents, artists, albums, folders.astype(np.bool_))


def number(item: Hashable) -> int:
    """Return what stands for a name, an artist or an album in this process: at least 0, NOBODY for None."""
    return NOBODY if item is None else hash(item) & 0x7FFF_FFFF_FFFF_FFFF


def numbers(items: Iterable[Hashable]) -> Numbers:
    return np.fromiter(map(number, items), np.int64)


def bound(column: Numbers) -> Numbers:
    """Return the artists or albums of a column, each once, sorted."""
    return np.unique(column[column != NOBODY])


def find(among: Numbers, wanted: Numbers) -> Numbers:
    """Return where each of ``wanted`` is in the sorted numbers ``among``, -1 where it is not."""
    place = np.searchsorted(among, wanted)
    there = place < len(among)
    there[there] = among[place[there]] == wanted[there]
    found: Numbers = np.where(there, place, -1)
    return found
