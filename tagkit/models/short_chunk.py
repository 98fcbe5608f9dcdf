"""Short-chunk CNN and ResCNN: Won, Ferraro, Bogdanov, Serra, "Evaluation of CNN-based automatic music tagging
models", SMC 2020 (3.69 s, 128 mels). Seven layers, each of which halves the image: 3×3 convolutions with pooling,
or residual blocks with strides."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from tagkit.models.base import TagModel
from tagkit.models.blocks import ConvBlock, ResBlock


class ShortChunkCNN(TagModel):
    """dB ``(batch, 128, 231)`` → logits ``(batch, tags)``; embedding of 512 dims."""

    def __init__(self, tags: int, channels: int = 128) -> None:
        super().__init__()
        widths = [1, *(channels * times for times in (1, 1, 2, 2, 2, 2, 4))]
        self.spec_bn = nn.BatchNorm2d(1)
        for number, (inputs, outputs) in enumerate(pairwise(widths), 1):
            self.add_module(f"layer{number}", self._layer(inputs, outputs))
        self.dense1 = nn.Linear(widths[-1], widths[-1])
        self.bn = nn.BatchNorm1d(widths[-1])
        self.dropout = nn.Dropout(0.5)
        self.dense2 = nn.Linear(widths[-1], tags)

    def _layer(self, inputs: int, outputs: int) -> nn.Module:
        return ConvBlock(inputs, outputs, (2, 2))

    def embed(self, x: Tensor) -> Tensor:
        x = self.spec_bn(x[:, None])
        for number in range(1, 8):
            x = getattr(self, f"layer{number}")(x)
        x = x.squeeze(2).amax(-1)
        return F.relu(self.bn(self.dense1(x)))

    def head(self, x: Tensor) -> Tensor:
        logits: Tensor = self.dense2(self.dropout(x))
        return logits


class ShortChunkResCNN(ShortChunkCNN):
    """The same with residual blocks."""

    def _layer(self, inputs: int, outputs: int) -> nn.Module:
        return ResBlock(inputs, outputs)
