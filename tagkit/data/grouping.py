"""Splits that keep what belongs together: an artist is in one split only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from tagkit.data.dataset import SPLITS, Track

#: Of the tracks, in the order of SPLITS.
SHARES = (0.8, 0.1, 0.1)


def group(track: Track) -> str:
    """What keeps a track together with others: its artist, else its album, else its folder."""
    folder, _, name = track.path.rpartition("/")
    return track.artist or track.album or folder or name


def split_by_group(tracks: Sequence[Track], seed: int = 0) -> tuple[Track, ...]:
    """Return the tracks with a split each: 80, 10 and 10 % of them, a group in one split only.

    From ``seed`` and the groups' names alone. With three groups no split is empty.
    """
    sizes = Counter(group(track) for track in tracks)
    names = sorted(sizes)
    order = np.random.default_rng(seed).permutation(len(names))
    held = dict.fromkeys(SPLITS, 0)
    chosen: dict[str, str] = {}
    for name in (names[number] for number in order):
        # Into the split that will be least overfull with it.
        fullness = {
            split: (held[split] + sizes[name]) / share
            for split, share in zip(SPLITS, SHARES, strict=True)
        }
        split = min(SPLITS, key=fullness.__getitem__)
        chosen[name] = split
        held[split] += sizes[name]
    for split in SPLITS:
        inside = [name for name in chosen if chosen[name] == SPLITS[0]]
        if not held[split] and len(inside) > 1:
            smallest = min(inside, key=sizes.__getitem__)
            chosen[smallest] = split
            held[split] += sizes[smallest]
    return tuple(track._replace(split=chosen[group(track)]) for track in tracks)


def leaks(tracks: Iterable[Track], by: str) -> dict[str, tuple[str, ...]]:
    """Return the artists (``by`` "artist") or albums that are in several splits, and in which.

    An album is an artist's: two artists may call theirs alike.
    """
    found: dict[str, set[str]] = {}
    for track in tracks:
        names = (track.artist,) if by == "artist" else (track.artist, track.album)
        if names[-1]:
            found.setdefault(" / ".join(filter(None, names)), set()).add(track.split)
    return {
        name: tuple(split for split in SPLITS if split in splits)
        for name, splits in sorted(found.items())
        if len(splits) > 1
    }
