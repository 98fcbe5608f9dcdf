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
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagkit.inference.context import Context, Means, blend
from tagkit.library.belonging import Album, Artist, Belongings
from tagkit.library.store import Placed, Store, encoded

#: A folder of more tracks than this, none of which says its album, is no album.
MOST_IN_FOLDER = 100


class Member(NamedTuple):
    """A file that belongs to an artist, an album, both or none; ``key`` is its audio's."""

    name: bytes
    key: str
    artist: Artist | None
    album: Album | None


def gather(
    store: Store, paths: Iterable[Path], shares: Context, *, elsewhere: bool = True
) -> Neighbours:
    """Return the neighbours of ``paths``, which a `Store.look` has just seen.

    With ``elsewhere`` those of other runs are among them: their files are looked at, and none is
    listened to.
    """
    belongings = Belongings(store.places.roots())

    def member(placed: Placed) -> Member:
        artist, album = belongings.of(placed.name, placed.origin)
        return Member(
            placed.name,
            placed.key,
            artist if shares.artist else None,
            album if shares.album else None,
        )

    own = list(map(member, store.places.of(paths)))
    artists, albums = {m.artist for m in own} - {None}, {m.album for m in own} - {None}

    def near(placed: Iterable[Placed]) -> Iterator[Member]:
        return (m for m in map(member, placed) if m.artist in artists or m.album in albums)

    others: list[Member] = []
    if elsewhere and (artists or albums):
        known = {m.name for m in own}
        met = [Path(os.fsdecode(m.name)) for m in near(store.places.all()) if m.name not in known]
        there = [look.path for look in store.look(met, ()) if look.key is not None]
        others = list(near(store.places.of(there)))  # as their tags are now
    return Neighbours([*own, *others], shares)


class Neighbours:
    """The groups of two tracks or more, and once they are :meth:`heard <hear>`, their means.

    ``contents`` are the content keys of all who speak, in the order in which they are to be heard: the
    same library gives means that are equal to the bit, whatever the order of its runs.
    """

    def __init__(self, members: Sequence[Member], shares: Context) -> None:
        self.shares = shares
        self._of: dict[bytes, tuple[int, int]] = {}  # file -> its artist's and its album's group
        self._groups: dict[str, set[int]] = {}  # content -> the groups in which it speaks
        self._means: Means | None = None
        numbers = _numbers(members)
        self._count = len(numbers)
        for name, key, *bonds in members:
            artist, album = (numbers.get(bond, -1) for bond in bonds)
            self._of[name] = artist, album
            if found := {artist, album} - {-1}:
                self._groups.setdefault(key, set()).update(found)

    @property
    def contents(self) -> list[str]:
        return sorted(self._groups)

    def hear(self, keys: Sequence[str], scores: NDArray[np.floating]) -> None:
        """Take in what these contents say (contents, tags); what is in no group or no number says
        nothing."""
        if self._means is None:
            self._means = Means(self._count, scores.shape[1])
        sound = np.isfinite(scores).all(1).tolist()  # a NaN would silence all its neighbours
        rows = [
            (row, group)
            for row, key in enumerate(keys)
            for group in sorted(self._groups.get(key, ()))
            if sound[row]
        ]
        row, group = np.array(rows, np.int64).reshape(-1, 2).T
        self._means.add(group, scores[row])

    def blend(
        self, paths: Iterable[Path], own: NDArray[np.floating]
    ) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
        """Return what the tracks say with their neighbours (tracks, tags), of the type of ``own``, and
        which (tracks,) have some."""
        if self._means is None or not self._count:
            return own, np.zeros(len(own), bool)
        pairs = [self._of.get(encoded(path), (-1, -1)) for path in paths]
        found = np.array(pairs, np.int64).reshape(-1, 2)
        # Of a group of which only one track could be heard, it is nobody's company.
        found[self._means.counts[found] < 2] = -1
        smoothed: NDArray[np.bool_] = np.any(found >= 0, axis=1)
        artist, album = (self._means.of(groups, own) for groups in found.T)
        blended = blend(own, artist, album, self.shares).astype(own.dtype)
        return np.where(smoothed[:, None], blended, own), smoothed


def _numbers(members: Iterable[Member]) -> dict[Artist | Album | None, int]:
    """Number the artists and albums that have more than one recording."""
    contents: dict[Artist | Album | None, set[str]] = {}
    for _, key, *bonds in members:
        for bond in bonds:
            contents.setdefault(bond, set()).add(key)
    contents.pop(None, None)
    bound = (
        bond
        for bond, keys in contents.items()
        if len(keys) > 1 and not (_is_folder(bond) and len(keys) > MOST_IN_FOLDER)
    )
    return {bond: number for number, bond in enumerate(bound)}


def _is_folder(bond: Artist | Album | None) -> bool:
    return isinstance(bond, Album) and not bond.title
