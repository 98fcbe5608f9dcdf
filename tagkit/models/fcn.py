"""Fully convolutional network: Choi, Fazekas, Sandler, "Automatic tagging using deep convolutional neural
networks", ISMIR 2016, as in minzwon/sota-music-tagging-models (29 s, 96 mels)."""

from __future__ import annotations

from torch import Tensor, nn

from tagkit.models.base import TagModel
from tagkit.models.blocks import ConvBlock


class FCN(TagModel):
    """dB ``(batch, 96, 1813)`` → logits ``(batch, tags)``; embedding of 64 dims."""

    def __init__(self, tags: int) -> None:
        super().__init__()
        self.spec_bn = nn.BatchNorm2d(1)
        self.layer1 = ConvBlock(1, 64, (2, 4))
        self.layer2 = ConvBlock(64, 128, (2, 4))
        self.layer3 = ConvBlock(128, 128, (2, 4))
        self.layer4 = ConvBlock(128, 128, (3, 5))
        self.layer5 = ConvBlock(128, 64, (4, 4))
        self.dropout = nn.Dropout(0.5)
        self.dense = nn.Linear(64, tags)

    def embed(self, x: Tensor) -> Tensor:
        x = self.spec_bn(x[:, None])
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4, self.layer5):
            x = layer(x)
        return x.flatten(1)

    def head(self, x: Tensor) -> Tensor:
        logits: Tensor = self.dense(self.dropout(x))
        return logits
