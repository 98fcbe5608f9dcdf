"""Effects on log-mel images in dB, drawn anew for every chunk: gain, a masked band, SpecAugment."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from tagkit.augment.settings import Settings
from tagkit.features import AMIN

#: (batch, mels, frames) dB, changed to the same shape.
ImageChain: TypeAlias = Callable[[Tensor, np.random.Generator], Tensor]

#: dB of silence, below which no image goes.
FLOOR = 10 * math.log10(AMIN)


def image_chain(settings: Settings) -> ImageChain:
    """Return ``chain(images (batch, mels, frames) dB, random)`` with the effects of ``settings``.

    Masks are filled with the image's mean, which is what SpecAugment's zero is to a normalised image.
    """
    masks = [(0, settings.band_mask)] if settings.band_mask else []
    masks += [(0, settings.frequency_mask)] * settings.frequency_masks
    masks += [(1, settings.time_mask)] * settings.time_masks

    def chain(images: Tensor, random: np.random.Generator) -> Tensor:
        if settings.image_gain_db:
            gain = random.uniform(-settings.image_gain_db, settings.image_gain_db, len(images))
            images = images + torch.from_numpy(gain.astype(np.float32))[:, None, None].to(images)
        if masks:
            images = _masked(images, masks, random)
        return images.clamp_min(FLOOR)

    return chain


def _masked(
    images: Tensor, masks: Sequence[tuple[int, int]], random: np.random.Generator
) -> Tensor:
    """Fill, by each of ``masks`` (axis, most), a span of 0 to ``most`` rows or columns with each image's mean.

    All images at once: one by one, a GPU would wait for Python longer than for the network.
    """
    spans = [[_span(images.shape[1 + axis], most, random) for axis, most in masks] for _ in images]
    # (masks, ends, batch, 1), in one copy to the device
    drawn = torch.tensor(spans, dtype=torch.int64).permute(1, 2, 0)[..., None].to(images.device)
    for (axis, _), (start, end) in zip(masks, drawn, strict=True):
        places = torch.arange(images.shape[1 + axis], device=images.device)
        inside = ((places >= start) & (places < end)).unsqueeze(2 - axis)
        images = torch.where(inside, images.mean((1, 2), keepdim=True), images)
    return images


def _span(length: int, most: int, random: np.random.Generator) -> tuple[int, int]:
    width = int(random.integers(0, min(most, length) + 1))
    start = int(random.integers(0, length - width + 1))
    return start, start + width
