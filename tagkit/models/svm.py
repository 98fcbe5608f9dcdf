"""Support vector machines over a chunk's mean spectrum, one a tag: paper 2's classical baseline.

Fitted by :func:`tagkit.training.fitted.fit_svm` with scikit-learn; here only evaluated, from tensors. MFCC, scaling
and PCA are linear in the mean log-mel, so one affine map stands for all of them."""

from __future__ import annotations

import torch
from torch import Tensor

from tagkit.models.base import TagModel

KERNELS = ("rbf", "linear")


class SVM(TagModel):
    """dB ``(batch, mels, frames)`` → logits ``(batch, tags)``; embedding of ``dims`` dims, the scaled features.

    The decision of a tag is ``Σ dual[v, tag] · kernel(features, vectors[v]) + intercept[tag]``, its logit
    ``slope · decision + shift`` (Platt, "Probabilistic outputs for support vector machines", 1999).
    ``vectors``: how many support vectors the tags have together; a linear machine needs no more than ``dims``,
    the unit vectors, with its weights in place of dual coefficients. Raises ValueError for another kernel.
    """

    centre: Tensor  # (mels,)
    projection: Tensor  # (mels, dims)
    vectors: Tensor  # (vectors, dims)
    dual: Tensor  # (vectors, tags)
    gamma: Tensor  # ()
    intercept: Tensor  # (tags,)
    slope: Tensor  # (tags,)
    shift: Tensor  # (tags,)

    def __init__(
        self, tags: int, mels: int = 128, dims: int = 128, vectors: int = 1, kernel: str = "rbf"
    ) -> None:
        super().__init__()
        if kernel not in KERNELS:
            raise ValueError(f"kernel is {kernel!r}, not one of {', '.join(KERNELS)}")
        self.kernel = kernel
        self.register_buffer("centre", torch.zeros(mels))
        self.register_buffer("projection", torch.zeros(mels, dims))
        self.register_buffer("vectors", torch.zeros(vectors, dims))
        self.register_buffer("dual", torch.zeros(vectors, tags))
        self.register_buffer("gamma", torch.zeros(()))
        for name in ("intercept", "slope", "shift"):
            self.register_buffer(name, torch.zeros(tags))

    def embed(self, x: Tensor) -> Tensor:
        return (x.mean(2) - self.centre) @ self.projection

    def decision(self, features: Tensor) -> Tensor:
        """Features ``(batch, dims)`` → signed distances to the margin, ``(batch, tags)``."""
        if self.kernel == "linear":
            similar = features @ self.vectors.T
        else:
            # Differences, not the expanded square: near vectors would cancel in float32.
            apart = torch.cdist(features, self.vectors, compute_mode="donot_use_mm_for_euclid_dist")
            similar = torch.exp(-self.gamma * apart.square())
        return similar @ self.dual + self.intercept

    def head(self, x: Tensor) -> Tensor:
        return self.slope * self.decision(x) + self.shift
