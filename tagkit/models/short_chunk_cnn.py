"""Short-chunk CNN: Won, Ferraro, Bogdanov, Serra, "Evaluation of CNN-based automatic music tagging models",
SMC 2020: seven 3×3 convolutions, each followed by 2×2 pooling (3.69 s, 128 mels)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from tagkit.models.base import TagModel
from tagkit.models.blocks import ConvBlock


class ShortChunkCNN(TagModel):
    """dB ``(batch, 128, 231)`` → logits ``(batch, tags)``; embedding of 512 dims."""

    def __init__(self, tags: int, channels: int = 128) -> None:
        super().__init__()
        self.spec_bn = nn.BatchNorm2d(1)
        self.layer1 = ConvBlock(1, channels, (2, 2))
        self.layer2 = ConvBlock(channels, channels, (2, 2))
        self.layer3 = ConvBlock(channels, channels * 2, (2, 2))
        self.layer4 = ConvBlock(channels * 2, channels * 2, (2, 2))
        self.layer5 = ConvBlock(channels * 2, channels * 2, (2, 2))
        self.layer6 = ConvBlock(channels * 2, channels * 2, (2, 2))
        self.layer7 = ConvBlock(channels * 2, channels * 4, (2, 2))
        self.dense1 = nn.Linear(channels * 4, channels * 4)
        self.bn = nn.BatchNorm1d(channels * 4)
        self.dropout = nn.Dropout(0.5)
        self.dense2 = nn.Linear(channels * 4, tags)

    def embed(self, x: Tensor) -> Tensor:
        x = self.spec_bn(x[:, None])
        for number in range(1, 8):
            x = getattr(self, f"layer{number}")(x)
        x = x.squeeze(2).amax(-1)
        return F.relu(self.bn(self.dense1(x)))

    def head(self, x: Tensor) -> Tensor:
        logits: Tensor = self.dense2(self.dropout(x))
        return logits
