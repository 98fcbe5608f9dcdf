"""Model 1 of paper 5, a lightweight ensemble: convolutions over time whose first filters span all mel bands.

The paper's tables are Keras': layers end in ReLU before BatchNorm, convolutions are not padded, and the printed
sizes count BatchNorm's running statistics as parameters: 2,153,138 with 50 tags, of which 1,280 are statistics."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from tagkit.models.base import TagModel
from tagkit.models.blocks import keras_initialise


class Light1(TagModel):
    """dB ``(batch, 128, 592)`` → logits ``(batch, tags)``; embedding of 384 dims, the mean over time.

    ``frames``: those of the front end; the last convolution spans what is left of them. The image is
    normalised by the mean and spread of the training data, which are no parameters. Raises ValueError for
    too few frames.
    """

    def __init__(self, tags: int, channels: int = 128, mels: int = 128, frames: int = 592) -> None:
        super().__init__()
        self.normalise = nn.BatchNorm2d(1, affine=False)
        self.conv1 = nn.Conv1d(mels, 2 * channels, 4)
        self.conv2 = nn.Conv1d(2 * channels, 2 * channels, 4)
        self.bn2 = nn.BatchNorm1d(2 * channels)
        self.conv3 = nn.Conv1d(2 * channels, 3 * channels, 4)
        self.bn3 = nn.BatchNorm1d(3 * channels)
        left = frames
        for _ in range(3):
            left = (left - 3) // 2
        if left < 1:
            raise ValueError(f"nothing is left of {frames} frames at the last layer")
        self.conv4 = nn.Conv1d(3 * channels, tags, left)
        keras_initialise(self)

    def embed(self, x: Tensor) -> Tensor:
        return self._states(x).mean(2)

    def hear(self, x: Tensor) -> tuple[Tensor, Tensor]:
        states = self._states(x)
        return self.conv4(states).squeeze(2), states.mean(2)

    def output_bias(self) -> Tensor | None:
        return self.conv4.bias

    def _states(self, x: Tensor) -> Tensor:
        """``(b, 384, 71)``."""
        x = self.normalise(x[:, None])[:, 0]
        x = F.max_pool1d(F.relu(self.conv1(x)), 2)
        x = F.max_pool1d(self.bn2(F.relu(self.conv2(x))), 2)
        states: Tensor = self.bn3(F.max_pool1d(F.relu(self.conv3(x)), 2))
        return states
