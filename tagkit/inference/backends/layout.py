"""Convolutions in the order in which oneDNN computes them fastest on a CPU: the channels of a place side by side.

Layouts go through a network with its tensors: what a convolution hands on is in this order, and ReLU, sums and
pooling keep it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def channels_last(network: nn.Module) -> nn.Module:
    """Return ``network`` with its convolutions in this order, those over time included; changed in place."""
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.Conv1d) and module.padding_mode == "zeros" and name:
            network.set_submodule(name, _over_time(module))
    # torch does it to every parameter with four axes, and its annotations do not know it.
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _over_time(conv: nn.Conv1d) -> nn.Module:
    if isinstance(conv.padding, str):
        return conv
    depthwise = conv.groups == conv.in_channels == conv.out_channels
    same = conv.padding[0] == conv.dilation[0] * (conv.kernel_size[0] // 2)
    if depthwise and conv.dilation[0] > 1 and conv.stride[0] == 1 and same:
        return Dilated(conv)
    return OneHigh(conv)


class OneHigh(nn.Module):
    """A convolution over time as one over an image of one row: ``(b, inputs, t)`` → ``(b, outputs, t)``."""

    def __init__(self, conv: nn.Conv1d) -> None:
        super().__init__()
        self.weight = nn.Parameter(conv.weight[:, :, None], requires_grad=False)
        self.bias = conv.bias
        self.stride = (1, conv.stride[0])
        self.padding = (0, int(conv.padding[0]))
        self.dilation = (1, conv.dilation[0])
        self.groups = conv.groups

    def forward(self, x: Tensor) -> Tensor:
        y = F.conv2d(
            x[:, :, None],
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
        )
        return y[:, :, 0]


class Dilated(nn.Module):
    """A depthwise convolution with holes as one without: ``(b, channels, t)`` kept.

    Time is folded into rows of ``dilation`` frames, so that the frames it reaches for lie in one column. oneDNN
    has no fast depthwise convolution with wide holes.
    """

    def __init__(self, conv: nn.Conv1d) -> None:
        super().__init__()
        self.weight = nn.Parameter(conv.weight[:, :, :, None], requires_grad=False)
        self.bias = conv.bias
        self.dilation = conv.dilation[0]
        self.padding = (conv.kernel_size[0] // 2, 0)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, frames = x.shape
        frames_first = F.pad(x.transpose(1, 2), (0, 0, 0, -frames % self.dilation))
        rows = frames_first.reshape(batch, -1, self.dilation, channels).permute(0, 3, 1, 2)
        y = F.conv2d(rows, self.weight, self.bias, 1, self.padding, 1, channels)
        return y.permute(0, 2, 3, 1).reshape(batch, -1, channels)[:, :frames].transpose(1, 2)
