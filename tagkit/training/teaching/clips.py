"""Changed clips: what the student and the teachers hear alike.

A clip is a function of the seed and its number. Music is mixed with other music and changed by the
recipe's effects before anybody hears it, so a target is never a clean clip's for a changed one. Single
instruments are mixed with each other, and which of them sounds in which window is known. Every kind goes
through the same effects and codecs, so that none is known by its sound quality.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from tagkit.audio import window_starts
from tagkit.augment import Settings
from tagkit.augment.audio import AudioChain, audio_chain
from tagkit.data.cache import PEAK
from tagkit.data.kept import Pieces
from tagkit.data.sources import KINDS, Kind, Source
from tagkit.recipe import Distill
from tagkit.training.batches import chance

FloatArray = NDArray[np.float32]
#: A stem this far below the mix, in a window, is not to be heard there; down to AUDIBLE it surely is.
INAUDIBLE_DB, AUDIBLE_DB = -36.0, -22.0


class Clip(NamedTuple):
    """``samples`` (n,) float32; ``rows``: the sources that it was made of, the first the loudest, or the
    only one; ``levels``: (rows, windows) dB, each one's level in each window against the whole."""

    samples: FloatArray
    rows: tuple[int, ...]
    levels: FloatArray


def length(plan: Distill, rate: int) -> int:
    """Return the samples of a clip at ``rate`` Hz."""
    return round(plan.clip_seconds * rate)


def starts(plan: Distill, rate: int, window: int) -> list[int]:
    """Return where a clip's windows of ``window`` samples begin."""
    return window_starts(length(plan, rate), window, plan.windows)


@dataclass(frozen=True)
class Clips:
    """``sources`` with their ``audio``, int16 (samples,) each, as the cache keeps it at ``rate`` Hz."""

    sources: Sequence[Source]
    audio: Sequence[Pieces]
    rate: int
    window: int
    plan: Distill
    effects: Settings
    seed: int

    @property
    def length(self) -> int:
        """Samples of a clip."""
        return length(self.plan, self.rate)

    @cached_property
    def _rows(self) -> dict[Kind, list[int]]:
        return {
            kind: [row for row, source in enumerate(self.sources) if source.teach == kind]
            for kind in KINDS
        }

    @cached_property
    def _chain(self) -> AudioChain:
        return audio_chain(self.effects, self.rate)

    def make(self, kind: Kind, number: int) -> Clip:
        """Return the clip of that kind and number: always the same."""
        random = chance(self.seed, "clip", KINDS.index(kind), number)
        rows = self._rows[kind]
        chosen, levels = self._choose(kind, random)
        picked = tuple(
            int(row) for row in random.choice(rows, min(chosen, len(rows)), replace=False)
        )
        ratio = 1.0
        if random.random() < self.plan.speed:
            ratio = float(_between(random, self.plan.speed_ratio, 1)[0])
        parts = np.stack([self._span(row, ratio, random) for row in picked])
        parts *= 10 ** (levels[: len(picked), None] / 20)
        mixed = self._changed(parts.sum(0), random)
        return Clip(mixed, picked, self._levels(parts))

    def _choose(self, kind: Kind, random: np.random.Generator) -> tuple[int, FloatArray]:
        """How many sources are mixed, and at how many dB against the first."""
        if kind == "labels":
            count = int(random.integers(self.plan.stems[0], self.plan.stems[1] + 1))
            levels = _between(random, self.plan.stem_db, count)
        else:
            count = 1 + (kind == "teachers" and random.random() < self.plan.mix)
            levels = _between(random, self.plan.mix_db, count)
        levels[0] = 0
        return count, levels.astype(np.float32)

    def _span(self, row: int, ratio: float, random: np.random.Generator) -> FloatArray:
        """A place of a source, ``ratio`` times as fast, at a level of -20 dB; a short one is repeated."""
        given = self.audio[row]
        needed = math.ceil(self.length * ratio) + 1
        start = int(random.random() * (max(0, len(given) - needed) + 1))
        found = np.resize(given[start : start + needed], needed).astype(np.float32) / PEAK
        if ratio != 1:
            found = soxr.resample(found, self.rate * ratio, self.rate, quality="HQ")
        found = np.resize(found, self.length)
        loud = math.sqrt(float(np.square(found).mean()))
        # Digital silence stays silent.
        return (found * (0.1 / loud) if loud > 1e-4 else found).astype(np.float32)

    def _changed(self, samples: FloatArray, random: np.random.Generator) -> FloatArray:
        peak = max(1.0, float(np.abs(samples).max()))
        changed: FloatArray = self._chain(torch.from_numpy(samples / peak)[None], random)[0].numpy()
        return changed

    def _levels(self, parts: FloatArray) -> FloatArray:
        places = starts(self.plan, self.rate, self.window)
        windows = np.stack(
            [np.square(parts[:, start : start + self.window]).mean(1) for start in places], 1
        )
        levels: FloatArray = 10 * np.log10((windows + 1e-12) / (windows.sum(0) + 1e-9))
        return levels


def _between(random: np.random.Generator, ends: Sequence[float], count: int) -> NDArray[np.float64]:
    return random.uniform(ends[0], ends[1], count)
