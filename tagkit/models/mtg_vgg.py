"""The VGG-like mood/theme baseline of MTG-Jamendo: Bogdanov et al., "The MTG-Jamendo dataset for automatic music
tagging", ICML workshop 2019 (12 kHz, 96 mels, 1,366 frames)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from tagkit.models.base import TagModel

POOLS = ((2, 4), (2, 4), (2, 4), (3, 5), (4, 4))


class MtgVgg(TagModel):
    """dB ``(batch, 96, 1366)`` → logits ``(batch, tags)``; embedding of 64 dims.

    The published checkpoint hears 10·log10(power), as its BatchNorm statistics show (mean −22.7),
    though the published script writes 20·log10.
    """

    def __init__(self, tags: int, channels: int = 64) -> None:
        super().__init__()
        self.bn_init = nn.BatchNorm2d(1)
        widths = (1, *(channels * times for times in (1, 2, 2, 2, 1)))
        for number, (inputs, outputs) in enumerate(pairwise(widths), 1):
            self.add_module(f"conv_{number}", nn.Conv2d(inputs, outputs, 3, padding=1))
            self.add_module(f"bn_{number}", nn.BatchNorm2d(outputs))
        self.dropout = nn.Dropout(0.5)
        self.dense = nn.Linear(channels, tags)

    def embed(self, x: Tensor) -> Tensor:
        x = self.bn_init(x[:, None])
        for number, pool in enumerate(POOLS, 1):
            conv, norm = getattr(self, f"conv_{number}"), getattr(self, f"bn_{number}")
            x = F.max_pool2d(F.elu(norm(conv(x))), pool)
        return x.amax((2, 3))

    def head(self, x: Tensor) -> Tensor:
        logits: Tensor = self.dense(self.dropout(x))
        return logits
