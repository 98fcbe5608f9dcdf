"""Which chunks of which tracks an update learns from: a function of the seed and its number alone.

So a resumed run sees what an uninterrupted one would, and several processes take their slices of one and
the same batch. Reading may happen in other processes, to which a :class:`Batches` is sent by pickle where
the system does not fork; what it yields is compact, as it is cached.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from tagkit.data.cache import Cache

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


class Features(Sequence[Array]):
    """The cached features of files, opened as they are asked for: no file stays open."""

    def __init__(self, cache: Cache, paths: Sequence[Path]) -> None:
        self.cache, self.paths = cache, list(paths)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: Any) -> Any:
        return self.cache.get(self.paths[row])


class Updates(Dataset[Batch]):
    """What each update learns from, by the part of it that is asked for."""

    def __getitem__(self, part: Slice) -> Batch:
        raise NotImplementedError

    def rows(self, part: Slice) -> NDArray[np.int64]:
        """Return the tracks (chunks,) that a part takes its chunks from."""
        raise NotImplementedError


class Batches(Updates):
    """``batch`` random chunks an update.

    ``features``: (…, frames) or (samples,) a track, at least ``length`` long; ``targets``: (tracks,
    tags) float32; ``order(number)``: the tracks of one pass through them all. Passes follow each other
    without regard to epochs, so that no track is left out.
    """

    def __init__(
        self,
        features: Sequence[Array],
        targets: NDArray[np.float32],
        *,
        length: int,
        order: Callable[[int], NDArray[np.int64]],
        batch: int,
        seed: int,
    ) -> None:
        self.features, self.targets, self.length = features, targets, length
        self.batch, self.seed = batch, seed
        self._order = order
        self._passes = {0: order(0)}
        self._tracks = len(self._passes[0])

    @property
    def steps_per_pass(self) -> int:
        """The fewest updates after which every track was heard."""
        return -(-self._tracks // self.batch)

    def __getitem__(self, part: Slice) -> Batch:
        rows = self.rows(part)
        places = chance(self.seed, "place", part.step).random(self.batch)[self._span(part)]
        chunks = [self._cut(self.features[r], p) for r, p in zip(rows, places, strict=True)]
        targets = torch.from_numpy(self.targets[rows])
        return Batch(torch.from_numpy(np.stack(chunks)), targets, torch.from_numpy(rows))

    def rows(self, part: Slice) -> NDArray[np.int64]:
        """Return the tracks (chunks,) that a part takes its chunks from."""
        positions = part.step * self.batch + np.arange(self.batch)[self._span(part)]
        found = [divmod(position, self._tracks) for position in positions.tolist()]
        return np.array([self._pass(number)[place] for number, place in found], np.int64)

    def _pass(self, number: int) -> NDArray[np.int64]:
        """Return the order of a pass; the last two are kept, for a batch may reach into the next."""
        if number not in self._passes:
            self._passes = {**dict([*self._passes.items()][-1:]), number: self._order(number)}
        return self._passes[number]

    def _span(self, part: Slice) -> slice:
        size = self.batch // part.of
        return slice(part.number * size, (part.number + 1) * size)

    def _cut(self, feature: Array, place: float) -> Array:
        start = int(place * (feature.shape[-1] - self.length + 1))
        return feature[..., start : start + self.length]


_PURPOSES = ("place", "augment", "network", "clip")


def chance(seed: int, purpose: str, *numbers: int) -> np.random.Generator:
    """Return a source of chance of its own for each seed, purpose and numbers."""
    # From 1: NumPy takes trailing zeros of a seed for nothing at all.
    return np.random.default_rng((seed, *numbers, 1 + _PURPOSES.index(purpose)))
