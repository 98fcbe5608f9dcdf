"""The convolution blocks that several published architectures share."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class ConvBlock(nn.Module):
    """3×3 convolution, BatchNorm, ReLU, max pooling (``Conv_2d`` of the reference)."""

    def __init__(self, inputs: int, outputs: int, pool: tuple[int, int]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.bn = nn.BatchNorm2d(outputs)
        self.pool = nn.MaxPool2d(pool)

    def forward(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.pool(F.relu(self.bn(self.conv(x))))
        return pooled


class ResBlock(nn.Module):
    """Two 3×3 convolutions with a shortcut (``Res_2d``); the shortcut is a convolution where shapes change."""

    def __init__(self, inputs: int, outputs: int, stride: int | tuple[int, int] = 2) -> None:
        super().__init__()
        self.conv_1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
        self.bn_1 = nn.BatchNorm2d(outputs)
        self.conv_2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.bn_2 = nn.BatchNorm2d(outputs)
        self.changes_shape = stride != 1 or inputs != outputs
        if self.changes_shape:
            self.conv_3 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
            self.bn_3 = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn_2(self.conv_2(F.relu(self.bn_1(self.conv_1(x)))))
        shortcut = self.bn_3(self.conv_3(x)) if self.changes_shape else x
        return F.relu(shortcut + out)


def keras_initialise(model: nn.Module) -> None:
    """Start convolutions and linear layers as Keras does: Glorot & Bengio's uniform weights (2010), no bias.

    PyTorch's own start is smaller: a deep stack without BatchNorm would begin with outputs that hardly
    depend on the input.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
