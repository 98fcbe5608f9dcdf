"""Sample-level CNNs: Lee, Park, Kim, Nam, "Sample-level deep convolutional neural networks for music auto-tagging
using raw waveforms", SMC 2017, and with squeeze-and-excitation: Kim, Lee, Nam, "Sample-level CNN architectures for
music auto-tagging using raw waveforms", ICASSP 2018; as in minzwon/sota-music-tagging-models (3^10 samples)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tagkit.models.base import TagModel

#: Widths of the eleven layers, in ``channels``. The first strides over three samples, the next nine pool three values
#: each, so that 3^10 samples become one.
WIDTHS = (1, 1, 1, 2, 2, 2, 2, 2, 2, 4, 4)


def _shape(number: int) -> tuple[int, int, int]:
    """Filter length, stride and pooling of layer ``number``, from 1."""
    if number == 1:
        return 3, 3, 1
    return (1, 1, 1) if number == len(WIDTHS) else (3, 1, 3)


class SampleConv(nn.Module):
    """Convolution, BatchNorm, ReLU, max pooling: ``(b, inputs, t)`` → ``(b, outputs, t / stride / pool)``."""

    def __init__(self, inputs: int, outputs: int, length: int, stride: int, pool: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, length, stride, padding=length // 2)
        self.bn = nn.BatchNorm1d(outputs)
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool1d(F.relu(self.bn(self.conv(x))), self.pool)


class SampleResSE(nn.Module):
    """Two convolutions, their channels weighed by squeeze-and-excitation, a shortcut, max pooling."""

    def __init__(self, inputs: int, outputs: int, length: int, stride: int, pool: int) -> None:
        super().__init__()
        half = length // 2
        self.conv_1 = nn.Conv1d(inputs, outputs, length, stride, padding=half)
        self.bn_1 = nn.BatchNorm1d(outputs)
        self.conv_2 = nn.Conv1d(outputs, outputs, length, padding=half)
        self.bn_2 = nn.BatchNorm1d(outputs)
        self.dense1 = nn.Linear(outputs, outputs)
        self.dense2 = nn.Linear(outputs, outputs)
        self.changes_shape = stride != 1 or inputs != outputs
        if self.changes_shape:
            self.conv_3 = nn.Conv1d(inputs, outputs, length, stride, padding=half)
            self.bn_3 = nn.BatchNorm1d(outputs)
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn_2(self.conv_2(F.relu(self.bn_1(self.conv_1(x)))))
        weight = torch.sigmoid(self.dense2(F.relu(self.dense1(out.mean(2)))))
        shortcut = self.bn_3(self.conv_3(x)) if self.changes_shape else x
        return F.max_pool1d(F.relu(shortcut + out * weight[:, :, None]), self.pool)


class SampleCNN(TagModel):
    """Samples ``(batch, 59049)`` → logits ``(batch, tags)``; embedding of 512 dims.

    Longer input is judged by its loudest place.
    """

    block: type[nn.Module] = SampleConv

    def __init__(self, tags: int, channels: int = 128) -> None:
        super().__init__()
        widths = (1, *(channels * times for times in WIDTHS))
        for number, (inputs, outputs) in enumerate(pairwise(widths), 1):
            self.add_module(f"layer{number}", self.block(inputs, outputs, *_shape(number)))
        self.dropout = nn.Dropout(0.5)
        self._top(tags, widths[-1])

    def _top(self, tags: int, width: int) -> None:
        self.dense = nn.Linear(width, tags)

    def embed(self, x: Tensor) -> Tensor:
        x = x[:, None]
        for number in range(1, len(WIDTHS) + 1):
            x = getattr(self, f"layer{number}")(x)
        return x.amax(2)

    def head(self, x: Tensor) -> Tensor:
        logits: Tensor = self.dense(self.dropout(x))
        return logits


class SampleCNNSE(SampleCNN):
    """The same with residual squeeze-and-excitation blocks and one more dense layer."""

    block = SampleResSE

    def _top(self, tags: int, width: int) -> None:
        self.dense1 = nn.Linear(width, width)
        self.bn = nn.BatchNorm1d(width)
        self.dense2 = nn.Linear(width, tags)

    def embed(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.dense1(super().embed(x))))

    def head(self, x: Tensor) -> Tensor:
        logits: Tensor = self.dense2(self.dropout(x))
        return logits
