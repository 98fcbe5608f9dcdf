"""Model 3 of paper 5, a lightweight ensemble: short convolutions over the raw audio of a whole clip.

783,794 parameters with 50 tags, of which 512 are BatchNorm's running statistics, as Keras counts them."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from tagkit.models.base import TagModel
from tagkit.models.blocks import keras_initialise


class Light3(TagModel):
    """Samples ``(batch, 465600)`` → logits ``(batch, tags)``; embedding of 1,024 dims. Any longer or shorter
    input of 0.2 s and more will do: the maximum over time ends the convolutions.

    The samples are normalised by the mean and spread of the training data, which are no parameters.
    """

    def __init__(self, tags: int, channels: int = 64) -> None:
        super().__init__()
        self.normalise = nn.BatchNorm1d(1, affine=False)
        self.stem = nn.Conv1d(1, channels, 5)
        self.layers = nn.Sequential(
            _Pair(channels, 2 * channels),
            nn.MaxPool1d(4),
            nn.BatchNorm1d(2 * channels),
            nn.Dropout(0.2),
            _Pair(2 * channels, 2 * channels),
            nn.MaxPool1d(4),
            nn.BatchNorm1d(2 * channels),
            nn.Dropout(0.2),
            _Pair(2 * channels, 4 * channels),
        )
        self.dense1 = nn.Linear(4 * channels, 16 * channels)
        self.dense2 = nn.Linear(16 * channels, tags)
        keras_initialise(self)

    def embed(self, x: Tensor) -> Tensor:
        x = F.max_pool1d(F.relu(self.stem(self.normalise(x[:, None]))), 16)
        return F.relu(self.dense1(self.layers(x).amax(2)))

    def head(self, x: Tensor) -> Tensor:
        logits: Tensor = self.dense2(x)
        return logits


class _Pair(nn.Sequential):
    """Two convolutions over three values, each with ReLU; not padded."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv1d(inputs, outputs, 3), nn.ReLU(), nn.Conv1d(outputs, outputs, 3), nn.ReLU()
        )
