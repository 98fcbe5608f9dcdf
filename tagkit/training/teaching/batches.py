"""Which chunks of which lessons an update learns from: so many of each kind, two and two of a clip."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tagkit.data import samplers
from tagkit.data.kept import Kept
from tagkit.recipe import Recipe
from tagkit.training.batches import Batch, Passes, Slice, Updates, chance, stacked

FloatArray = NDArray[np.float32]
#: A chunk begins within so many seconds of the window that the teachers heard.
JITTER = 0.25


class LessonBatches(Updates):
    """Batches of a part of ``recipe.train.batch`` chunks for each of ``kinds``.

    Of each kind: its ``images`` (files, see ``lessons.Lesson``), its ``targets`` (lessons, windows, width)
    and its part of a batch, in clips of ``recipe.distill.chunks``. ``starts``: frames at which the
    windows begin; ``length``: frames of a chunk; ``rate``: frames a second.
    """

    def __init__(
        self,
        kinds: Sequence[tuple[Sequence[Path], FloatArray, int]],
        recipe: Recipe,
        starts: Sequence[int],
        length: int,
        rate: float,
    ) -> None:
        self.images = [path for images, _, _ in kinds for path in images]
        self.targets = [targets for _, targets, _ in kinds]
        self.clips = [clips for _, _, clips in kinds]
        self.firsts = np.cumsum([0, *(len(images) for images, _, _ in kinds)])
        self.seed, self.chunks = recipe.train.seed, recipe.distill.chunks
        self.starts, self.length = np.array(starts), length
        self.jitter = round(JITTER * rate)
        self._orders = [
            Passes(samplers.build("standard", np.ones((len(t), 1), bool), self.seed + number))
            for number, t in enumerate(self.targets)
        ]

    def __getitem__(self, part: Slice) -> Batch:
        random = chance(self.seed, "place", part.step, part.number)
        chunks, targets, rows = [], [], []
        for kind, numbers in enumerate(self._numbers(part)):
            for number in numbers.tolist():
                row = int(self.firsts[kind]) + number
                image = Kept(self.images[row])
                windows = self.targets[kind].shape[1]
                drawn = (
                    random.permutation(windows) if windows >= self.chunks else np.arange(windows)
                )
                for window in np.resize(drawn, self.chunks).tolist():
                    chunks.append(self._cut(image, window, random))
                    targets.append(self.targets[kind][number, window])
                    rows.append(row)
        return Batch(
            torch.from_numpy(stacked(chunks)),
            torch.from_numpy(np.stack(targets)),
            torch.tensor(rows),
        )

    def rows(self, part: Slice) -> NDArray[np.int64]:
        """Return the lessons (chunks,) that a part takes its chunks from."""
        found = [self.firsts[kind] + numbers for kind, numbers in enumerate(self._numbers(part))]
        return np.repeat(np.concatenate(found), self.chunks).astype(np.int64)

    def _numbers(self, part: Slice) -> list[NDArray[np.int64]]:
        """The lessons of each kind in a part. Passes through all of a kind follow each other."""
        found = []
        for clips, order, targets in zip(self.clips, self._orders, self.targets, strict=True):
            mine = clips // part.of
            first = part.step * clips + part.number * mine
            found.append(
                np.array(
                    [
                        order(p // len(targets))[p % len(targets)]
                        for p in range(first, first + mine)
                    ],
                    np.int64,
                )
            )
        return found

    def _cut(self, image: Kept, window: int, random: np.random.Generator) -> NDArray[np.uint8]:
        start = int(self.starts[window] + random.integers(-self.jitter, self.jitter + 1))
        start = min(max(0, start), image.shape[1] - self.length)
        return image[..., start : start + self.length]
