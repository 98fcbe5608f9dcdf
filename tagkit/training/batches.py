"""Which chunks of which tracks an update learns from: a function of the seed and its number alone.

So a resumed run sees what an uninterrupted one would, several processes take their slices of one and the
same batch, and threads may make them in any order, ahead of the network (:mod:`tagkit.training.ahead`). What
they hold is compact, as it is cached.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tagkit.data.cache import Cache
from tagkit.data.kept import Pieces

Array = NDArray[Any]


class Batch(NamedTuple):
    """``inputs``: chunks as they are cached, (chunks, mels, frames) uint8 or (chunks, samples) int16;
    ``targets``: (chunks, tags) float32; ``tracks``: (chunks,), the rows they were cut from."""

    inputs: Tensor
    targets: Tensor
    tracks: Tensor


class Slice(NamedTuple):
    """Part ``number`` of the ``of`` equal parts of update ``step``."""

    step: int
    number: int = 0
    of: int = 1


class Features(Sequence[Pieces]):
    """The cached features of files, of which only the pieces asked for are read: no file stays open."""

    def __init__(self, cache: Cache, paths: Sequence[Path]) -> None:
        self.cache, self.paths = cache, list(paths)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: Any) -> Any:
        return self.cache.open(self.paths[row])


class Updates:
    """What each update learns from, by the part of it that is asked for; several threads may ask."""

    def __getitem__(self, part: Slice) -> Batch:
        raise NotImplementedError

    def rows(self, part: Slice) -> NDArray[np.int64]:
        """Return the tracks (chunks,) that a part takes its chunks from."""
        raise NotImplementedError


class Passes:
    """The order of each pass through the tracks; the last two are kept, for a batch may reach into the next."""

    def __init__(self, order: Callable[[int], NDArray[np.int64]]) -> None:
        self._order = order
        self._kept: dict[int, NDArray[np.int64]] = {}

    def __call__(self, number: int) -> NDArray[np.int64]:
        found = self._kept.get(number)
        if found is None:
            found = self._order(number)
            # Another thread may do the same meanwhile; both find the same.
            self._kept = {**dict([*self._kept.items()][-1:]), number: found}
        return found


class Batches(Updates):
    """``batch`` random chunks an update.

    ``features``: (…, frames) or (samples,) a track, at least ``length`` long; ``targets``: (tracks,
    tags) float32; ``order(number)``: the tracks of one pass through them all. Passes follow each other
    without regard to epochs, so that no track is left out.
    """

    def __init__(
        self,
        features: Sequence[Pieces],
        targets: NDArray[np.float32],
        *,
        length: int,
        order: Callable[[int], NDArray[np.int64]],
        batch: int,
        seed: int,
    ) -> None:
        self.features, self.targets, self.length = features, targets, length
        self.batch, self.seed = batch, seed
        self._pass = Passes(order)
        self._tracks = len(self._pass(0))

    @property
    def steps_per_pass(self) -> int:
        """The fewest updates after which every track was heard."""
        return -(-self._tracks // self.batch)

    def __getitem__(self, part: Slice) -> Batch:
        rows = self.rows(part)
        places = chance(self.seed, "place", part.step).random(self.batch)[self._span(part)]
        chunks = [self._cut(self.features[r], p) for r, p in zip(rows, places, strict=True)]
        targets = torch.from_numpy(self.targets[rows])
        return Batch(torch.from_numpy(stacked(chunks)), targets, torch.from_numpy(rows))

    def rows(self, part: Slice) -> NDArray[np.int64]:
        """Return the tracks (chunks,) that a part takes its chunks from."""
        positions = part.step * self.batch + np.arange(self.batch)[self._span(part)]
        found = [divmod(position, self._tracks) for position in positions.tolist()]
        return np.array([self._pass(number)[place] for number, place in found], np.int64)

    def _span(self, part: Slice) -> slice:
        size = self.batch // part.of
        return slice(part.number * size, (part.number + 1) * size)

    def _cut(self, feature: Pieces, place: float) -> Array:
        start = int(place * (feature.shape[-1] - self.length + 1))
        piece: Array = feature[..., start : start + self.length]
        return piece


def stacked(chunks: Sequence[Array]) -> Array:
    """Return chunks of one shape as one array, row by row: numpy would keep the order that they lie in."""
    return np.ascontiguousarray(np.stack(chunks))


_PURPOSES = ("place", "augment", "network", "clip")


def chance(seed: int, purpose: str, *numbers: int) -> np.random.Generator:
    """Return a source of chance of its own for each seed, purpose and numbers."""
    # From 1: NumPy takes trailing zeros of a seed for nothing at all.
    return np.random.default_rng((seed, *numbers, 1 + _PURPOSES.index(purpose)))
