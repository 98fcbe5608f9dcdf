"""The two networks of paper 3, a baseline improved step by step: four blocks, then six, of 3×3 convolution and max
pooling over 3 s (96 mels, 188 frames).

The paper prints "conv + maxpool" and no more. Its tutorial (Won, Spijkervet, Choi, "Music classification: beyond
supervised learning, towards real-world applications", 2021) has BatchNorm between convolution and activation and
over the input image, and so have these; ``batch_norm=False`` leaves the former out. Row 4 of the paper's table of
the six blocks contradicts itself (output 128, filters 256): filters it is, since only they can be 256."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn

from tagkit.models.base import TagModel

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "elu": nn.ELU, "gelu": nn.GELU}


class BaselineCNN(TagModel):
    """dB ``(batch, 96, 188)`` → logits ``(batch, tags)``; embedding of ``channels`` dims.

    ``channels`` are the first block's; ``activation``: relu, elu or gelu, the paper's third step. A longer
    image is judged by its loudest place. Raises ValueError for another activation.
    """

    #: Of each block: its width in ``channels``, and its pooling (mel, time).
    blocks: ClassVar[tuple[tuple[int, tuple[int, int]], ...]] = (
        (1, (4, 4)),
        (2, (3, 3)),
        (2, (3, 3)),
        (1, (2, 5)),
    )

    def __init__(
        self,
        tags: int,
        channels: int = 64,
        activation: str = "relu",
        dropout: float = 0.0,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation is {activation!r}, not one of {', '.join(ACTIVATIONS)}")
        self.spec_bn = nn.BatchNorm2d(1)
        widths = [1, *(channels * times for times, _ in self.blocks)]
        for number, (inputs, outputs) in enumerate(pairwise(widths), 1):
            layer = nn.Sequential(
                nn.Conv2d(inputs, outputs, 3, padding=1),
                nn.BatchNorm2d(outputs) if batch_norm else nn.Identity(),
                ACTIVATIONS[activation](),
                nn.MaxPool2d(self.blocks[number - 1][1]),
                nn.Dropout(dropout),
            )
            self.add_module(f"layer{number}", layer)
        self.dense = nn.Linear(widths[-1], tags)

    def embed(self, x: Tensor) -> Tensor:
        x = self.spec_bn(x[:, None])
        for number in range(1, len(self.blocks) + 1):
            x = getattr(self, f"layer{number}")(x)
        return x.amax((2, 3))

    def head(self, x: Tensor) -> Tensor:
        logits: Tensor = self.dense(x)
        return logits


class SixBlockCNN(BaselineCNN):
    """The paper's last network: deeper, wider, with dropout after every block."""

    blocks = (
        (1, (2, 2)),
        (2, (2, 2)),
        (2, (2, 2)),
        (2, (2, 2)),
        (1, (2, 2)),
        (1, (2, 3)),
    )

    def __init__(
        self,
        tags: int,
        channels: int = 128,
        activation: str = "gelu",
        dropout: float = 0.1,
        batch_norm: bool = True,
    ) -> None:
        super().__init__(tags, channels, activation, dropout, batch_norm)
