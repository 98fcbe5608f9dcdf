"""A small temporal CNN, ours: the mel bands are the channels of a 1-D network of dilated separable convolutions
with shortcuts, after Bai, Kolter, Koltun, "An empirical evaluation of generic convolutional and recurrent
networks for sequence modeling", 2018. It sees timbre as one vector a frame, where :mod:`~tagkit.models.ds_cnn`
sees shapes in the image: the two err differently."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tagkit.models.base import TagModel

DILATIONS = (1, 2, 4, 8)


class DilatedBlock(nn.Module):
    """Pointwise, ReLU, depthwise over 5 frames, with BatchNorm and a shortcut: ``(b, channels, t)`` kept."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(
            channels,
            channels,
            5,
            padding=2 * dilation,
            dilation=dilation,
            groups=channels,
            bias=False,
        )
        self.bn_1 = nn.BatchNorm1d(channels)
        self.pointwise = nn.Conv1d(channels, channels, 1, bias=False)
        self.bn_2 = nn.BatchNorm1d(channels)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn_1(self.depthwise(x)))
        return F.relu(self.bn_2(self.pointwise(out)) + x)


class MelTCN(TagModel):
    """dB ``(batch, mels, frames)`` → logits ``(batch, tags)``; embedding of ``dense`` dims."""

    def __init__(self, tags: int, mels: int = 96, channels: int = 224, dense: int = 256) -> None:
        super().__init__()
        self.spec_bn = nn.BatchNorm1d(mels)
        self.stem = nn.Conv1d(mels, channels, 3, stride=2, padding=1, bias=False)
        self.stem_bn = nn.BatchNorm1d(channels)
        self.blocks = nn.Sequential(*(DilatedBlock(channels, d) for d in DILATIONS))
        self.dense1 = nn.Linear(channels * 3, dense)
        self.bn = nn.BatchNorm1d(dense)
        self.dropout = nn.Dropout(0.3)
        self.dense2 = nn.Linear(dense, tags)

    def embed(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem_bn(self.stem(self.spec_bn(x))))
        x = self.blocks(x)
        mean = x.mean(2)
        spread = (x - mean[:, :, None]).square().mean(2).clamp_min(1e-6).sqrt()
        pooled = torch.cat([mean, x.amax(2), spread], 1)
        return F.relu(self.bn(self.dense1(pooled)))

    def head(self, x: Tensor) -> Tensor:
        logits: Tensor = self.dense2(self.dropout(x))
        return logits
