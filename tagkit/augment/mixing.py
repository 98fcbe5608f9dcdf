"""Mixup: chunks that are two chunks at once, with the tags of both."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from tagkit.features import AMIN


def mixup(
    inputs: Tensor,
    targets: Tensor,
    *,
    alpha: float,
    share: float,
    random: np.random.Generator,
    domain: Literal["linear", "power"],
    others: tuple[Tensor, Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """Return λ · (inputs, targets) + (1 − λ) · others, λ from Beta(alpha, alpha).

    Zhang et al., "mixup: beyond empirical risk minimization", ICLR 2018. ``inputs``: (batch, samples)
    in the ``linear`` domain, or dB images (batch, mels, frames), which mix as sounds do, in ``power``.
    ``targets``: (batch, tags). ``others``: as many of both; without them, the batch in another order.
    ``share``: how many of the chunks are mixed at all.

    Each chunk has a λ of its own. Paper 1's code draws one for the batch, on audio: the same on
    average, but a step then sees a single λ.
    """
    batch = len(inputs)
    if others is None:
        order = torch.from_numpy(random.permutation(batch)).to(inputs.device)
        others = inputs[order], targets[order.to(targets.device)]
    kept = random.beta(alpha, alpha, batch).astype(np.float32)
    kept[random.random(batch) > share] = 1.0
    column = torch.from_numpy(kept)[:, None]
    mixed = column.to(targets) * targets + (1 - column.to(targets)) * others[1]
    shares = column.to(inputs).reshape(batch, *[1] * (inputs.ndim - 1))
    if domain == "linear":
        return shares * inputs + (1 - shares) * others[0], mixed
    power = shares * 10.0 ** (inputs / 10.0) + (1 - shares) * 10.0 ** (others[0] / 10.0)
    return 10.0 * torch.log10(power + AMIN), mixed
