"""Fully convolutional network: Choi, Fazekas, Sandler, "Automatic tagging using deep convolutional neural
networks", ISMIR 2016, as in minzwon/sota-music-tagging-models (29 s, 96 mels)."""

from __future__ import annotations

from torch import Tensor, nn

from tagkit.models.base import TagModel
from tagkit.models.blocks import ConvBlock


class FCN(TagModel):
    """dB ``(batch, 96, 1813)`` → logits ``(batch, tags)``; embedding of 64 dims.

    128 mels and other lengths from 1,280 frames on will do: a longer image is judged by its loudest place.
    """

    def __init__(self, tags: int, channels: int = 64) -> None:
        super().__init__()
        self.spec_bn = nn.BatchNorm2d(1)
        self.layer1 = ConvBlock(1, channels, (2, 4))
        self.layer2 = ConvBlock(channels, 2 * channels, (2, 4))
        self.layer3 = ConvBlock(2 * channels, 2 * channels, (2, 4))
        self.layer4 = ConvBlock(2 * channels, 2 * channels, (3, 5))
        self.layer5 = ConvBlock(2 * channels, channels, (4, 4))
        self.dropout = nn.Dropout(0.5)
        self.dense = nn.Linear(channels, tags)

    def embed(self, x: Tensor) -> Tensor:
        x = self.spec_bn(x[:, None])
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4, self.layer5):
            x = layer(x)
        return x.amax((2, 3))

    def head(self, x: Tensor) -> Tensor:
        logits: Tensor = self.dense(self.dropout(x))
        return logits
