"""What training and evaluation know of a dataset: tracks in order, their tags, and which split each is in.

A reader (``mtat.py``, ``mtg_jamendo.py`` ...) makes a :class:`Dataset` out of what lies on disk; nothing
after it knows where the labels came from.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagkit.vocab import Tag

SPLITS = ("train", "validation", "test")


class Track(NamedTuple):
    """``path``: below the dataset's root, with forward slashes; ``tags``: a subset of the dataset's
    outputs; ``artist``, ``album``: what groups tracks that must not be torn apart, or ""."""

    id: str
    path: str
    split: str
    tags: frozenset[str]
    artist: str = ""
    album: str = ""


@dataclass(frozen=True)
class Dataset:
    """``outputs``: the tags as the dataset spells them, in the order of a model's outputs; ``tags``: what
    each means here, canonical. ``tracks``: in the dataset's own order.

    ``kind``: "audio", or "mel" for tracks that are log-mel images already (mels, frames).
    """

    name: str
    root: Path
    outputs: tuple[str, ...]
    tags: tuple[Tag, ...]
    tracks: tuple[Track, ...]
    kind: str = "audio"

    def split(self, name: str) -> Dataset:
        """The tracks of one split, in order."""
        return replace(self, tracks=tuple(t for t in self.tracks if t.split == name))

    def keep(self, tracks: Iterable[Track]) -> Dataset:
        """The same dataset with these tracks only."""
        return replace(self, tracks=tuple(tracks))

    @cached_property
    def labels(self) -> NDArray[np.bool_]:
        """(tracks, outputs): whether the track has the tag."""
        column = {output: number for number, output in enumerate(self.outputs)}
        found = np.zeros((len(self.tracks), len(self.outputs)), dtype=bool)
        for row, track in enumerate(self.tracks):
            found[row, [column[tag] for tag in track.tags]] = True
        return found

    @property
    def counts(self) -> NDArray[np.int64]:
        """(outputs,): how many of the tracks have each tag."""
        return np.asarray(self.labels.sum(0), dtype=np.int64)
