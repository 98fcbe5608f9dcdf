"""A student learns to say what an ensemble of teachers says.

The student hears random chunks; its targets are the teachers' logits for the whole track, combined as
their ensemble combines them. Tracks carry no labels: the manifest says only which to train on, which
to choose the best weights by and which to measure on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tagkit import losses, models
from tagkit.audio import window_starts
from tagkit.data.cache import FLOOR, decibel
from tagkit.features import LogMel
from tagkit.metrics import rank_correlation
from tagkit.recipe import Recipe, Train
from tagkit.thresholds import expected_shares, for_shares
from tagkit.training.loop import Batch, Plan, fit
from tagkit.vocab import Tag
from tagkit.weights.card import Card

FloatArray = NDArray[np.float32]
#: Beyond this the teachers' logits say how sure they are that a tag is absent, not which track has it.
EPSILON = 1e-3


@dataclass(frozen=True)
class Tracks:
    """``mels``: one (mels, frames) uint8 a track; ``targets``: (tracks, tags) probabilities."""

    mels: Sequence[Tensor]
    targets: FloatArray


@dataclass(frozen=True)
class Student:
    """What comes out: the model, its card, and the rank correlation with its teachers a tag (tags,)."""

    model: models.TagModel
    front_end: LogMel
    card: Card
    agreement: NDArray[np.float64]


def distill(
    recipe: Recipe,
    tags: Sequence[Tag],
    tracks: dict[str, Tracks],
    run: Path,
    *,
    resume: bool = False,
) -> Student:
    """Train as ``recipe`` says on ``tracks["train"]``, choose on "validation", measure on "test"."""
    front_end = models.entry(recipe.architecture).front_end
    assert front_end is not None
    torch.manual_seed(recipe.train.seed)
    model = models.build(recipe.architecture, len(tags), **recipe.arguments)
    logits = _logits(tracks["train"].targets)
    spread = logits.std(0).clamp_min(0.05)
    plan = Plan(
        batch=_Batches(tracks["train"].mels, logits, front_end.frames, recipe.train),
        loss=lambda found, wanted: losses.logit_matching(found, wanted, spread=spread.to(found)),
        validate=lambda m: float(np.nanmean(agreement(m, tracks["validation"], front_end.frames))),
    )
    best = fit(model, plan, recipe.train, run, resume=resume)
    measured = agreement(model, tracks["test"], front_end.frames)
    chosen = Tracks(
        [*tracks["train"].mels, *tracks["validation"].mels],
        np.concatenate([tracks["train"].targets, tracks["validation"].targets]),
    )
    card = Card(
        name=recipe.name,
        architecture=recipe.architecture,
        arguments=dict(recipe.arguments),
        front_end=front_end,
        tags=tuple(tags),
        outputs=tuple(tag.name for tag in tags),
        thresholds=_thresholds(model, chosen, recipe, tags, front_end.frames),
        licence=recipe.licence or None,
        title=recipe.title,
        training_data=recipe.training_data,
        notes=recipe.notes,
        scores={
            "rank correlation with the mean of the teachers, mean over tags": {
                "test tracks": round(float(np.nanmean(measured)), 4),
                "validation tracks": round(best, 4),
            },
            "tracks": {split: len(given.mels) for split, given in tracks.items()},
        },
    )
    return Student(model, LogMel(front_end), card, measured)


class _Batches:
    """The batch of a step: random chunks of random tracks, changed a little, with their targets."""

    def __init__(self, mels: Sequence[Tensor], logits: Tensor, frames: int, train: Train) -> None:
        self.mels, self.logits, self.frames, self.train = mels, logits, frames, train

    def __call__(self, step: int) -> Batch:
        random = np.random.default_rng((self.train.seed, step))
        images, targets = self._chunks(random)
        if self.train.mixup:
            others, theirs = self._chunks(random)
            share = _column(random.beta(2.0, 2.0, self.train.batch))
            share[_column(random.random(self.train.batch)) > self.train.mixup] = 1.0
            images = _add(images, others, share[:, :, None])
            targets = share * targets + (1 - share) * theirs
        gain = _column(random.uniform(-self.train.gain, self.train.gain, self.train.batch))
        images = images + gain[:, :, None]
        for image in images if self.train.mask else ():
            width = int(random.integers(0, self.train.mask + 1))
            low = int(random.integers(0, image.shape[0] - width + 1))
            image[low : low + width] = image.mean()
        return images.clamp_min(FLOOR), targets

    def _chunks(self, random: np.random.Generator) -> Batch:
        chosen = random.integers(0, len(self.mels), self.train.batch)
        chunks = []
        for track in chosen:
            start = int(random.integers(0, self.mels[track].shape[1] - self.frames + 1))
            chunks.append(self.mels[track][:, start : start + self.frames])
        return decibel(torch.stack(chunks)), self.logits[torch.from_numpy(chosen)]


def _column(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))[:, None]


def _add(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    """Mix two dB images as sounds mix, in power."""
    return 10.0 * torch.log10(share * 10.0 ** (a / 10.0) + (1 - share) * 10.0 ** (b / 10.0) + 1e-10)


def _logits(probabilities: FloatArray) -> Tensor:
    clipped = np.clip(probabilities, EPSILON, 1 - EPSILON)
    return torch.from_numpy(np.log(clipped / (1 - clipped)).astype(np.float32))


@torch.inference_mode()
def predict(model: nn.Module, tracks: Tracks, frames: int) -> FloatArray:
    """Return (tracks, tags): each track's mean probability over windows spread over all of it."""
    found = []
    for mel in tracks.mels:
        starts = window_starts(mel.shape[1], frames)
        chunks = torch.stack([mel[:, start : start + frames] for start in starts])
        found.append(torch.sigmoid(model(decibel(chunks))).mean(0))
    return torch.stack(found).numpy()


def agreement(model: nn.Module, tracks: Tracks, frames: int) -> NDArray[np.float64]:
    """Return the rank correlation of each tag (tags,) with the targets."""
    return rank_correlation(predict(model, tracks, frames), tracks.targets)


def _thresholds(
    model: nn.Module, tracks: Tracks, recipe: Recipe, tags: Sequence[Tag], frames: int
) -> tuple[float, ...]:
    """As many tags a track as the recipe says, shared out as the teachers raise them on these tracks."""
    shares = expected_shares(tracks.targets.mean(0), tags, recipe.tags_per_track)
    cuts = for_shares(predict(model, tracks, frames), shares)
    return tuple(round(float(cut), 4) for cut in cuts)
