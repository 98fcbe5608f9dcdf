"""From cached chunks to what a network hears: decoded, changed at random where it trains, made an image."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from tagkit import augment, features, models
from tagkit.augment import audio, image, mixing
from tagkit.data.cache import decibel, pcm
from tagkit.errors import RecipeError
from tagkit.front_end import FrontEnd
from tagkit.recipe import Recipe
from tagkit.training.batches import Batch


def front_end_of(recipe: Recipe) -> FrontEnd:
    """Return what the recipe's network hears. Raises RecipeError for changes that cannot be made."""
    row = models.entry(recipe.architecture)
    if row.front_end is None:
        raise RecipeError(
            f"{recipe.architecture} learns from what models say, not from audio",
            hint="fit it with tagkit ensemble fit",
        )
    try:
        return replace(row.front_end, **recipe.front_end)
    except TypeError as error:
        known = ", ".join(asdict(row.front_end))
        raise RecipeError(f"front_end: {error}", hint=f"known: {known}") from error


def require_chunks(recipe: Recipe, front_end: FrontEnd, chunks: int) -> None:
    """Raise RecipeError where the network cannot learn from so few ``chunks`` at once: BatchNorm needs
    two values of each channel. Tried without memory or arithmetic."""
    if chunks > 1:
        return
    shape = (front_end.n_mels, front_end.frames) if front_end.n_mels else (front_end.frames,)
    with torch.device("meta"):
        trial = models.build(recipe.architecture, 1, **recipe.arguments).train()
    try:
        trial(torch.zeros(chunks, *shape, device="meta"))
    except ValueError as error:
        raise RecipeError(
            f"{recipe.architecture} cannot learn from {chunks} chunk at once: {error}",
            hint="raise train.batch, or lower train.accumulate or the number of processes",
        ) from error


class Inputs:
    """The way of a chunk, on ``device``.

    ``samples``: it is cached as audio, because the network hears audio or ``settings`` change audio;
    else as a log-mel. ``length``: of a chunk, in samples or frames.
    """

    def __init__(
        self, front_end: FrontEnd, settings: augment.Settings, device: torch.device
    ) -> None:
        self.settings = settings
        self.samples = not front_end.n_mels or settings.on_audio
        self.length = front_end.chunk_samples if self.samples else front_end.frames
        self._decode = pcm if self.samples else decibel
        front = features.build(front_end) if self.samples else nn.Identity()
        self._front: nn.Module = front.to(device)
        self._is_image = bool(front_end.n_mels)
        self._change_audio = audio.audio_chain(settings, front_end.sample_rate)
        self._change_image = image.image_chain(settings)

    def plain(self, stored: Tensor) -> Tensor:
        """Return the network's input for cached chunks, unchanged."""
        heard: Tensor = self._front(self._decode(stored))
        return heard

    def changed(self, batch: Batch, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return the network's input and the targets for a training batch, augmented and mixed.

        Audio is mixed as audio, images as the power they stand for, before they are masked.
        """
        heard, targets = self._decode(batch.inputs), batch.targets
        if self.samples:
            heard = self._change_audio(heard, random)
            heard, targets = self._mix(heard, targets, random, "linear")
            heard = self._front(heard)
        else:
            heard, targets = self._mix(heard, targets, random, "power")
        if self._is_image:
            heard = self._change_image(heard, random)
        return heard, targets

    def _mix(
        self,
        heard: Tensor,
        targets: Tensor,
        random: np.random.Generator,
        domain: Literal["linear", "power"],
    ) -> tuple[Tensor, Tensor]:
        if not self.settings.mixup:
            return heard, targets
        return mixing.mixup(
            heard,
            targets,
            alpha=self.settings.mixup,
            share=self.settings.mixup_share,
            random=random,
            domain=domain,
        )
