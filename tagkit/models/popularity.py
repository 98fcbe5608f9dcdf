"""The popularity baseline of the MediaEval mood/theme tasks: every track gets the tags that most tracks have."""

from __future__ import annotations

import torch
from torch import Tensor

from tagkit.models.base import TagModel


class Popularity(TagModel):
    """Anything ``(batch, …)`` → the same logits for all, ``(batch, tags)``: those of the tags' training frequencies.

    Fitted by :func:`tagkit.training.fitted.fit_popularity`. It has no view of a track: its embedding is one zero.
    """

    prior: Tensor

    def __init__(self, tags: int) -> None:
        super().__init__()
        self.register_buffer("prior", torch.zeros(tags))

    def embed(self, x: Tensor) -> Tensor:
        return x.new_zeros(x.shape[0], 1)

    def head(self, x: Tensor) -> Tensor:
        return self.prior.expand(x.shape[0], -1)
