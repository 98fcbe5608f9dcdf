"""Musicnn: Pons et al., "End-to-end learning for music audio tagging at scale", ISMIR 2018, as in
minzwon/sota-music-tagging-models (3 s, 96 mels). ``width`` 64 and ``dense`` 200 is the MTAT and Jamendo size,
512 and 500 the MSD size."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tagkit.models.base import TagModel

MELS = 96
SPREADS = (0.7, 0.4)  # heights of the timbre filters, as a share of the mels
LENGTHS = (129, 65, 33)  # lengths of the rhythm filters, in frames


class TimbreConv(nn.Module):
    """Tall filters, then the maximum over frequency: ``(b, 1, mels, t)`` → ``(b, filters, t)``."""

    def __init__(self, filters: int, height: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, filters, (height, 7), padding=(0, 3))
        self.bn = nn.BatchNorm2d(filters)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x))).amax(2)


class RhythmConv(nn.Module):
    """The mean over frequency, then long filters: ``(b, 1, mels, t)`` → ``(b, filters, t)``."""

    def __init__(self, filters: int, length: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, filters, length, padding=length // 2)
        self.bn = nn.BatchNorm1d(filters)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x.mean(2))))


class TimeConv(nn.Module):
    """7 frames wide: ``(b, inputs, t)`` → ``(b, outputs, t)``."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, 7, padding=3)
        self.bn = nn.BatchNorm1d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class Musicnn(TagModel):
    """dB ``(batch, 96, 188)`` → logits ``(batch, tags)``; embedding of ``dense`` dims."""

    def __init__(
        self, tags: int, width: int = 64, dense: int = 200, timbre: int = 204, rhythm: int = 51
    ) -> None:
        super().__init__()
        self.spec_bn = nn.BatchNorm2d(1)
        self.layers = nn.ModuleList(
            [TimbreConv(timbre, int(spread * MELS)) for spread in SPREADS]
            + [RhythmConv(rhythm, length) for length in LENGTHS]
        )
        front = timbre * len(SPREADS) + rhythm * len(LENGTHS)
        self.layer1 = TimeConv(front, width)
        self.layer2 = TimeConv(width, width)
        self.layer3 = TimeConv(width, width)
        self.dense1 = nn.Linear((front + 3 * width) * 2, dense)
        self.bn = nn.BatchNorm1d(dense)
        self.dropout = nn.Dropout(0.5)
        self.dense2 = nn.Linear(dense, tags)

    def embed(self, x: Tensor) -> Tensor:
        x = self.spec_bn(x[:, None])
        front = torch.cat([layer(x) for layer in self.layers], 1)
        first = self.layer1(front)
        second = self.layer2(first) + first
        third = self.layer3(second) + second
        every = torch.cat([front, first, second, third], 1)
        pooled = torch.cat([every.amax(2), every.mean(2)], 1)
        return F.relu(self.bn(self.dense1(pooled)))

    def head(self, x: Tensor) -> Tensor:
        logits: Tensor = self.dense2(self.dropout(x))
        return logits
