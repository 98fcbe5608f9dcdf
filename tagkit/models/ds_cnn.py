"""A small depthwise-separable 2-D CNN, ours, after Howard et al., "MobileNets", 2017: 3×3 depthwise and 1×1
pointwise convolutions over a (mel, time) image, so that a CPU core hears a 3 s chunk in milliseconds."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tagkit.models.base import TagModel

#: (channels, stride) of each block; the stem halves the image before them.
BLOCKS = ((48, 2), (48, 1), (96, 2), (96, 1), (96, 1), (192, 2), (192, 1), (192, 1), (256, 1))


class SeparableBlock(nn.Module):
    """Depthwise 3×3, pointwise 1×1, each with BatchNorm and ReLU; a shortcut where shapes agree."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)
        self.bn_1 = nn.BatchNorm2d(inputs)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.bn_2 = nn.BatchNorm2d(outputs)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn_1(self.depthwise(x)))
        out = F.relu(self.bn_2(self.pointwise(out)))
        return out + x if self.residual else out


class DsCNN(TagModel):
    """dB ``(batch, mels, frames)`` → logits ``(batch, tags)``; embedding of ``dense`` dims.

    ``width``: MobileNets' width multiplier of the blocks.
    """

    def __init__(self, tags: int, stem: int = 24, dense: int = 256, width: float = 1.0) -> None:
        super().__init__()
        self.spec_bn = nn.BatchNorm2d(1)
        self.stem = nn.Conv2d(1, stem, 3, 2, 1, bias=False)
        self.stem_bn = nn.BatchNorm2d(stem)
        widths = [stem, *(max(1, round(channels * width)) for channels, _ in BLOCKS)]
        self.blocks = nn.Sequential(
            *(
                SeparableBlock(inputs, outputs, stride)
                for (inputs, outputs), (_, stride) in zip(pairwise(widths), BLOCKS, strict=True)
            )
        )
        self.dense1 = nn.Linear(widths[-1] * 2, dense)
        self.bn = nn.BatchNorm1d(dense)
        self.dropout = nn.Dropout(0.3)
        self.dense2 = nn.Linear(dense, tags)

    def embed(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem_bn(self.stem(self.spec_bn(x[:, None]))))
        x = self.blocks(x).mean(2)
        pooled = torch.cat([x.mean(2), x.amax(2)], 1)
        return F.relu(self.bn(self.dense1(pooled)))

    def head(self, x: Tensor) -> Tensor:
        logits: Tensor = self.dense2(self.dropout(x))
        return logits
