"""Training losses as functions: tensors in, scalar out.

Everywhere ``logits`` (batch, tags) come from the network and ``targets`` (batch, tags), from 0 to 1, say
which tags a chunk has; ``counts`` (tags,) is how many of the ``total`` training tracks have each tag.
σ is the sigmoid and p = σ(logit). All are computed from log σ in float32 or better, so they and their
gradients are finite for any finite logit, whatever the precision of the network's arithmetic.

A loss whose weights do not come from the batch's own targets is linear in them: on mixed targets it
is the same mixture of the losses, which is how mixup's authors define it.

:func:`build` finds a loss by the name that a recipe gives it, in :data:`LOSSES`.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from tagkit.errors import RecipeError

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]


def bce(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy −[y log p + (1 − y) log(1 − p)], mean over batch and tags."""
    return weighted_bce(logits, targets, positive=1.0, negative=1.0)


def weighted_bce(
    logits: Tensor, targets: Tensor, *, positive: Tensor | float, negative: Tensor | float
) -> Tensor:
    """−[positive · y log p + negative · (1 − y) log(1 − p)], mean over batch and tags.

    The four losses below are this with the weights of Yu & Lerch, "Analysis of weighted BCE loss
    functions for music tagging", equations 1 to 4.
    """
    logits, targets = _precise(logits), _precise(targets)
    present, absent = F.logsigmoid(logits), F.logsigmoid(-logits)
    return -(positive * targets * present + negative * (1 - targets) * absent).mean()


def class_weighted_bce(
    logits: Tensor, targets: Tensor, *, counts: Tensor, total: int, complement: bool = True
) -> Tensor:
    """Equation 1, "global class": a positive weighs w = 1 − N_c/N, a negative 1 − w = N_c/N.

    ``complement=False`` weighs negatives by w too. The authors published no code, and their Table II
    speaks for that: the best thresholds of this loss (.046 to .055) are those of plain BCE (.051 to
    .055), while weights that balance a tag's two sides move them to about .45, as they do in
    equations 2 and 3.
    """
    weight = _class_weight(counts, total, logits)
    return weighted_bce(
        logits, targets, positive=weight, negative=1 - weight if complement else weight
    )


def batch_weighted_bce(logits: Tensor, targets: Tensor) -> Tensor:
    """Equation 2, "batch included/excluded": positives weigh 1 − P_B/T_B, negatives P_B/T_B.

    P_B of the batch's T_B label entries are positive. The batch is what the function is given: with
    several processes or accumulated gradients, each part is weighted by its own entries.
    """
    share = _precise(targets).mean()
    return weighted_bce(logits, targets, positive=1 - share, negative=share)


def global_weighted_bce(logits: Tensor, targets: Tensor, *, counts: Tensor, total: int) -> Tensor:
    """Equation 3, "global included/excluded": as :func:`batch_weighted_bce`, with P of all T label
    entries of the training tracks."""
    share = float(counts.sum()) / (total * len(counts))
    return weighted_bce(logits, targets, positive=1 - share, negative=share)


def combined_weighted_bce(logits: Tensor, targets: Tensor, *, counts: Tensor, total: int) -> Tensor:
    """Equation 4, "combined": both weights of :func:`batch_weighted_bce` times w_c = 1 − N_c/N."""
    share = _precise(targets).mean()
    weight = _class_weight(counts, total, logits)
    return weighted_bce(logits, targets, positive=weight * (1 - share), negative=weight * share)


