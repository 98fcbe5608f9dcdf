"""Training losses as functions: tensors in, scalar out."""

from __future__ import annotations

from torch import Tensor


def logit_matching(logits: Tensor, targets: Tensor, *, spread: Tensor) -> Tensor:
    """Mean over batch and tags of ((logits − targets) / spread)².

    Distillation by matching logits: Ba & Caruana, "Do deep nets really need to be deep?", NIPS 2014.
    ``logits``, ``targets``: (batch, tags), the teachers' logits; ``spread``: (tags,), each tag's
    standard deviation over the training tracks, so that a tag that teachers rarely raise counts as
    much as one they often do: within a tag, only the order of tracks matters to a threshold.
    """
    return ((logits - targets) / spread).square().mean()
