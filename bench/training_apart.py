"""What the parts of a training update take, each waited for by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tagkit.training.ahead import ahead
from tagkit.training.batches import Batch, Slice
from tagkit.training.engine import Engine
from tagkit.training.loop import Plan


class Apart(NamedTuple):
    """Seconds an update. ``waiting``: for the batch; ``inputs``: to the device, decoding and augmentation;
    ``optimizer``: and all the rest. ``made``: a batch by itself, in which threads overlap with the others."""

    waiting: float
    inputs: float
    forward: float
    backward: float
    optimizer: float
    made: float


def apart(engine: Engine, plan: Plan, parts: Iterator[Slice], jobs: int) -> Apart:
    """Return the mean over the updates of ``parts``; a GPU is waited for after each part of an update."""
    given = list(parts)
    device = engine.accelerator.device
    clock = _Clock(device)
    reading = ahead(plan.batches, iter(given), jobs=jobs, pinned=device.type == "cuda")

    def batches() -> Iterator[Batch]:
        while True:
            clock.lap("optimizer")
            batch = next(reading)
            clock.lap("waiting")
            yield batch

    def prepare(batch: Batch, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        found = plan.prepare(batch, random)
        clock.lap("inputs")
        return found

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        found = plan.loss(logits, targets)
        clock.lap("forward")
        return found

    def before_step(*_: Any) -> None:
        clock.lap("backward")

    inner = getattr(engine.optimizer, "optimizer", engine.optimizer)  # accelerate's wraps torch's
    hook = inner.register_step_pre_hook(before_step)
    updates = len(given) // engine.train.accumulate
    with closing(reading):
        clock.begin()
        made = batches()
        for step in range(updates):
            engine.update(step, made, prepare, loss)
        clock.lap("optimizer")
    hook.remove()
    seconds = {name: spent / updates for name, spent in clock.spent.items()}
    return Apart(**seconds, made=_made(plan, given))


def _made(plan: Plan, parts: list[Slice]) -> float:
    started = time.perf_counter()
    for part in parts:
        plan.batches[part]
    return (time.perf_counter() - started) / len(parts)


class _Clock:
    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.spent = dict.fromkeys(Apart._fields[:-1], 0.0)

    def begin(self) -> None:
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """Count what passed since the last lap as ``name``."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        now = time.perf_counter()
        self.spent[name] += now - self._last
        self._last = now
