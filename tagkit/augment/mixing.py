"""Mixup: chunks that are two chunks at once, with the tags of both."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from tagkit.features import AMIN

Domain = Literal["linear", "power"]


def mixup(
    inputs: Tensor,
    targets: Tensor,
    *,
    alpha: float,
    share: float,
    random: np.random.Generator,
    domain: Domain,
) -> tuple[Tensor, Tensor]:
    """Mix each chunk with another of the batch: λ of itself, 1 − λ of the other, in sound and tags.

    Zhang et al., "mixup: beyond empirical risk minimization", ICLR 2018. ``inputs`` as for
    :func:`blend`; ``targets``: (batch, tags). λ is drawn from Beta(alpha, alpha); ``share`` says how
    many of the chunks are mixed at all.

    Each chunk has a λ of its own. Paper 1's code draws one for the whole batch: the same on average,
    but a step then sees a single λ.
    """
    order = torch.from_numpy(random.permutation(len(inputs)))
    drawn = random.beta(alpha, alpha, len(inputs)).astype(np.float32)
    drawn[random.random(len(inputs)) > share] = 1.0
    kept = torch.from_numpy(drawn)
    return (
        blend(inputs, inputs[order.to(inputs.device)], kept, domain),
        blend(targets, targets[order.to(targets.device)], kept, "linear"),
    )


def blend(mine: Tensor, others: Tensor, kept: Tensor, domain: Domain) -> Tensor:
    """Return ``kept`` (batch,) of mine and the rest of others, both (batch, ...).

    ``power`` takes dB and mixes what they stand for, as sounds that do not know of each other mix;
    ``linear`` takes anything else, samples for one.
    """
    shares = kept.to(mine).reshape(-1, *[1] * (mine.ndim - 1))
    if domain == "linear":
        return shares * mine + (1 - shares) * others
    power = shares * 10.0 ** (mine / 10.0) + (1 - shares) * 10.0 ** (others / 10.0)
    return 10.0 * torch.log10(power + AMIN)
