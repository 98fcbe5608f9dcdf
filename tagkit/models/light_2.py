"""Model 2 of paper 5, a lightweight ensemble: each 3×3 filter is cut into a 3×1 and a 1×3 convolution.

The paper's text says depthwise separable, but only full convolutions give the printed size, 2,124,466 parameters
with 50 tags. There is no BatchNorm in its table."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from tagkit.models.base import TagModel
from tagkit.models.blocks import keras_initialise

POOLS = (4, 4, 2, 2)  # after each pair of convolutions, of mel and time alike


class Light2(TagModel):
    """dB ``(batch, 128, 592)`` → logits ``(batch, tags)``; embedding of 512 dims, the mean over time.

    ``frames``: those of the front end; the last convolution spans what is left of them. The image is
    normalised by the mean and spread of the training data, which are no parameters. Raises ValueError for
    too few frames.
    """

    def __init__(self, tags: int, channels: int = 128, frames: int = 592) -> None:
        super().__init__()
        self.normalise = nn.BatchNorm2d(1, affine=False)
        widths = (1, channels, 2 * channels, 2 * channels, 4 * channels)
        for number in range(1, 5):
            inputs, outputs = widths[number - 1], widths[number]
            pad = 0 if number == 4 else 1
            self.add_module(f"mel{number}", nn.Conv2d(inputs, outputs, (3, 1), padding=(pad, 0)))
            self.add_module(f"time{number}", nn.Conv2d(outputs, outputs, (1, 3), padding=(0, pad)))
        left = (frames // 4 // 4 // 2 - 2) // 2
        if left < 1:
            raise ValueError(f"nothing is left of {frames} frames at the last layer")
        self.conv = nn.Conv2d(widths[-1], tags, (1, left))
        keras_initialise(self)

    def embed(self, x: Tensor) -> Tensor:
        return self._states(x).mean((2, 3))

    def hear(self, x: Tensor) -> tuple[Tensor, Tensor]:
        states = self._states(x)
        return self.conv(states).flatten(1), states.mean((2, 3))

    def output_bias(self) -> Tensor | None:
        return self.conv.bias

    def _states(self, x: Tensor) -> Tensor:
        """``(b, 512, 1, 8)``."""
        x = self.normalise(x[:, None])
        for number, pool in enumerate(POOLS, 1):
            x = F.relu(getattr(self, f"mel{number}")(x))
            x = F.max_pool2d(F.relu(getattr(self, f"time{number}")(x)), pool)
        return x
