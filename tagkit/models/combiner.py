"""The learned combiner of paper 5 (lightweight ensemble): members' probabilities → 256 → 512 → tags."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from tagkit.models.base import TagModel


class Combiner(TagModel):
    """Probabilities ``(batch, inputs)``, the members' outputs side by side → logits ``(batch, tags)``.

    With three members of 50 tags it has the 195,890 parameters of the paper.
    """

    def __init__(self, tags: int, inputs: int = 150, hidden: tuple[int, int] = (256, 512)) -> None:
        super().__init__()
        self.dense1 = nn.Linear(inputs, hidden[0])
        self.dense2 = nn.Linear(hidden[0], hidden[1])
        self.dense3 = nn.Linear(hidden[1], tags)

    def embed(self, x: Tensor) -> Tensor:
        return F.relu(self.dense2(F.relu(self.dense1(x))))

    def head(self, x: Tensor) -> Tensor:
        logits: Tensor = self.dense3(x)
        return logits
