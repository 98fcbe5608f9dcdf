"""The ResCNN of the focal-loss paper: Knox, Greer, Ma, Kuo, Somandepalli, Narayanan, "MediaEval 2020 emotion and
theme recognition in music task: loss function approaches for multi-label music tagging" (4.6 s, 128 mels).

The short-chunk ResCNN with its last two strides (2, 3), wider in time, and a last layer of half the width. Its
published code returns logits; the "softmax" in print is a sigmoid."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from tagkit.models.base import TagModel
from tagkit.models.blocks import ResBlock

LAYERS = ("layer1", "layer2", "layer3", "layer4", "layer5", "layer6_2_3", "layer7_2_3")


class FocalResCNN(TagModel):
    """dB ``(batch, 128, 288)`` → logits ``(batch, tags)``; embedding of 256 dims."""

    def __init__(self, tags: int, channels: int = 128) -> None:
        super().__init__()
        self.spec_bn = nn.BatchNorm2d(1)
        self.layer1 = ResBlock(1, channels)
        self.layer2 = ResBlock(channels, channels)
        self.layer3 = ResBlock(channels, channels * 2)
        self.layer4 = ResBlock(channels * 2, channels * 2)
        self.layer5 = ResBlock(channels * 2, channels * 2)
        self.layer6_2_3 = ResBlock(channels * 2, channels * 2, (2, 3))
        self.layer7_2_3 = ResBlock(channels * 2, channels * 4, (2, 3))
        self.dense_1 = nn.Linear(channels * 4, channels * 2)
        self.bn_1 = nn.BatchNorm1d(channels * 2)
        self.dropout = nn.Dropout(0.5)
        self.dense_2 = nn.Linear(channels * 2, tags)

    def embed(self, x: Tensor) -> Tensor:
        x = self.spec_bn(x[:, None])
        for name in LAYERS:
            x = getattr(self, name)(x)
        x = x.squeeze(2).amax(-1)
        return F.relu(self.bn_1(self.dense_1(x)))

    def head(self, x: Tensor) -> Tensor:
        logits: Tensor = self.dense_2(self.dropout(x))
        return logits
