"""A bundle's network as every backend takes it: a copy, for listening only."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn

from tagkit.weights.bundle import Bundle


class Hearing(nn.Module):
    """What the front end makes ``(n, ...)`` → logits ``(n, tags)``, embedding ``(n, dims)``."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__()
        self.model = copy.deepcopy(bundle.model).float().eval().requires_grad_(False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.model.hear(x)


@torch.no_grad()
def example(bundle: Bundle, count: int) -> Tensor:
    """Tones over noise, of every loudness, as the front end hands them on: ``count`` chunks to try a network with.

    Raises ValueError for a bundle that hears no audio.
    """
    if bundle.front_end is None:
        raise ValueError(f"{bundle.card.name} hears no audio")
    spec = bundle.front_end.front_end
    random = torch.Generator().manual_seed(0)
    time = torch.arange(spec.chunk_samples) / spec.sample_rate
    pitches = 80 * 2 ** (5 * torch.rand((count, 4, 1), generator=random))
    tones = torch.sin(2 * math.pi * pitches * time).sum(1) * torch.cos(math.pi * time).abs()
    loudness = 10 ** (-3 * torch.rand((count, 1), generator=random))
    noise = torch.randn((count, spec.chunk_samples), generator=random)
    front_end = copy.deepcopy(bundle.front_end).cpu()
    found: Tensor = front_end(0.2 * (loudness * tones + loudness.flip(0) * noise))
    return found
