"""Convolutional recurrent network: Choi, Fazekas, Sandler, Cho, "Convolutional recurrent neural networks for
music classification", ICASSP 2017, as in minzwon/sota-music-tagging-models (29 s, 96 mels)."""

from __future__ import annotations

from torch import Tensor, nn

from tagkit.models.base import TagModel
from tagkit.models.blocks import ConvBlock


class CRNN(TagModel):
    """dB ``(batch, 96, 1813)`` → logits ``(batch, tags)``; embedding of 32 dims, the GRU's last state.

    128 mels and any length from 96 frames on will do.
    """

    def __init__(self, tags: int, channels: int = 64) -> None:
        super().__init__()
        self.spec_bn = nn.BatchNorm2d(1)
        self.layer1 = ConvBlock(1, channels, (2, 2))
        self.layer2 = ConvBlock(channels, 2 * channels, (3, 3))
        self.layer3 = ConvBlock(2 * channels, 2 * channels, (4, 4))
        self.layer4 = ConvBlock(2 * channels, 2 * channels, (4, 4))
        self.layer5 = nn.GRU(2 * channels, channels // 2, 2, batch_first=True)
        self.dropout = nn.Dropout(0.5)
        self.dense = nn.Linear(channels // 2, tags)

    def embed(self, x: Tensor) -> Tensor:
        x = self.spec_bn(x[:, None])
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
        states, _ = self.layer5(x.squeeze(2).transpose(1, 2))
        last: Tensor = states[:, -1]
        return last

    def head(self, x: Tensor) -> Tensor:
        logits: Tensor = self.dense(self.dropout(x))
        return logits