def focal(logits: Tensor, targets: Tensor, *, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """−[α y (1 − p)^γ log p + (1 − α) (1 − y) p^γ log(1 − p)], sum over tags, mean over the batch.

    Lin et al., "Focal loss for dense object detection", ICCV 2017, on several tags as in usc-sail's
    MediaEval 2020 code. What is printed there as a softmax is a sigmoid.
    """
    present, absent = _focal_terms(logits, gamma)
    targets = _precise(targets)
    return (alpha * targets * present + (1 - alpha) * (1 - targets) * absent).sum(1).mean()


def class_balanced_focal(
    logits: Tensor,
    targets: Tensor,
    *,
    counts: Tensor,
    beta: float = 0.995,
    gamma: float = 2.0,
    positives_only: bool = False,
) -> Tensor:
    """:func:`focal` with α and 1 − α both replaced by w_c; sum over tags, mean over the batch.

    w_c = (1 − β) / (1 − β^n_c), scaled to sum to the number of tags: Cui et al., "Class-balanced loss
    based on effective number of samples", CVPR 2019. That weights positives and negatives, and made the
    published figures; the paper prints the weight on positives only, unscaled: ``positives_only``.
    A tag that no track has counts as one that a single track has.
    """
    weight = (1 - beta) / (1 - beta ** _counts(counts, logits))
    present, absent = _focal_terms(logits, gamma)
    targets = _precise(targets)
    if positives_only:
        entries = weight * targets * present + (1 - targets) * absent
    else:
        entries = targets * present + (1 - targets) * absent
        entries = len(weight) * weight / weight.sum() * entries
    return entries.sum(1).mean()


def distribution_balanced_focal(
    logits: Tensor,
    targets: Tensor,
    *,
    counts: Tensor,
    alpha: float = 0.25,
    gamma: float = 2.0,
    tolerance: float = 2.0,
    scale_logits: bool = True,
    cross_entropy: bool = False,
) -> Tensor:
    """r_c [y f⁺(z) + (1 − y) f⁻(λz) / λ], f± the terms of :func:`focal`; sum over tags, mean over the batch.

    Wu et al., "Distribution-balanced loss for multi-label classification in long-tailed datasets", ECCV
    2020. r = .1 + σ(10 (r̂ − .2)), where r̂_c = (1/n_c) / Σ 1/n over the tags that the chunk has: how
    often class-aware sampling would have drawn it for this tag. λ, ``tolerance``, lets the loss go
    easy on negatives; ν is 0.

    These are the published figures' settings. ``scale_logits=False`` leaves λ out of f⁻, as another
    version of that code does, which works on probabilities. ``cross_entropy`` is the paper's equation
    3: f± without focal weights, mean over tags. A tag that no track has counts as one that one has.
    """
    logits, targets = _precise(logits), _precise(targets)
    rarity = 1 / _counts(counts, logits)
    # For a chunk without tags r̂ is infinite, and r is 1.1.
    expected = (targets * rarity).sum(1, keepdim=True)
    weight = 0.1 + torch.sigmoid(10 * (rarity / expected - 0.2))
    focus = 0.0 if cross_entropy else gamma
    present, _ = _focal_terms(logits, focus)
    _, absent = _focal_terms(logits * tolerance if scale_logits else logits, focus)
    if cross_entropy:
        entries = weight * (targets * present + (1 - targets) * absent / tolerance)
        return entries.mean()
    entries = alpha * targets * present + (1 - alpha) * (1 - targets) * absent / tolerance
    return (weight * entries).sum(1).mean()


def _focal_terms(logits: Tensor, gamma: float) -> tuple[Tensor, Tensor]:
    """−(1 − p)^γ log p and −p^γ log(1 − p). Powers of p by exp(γ log σ): no 0 whose root has no slope."""
    logits = _precise(logits)
    log_p, log_q = F.logsigmoid(logits), F.logsigmoid(-logits)
    return -(gamma * log_q).exp() * log_p, -(gamma * log_p).exp() * log_q


def _class_weight(counts: Tensor, total: int, like: Tensor) -> Tensor:
    return 1 - counts.to(like.device) / total


def _counts(counts: Tensor, like: Tensor) -> Tensor:
    return counts.to(like.device, torch.float32).clamp_min(1)


def _precise(tensor: Tensor) -> Tensor:
    return tensor if tensor.dtype == torch.float64 else tensor.float()


LOSSES: dict[str, Callable[..., Tensor]] = {
    "bce": bce,
    "class_weighted_bce": class_weighted_bce,
    "batch_weighted_bce": batch_weighted_bce,
    "global_weighted_bce": global_weighted_bce,
    "combined_weighted_bce": combined_weighted_bce,
    "focal": focal,
    "class_balanced_focal": class_balanced_focal,
    "distribution_balanced_focal": distribution_balanced_focal,
}

#: What an option may be: from, to.
LIMITS = {
    "alpha": (0.0, 1.0),
    "beta": (0.0, 1 - 1e-6),
    "gamma": (0.0, 20.0),
    "tolerance": (1e-3, 1e3),
}


def build(settings: Mapping[str, Any], counts: Tensor, total: int) -> Loss:
    """Return the loss that ``settings["name"]`` names, with the other settings as its options.

    ``counts`` (tags,) and ``total`` are those of the training tracks. Raises RecipeError for an
    unknown name or option, an option out of range, and where there are no tracks.
    """
    options = {key: value for key, value in settings.items() if key != "name"}
    name = str(settings.get("name", "bce"))
    if name not in LOSSES:
        raise RecipeError(f"no loss is called {name!r}", hint=_near(name, LOSSES))
    if total < 1 or bool((counts < 0).any()) or bool((counts > total).any()):
        raise RecipeError(
            f"a loss needs training tracks: {total}, of which each tag has some or none"
        )
    given = {"counts": counts, "total": total}
    parameters = {
        key: parameter.default
        for key, parameter in inspect.signature(LOSSES[name]).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    known = {key: default for key, default in parameters.items() if key not in given}
    for key, value in options.items():
        if key not in known:
            raise RecipeError(f"unknown option loss.{key} of {name!r}", hint=_near(key, known))
        _check(key, value, known[key])
    bound = {key: value for key, value in given.items() if key in parameters}
    return functools.partial(LOSSES[name], **bound, **options)


def _check(key: str, value: object, default: object) -> None:
    if isinstance(default, bool) or isinstance(value, bool):
        if type(value) is not type(default):
            raise RecipeError(f"loss.{key} is {value!r}, but must be like {default!r}")
        return
    low, high = LIMITS[key]
    if not isinstance(value, int | float) or not math.isfinite(value) or not low <= value <= high:
        raise RecipeError(f"loss.{key} must be a number from {low:g} to {high:g}, not {value!r}")


def _near(name: str, known: Mapping[str, object]) -> str:
    near = get_close_matches(name, known, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"known: {', '.join(known)}" if known else "it has no options"
