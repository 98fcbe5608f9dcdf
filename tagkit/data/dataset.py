"""What training and evaluation know of a dataset: tracks in order, their tags, and which split each is in.

A reader (``mtat.py``, ``mtg_jamendo.py`` ...) makes a :class:`Dataset` out of what lies on disk; nothing
after it knows where the labels came from.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagkit.errors import DataError
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
    ``warnings``: what a person should know of how it was read, a sentence each.
    """

    name: str
    root: Path
    outputs: tuple[str, ...]
    tags: tuple[Tag, ...]
    tracks: tuple[Track, ...]
    kind: str = "audio"
    warnings: tuple[str, ...] = ()

    def split(self, name: str) -> Dataset:
        """The tracks of one split, in order."""
        return replace(self, tracks=tuple(t for t in self.tracks if t.split == name))

    def keep(self, tracks: Iterable[Track]) -> Dataset:
        """The same dataset with these tracks only."""
        return replace(self, tracks=tuple(tracks))

    def warn(self, *sentences: str) -> Dataset:
        """The same dataset with more to say."""
        return replace(self, warnings=(*self.warnings, *sentences))

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


def join(first: Dataset, other: Dataset) -> Dataset:
    """Return the tracks of both, labelled with the first one's outputs.

    A tag of ``other`` is the output of the same spelling, else those that mean the same; its tracks
    with none of them are left out: nobody looked for the first one's tags there. Raises DataError
    where they have no tag in common or are of another kind.
    """
    if first.kind != other.kind:
        raise DataError(f"{other.name} holds {other.kind}, {first.name} {first.kind}")
    root = Path(os.path.commonpath([first.root.absolute(), other.root.absolute()]))
    meant = {
        output: frozenset(
            {output} & set(first.outputs)
            or {name for name, known in zip(first.outputs, first.tags, strict=True) if known == tag}
        )
        for output, tag in zip(other.outputs, other.tags, strict=True)
    }
    added = [
        track._replace(tags=frozenset[str]().union(*(meant[tag] for tag in track.tags)))
        for track in other.tracks
    ]
    added = [track for track in added if track.tags]
    if not added:
        raise DataError(f"no track of {other.name} has a tag of {first.name}")
    tracks = [*_below(root, first.root, first.tracks), *_below(root, other.root, added)]
    name = f"{first.name}+{other.name}"
    left_out = len(other.tracks) - len(added)
    warnings = (*first.warnings, *(f"{other.name}: {warning}" for warning in other.warnings))
    if left_out:
        warnings += (f"{left_out:,} tracks of {other.name} have no tag of {first.name}: left out",)
    return replace(first, name=name, root=root, tracks=tuple(tracks), warnings=warnings)


def _below(root: Path, own: Path, tracks: Iterable[Track]) -> list[Track]:
    folder = own.absolute().relative_to(root)
    return [track._replace(path=(folder / track.path).as_posix()) for track in tracks]
