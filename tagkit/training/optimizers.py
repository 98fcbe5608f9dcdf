"""Optimizers and learning-rate schedules by the names that recipes use."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from torch import nn
from torch.optim import SGD, Adam, AdamW, NAdam, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from tagkit.recipe import Train


def optimizer(parameters: Iterable[nn.Parameter], train: Train) -> Optimizer:
    """Return the optimizer of ``train`` over all ``parameters``.

    Weight decay is added to the gradient (L2), but for AdamW, which decays the weights themselves
    (Loshchilov & Hutter, "Decoupled weight decay regularization", ICLR 2019).
    """
    rate, decay = train.learning_rate, train.weight_decay
    table: dict[str, Callable[[], Optimizer]] = {
        "sgd": lambda: SGD(parameters, rate, train.momentum, 0, decay, train.nesterov),
        "adam": lambda: Adam(parameters, rate, weight_decay=decay),
        "nadam": lambda: NAdam(parameters, rate, weight_decay=decay),
        "adamw": lambda: AdamW(parameters, rate, weight_decay=decay),
    }
    return table[train.optimizer]()


def schedule(optimizer: Optimizer, train: Train, steps: int) -> LRScheduler:
    """Return the schedule of ``train`` over ``steps`` updates; it is stepped after each of them."""
    if train.schedule == "onecycle":
        return OneCycleLR(
            optimizer, train.learning_rate, total_steps=steps, pct_start=train.pct_start
        )
    return LambdaLR(optimizer, lambda step: _share(step, train, steps))


def _share(step: int, train: Train, steps: int) -> float:
    """The share of the highest learning rate that update ``step``, from 0, runs at."""
    if step < train.warmup:
        return (step + 1) / train.warmup
    if train.schedule == "constant":
        return 1.0
    done = (step - train.warmup) / max(1, steps - train.warmup)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
