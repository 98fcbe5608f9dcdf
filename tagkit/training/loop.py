"""The training loop: batches in, the best weights out; on one device or, through ``accelerate``, on many.

An epoch is ``steps`` updates, a judgement of the validation tracks and a checkpoint. Everything random
is drawn from the seed and the number of the update, so a run that goes on from a checkpoint is, on a CPU,
to the last bit the run that was never interrupted.

Several processes compute their slices of the same batch. On GPUs, BatchNorm is then taken over the
whole batch (SyncBatchNorm). On CPUs torch has no such thing: each process normalises its own slice, as
``accumulate`` parts of a batch are anywhere, and the running statistics are the processes' mean.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from accelerate import Accelerator
from torch import nn

from tagkit.errors import RecipeError
from tagkit.losses import Loss
from tagkit.recipe import Train
from tagkit.training.ahead import ahead
from tagkit.training.batches import Batch, Slice, Updates
from tagkit.training.engine import Engine, Prepare
from tagkit.training.judging import known
from tagkit.training.progress import Display, display
from tagkit.training.runs import Run

Figures = Mapping[str, float]


@dataclass(frozen=True)
class Plan:
    """What differs between kinds of training.

    ``validate(network)`` returns figures, of which ``choose`` decides; "loss" is the only one of which
    less is better. ``names(row)``: what a training track is called in an error.
    """

    batches: Updates
    steps: int
    prepare: Prepare
    loss: Loss
    validate: Callable[[nn.Module], Figures]
    choose: str
    names: Callable[[int], str] = str


@dataclass
class Progress:
    """What has been done: ``epoch`` of them; ``history`` has one entry each, ``best`` is its best's."""

    epoch: int = 0
    best: dict[str, Any] | None = None
    history: list[dict[str, Any]] = field(default_factory=list)

    def take(self, entry: dict[str, Any], choose: str) -> bool:
        """Add an epoch; return whether it is the best so far."""
        self.epoch = entry["epoch"]
        self.history.append(entry)
        better = self.best is None or _worth(entry, choose) > _worth(self.best, choose)
        if better:
            self.best = entry
        return better

    def exhausted(self, train: Train) -> bool:
        since = self.epoch - (self.best["epoch"] if self.best else 0)
        return self.epoch >= train.epochs or 0 < train.patience <= since


def _worth(entry: Mapping[str, Any], choose: str) -> float:
    figure = float(entry["validation"][choose])
    return -figure if choose == "loss" else figure


def fit(
    network: nn.Module,
    plan: Plan,
    train: Train,
    run: Run,
    *,
    accelerator: Accelerator,
    resume: bool = False,
    jobs: int = 0,
) -> dict[str, Any]:
    """Train ``network``, leave it with its best weights, return the log's entry of their epoch.

    ``run`` has begun. ``jobs``: threads that make batches ahead; 0 makes them in between.
    Raises RecipeError when the loss or the deciding figure is no number, naming step and tracks; where
    the run folder cannot be written; and for a checkpoint that is damaged or another network's.
    """
    engine = Engine(network, train, plan.steps, accelerator)
    progress = Progress()
    if resume and (state := run.read("last")) is not None:
        progress = _restored(engine, state, run)
    main = accelerator.is_main_process
    # One for all epochs: the next one's first batches are read while this one's weights are judged.
    parts = engine.parts(progress.epoch * plan.steps, train.epochs * plan.steps)
    reading = ahead(plan.batches, parts, jobs=jobs, pinned=accelerator.device.type == "cuda")
    with (
        closing(reading) as batches,
        display(train.epochs * plan.steps, progress.epoch * plan.steps, quiet=not main) as shown,
    ):
        while not progress.exhausted(train):
            entry = _epoch(engine, plan, progress.epoch, shown, run, batches)
            better = progress.take(entry, plan.choose)
            shown.epoch(entry, train.epochs, better)
            if better and main:
                run.save("best", {"model": engine.inner.state_dict()})
            # A phase starts from the best weights; doing so before the checkpoint keeps it one moment.
            if engine.starts(progress.epoch):
                accelerator.wait_for_everyone()
                _load_best(engine.inner, run)
                engine.enter(progress.epoch)
            if main:
                run.save("last", engine.state() | {"progress": vars(progress)})
                run.log(progress.history)
    accelerator.wait_for_everyone()
    _load_best(engine.inner, run)
    engine.inner.eval()
    assert progress.best is not None
    return progress.best


def _epoch(
    engine: Engine, plan: Plan, epoch: int, shown: Display, run: Run, batches: Iterator[Batch]
) -> dict[str, Any]:
    """Train for one epoch, judge, and return its entry in the log."""
    started = time.monotonic()
    first = epoch * plan.steps
    total = 0.0
    engine.model.train()
    for step in range(first, first + plan.steps):
        loss = engine.update(step, batches, plan.prepare, plan.loss)
        if not math.isfinite(loss):
            raise _no_number(loss, plan, step, run)
        total += loss
        shown.step(loss)
    rate = engine.optimizer.param_groups[0]["lr"]
    engine.agree()
    figures = plan.validate(engine.inner.eval())
    if not math.isfinite(figures[plan.choose]):
        raise RecipeError(
            f"the validation's {plan.choose} is {figures[plan.choose]} after epoch {epoch + 1}",
            hint="do the validation tracks differ in any tag? or try a lower train.learning_rate",
        )
    return {
        "epoch": epoch + 1,
        "step": first + plan.steps,
        "loss": total / plan.steps,
        "validation": known(figures),
        "learning_rate": rate,
        "seconds": round(time.monotonic() - started, 2),
    }


def _restored(engine: Engine, state: Mapping[str, Any], run: Run) -> Progress:
    try:
        progress = Progress(**state["progress"])
        engine.restore(state, progress.epoch)
    except (RuntimeError, ValueError, KeyError, TypeError, IndexError) as error:
        raise RecipeError(
            "this checkpoint is of another network",
            path=run.folder / "last.pt",
            hint="start anew in another folder, without --resume",
        ) from error
    return progress


def _load_best(network: nn.Module, run: Run) -> None:
    best = run.read("best")
    if best is None:
        raise RecipeError(
            "best.pt is missing", path=run.folder, hint="start anew, in another folder"
        )
    network.load_state_dict(best["model"])


def _no_number(loss: float, plan: Plan, step: int, run: Run) -> RecipeError:
    """The error for a loss that is no number; all tracks of the batch go into a file beside the log."""
    rows = plan.batches.rows(Slice(step)).tolist()
    named = list(dict.fromkeys(plan.names(row) for row in rows))
    epoch = step // plan.steps + 1
    path = run.note(
        "no-number.json", {"loss": str(loss), "step": step, "epoch": epoch, "tracks": named}
    )
    few = ", ".join(named[:4]) + (", ..." if len(named) > 4 else "")
    return RecipeError(
        f"the loss is {loss} at step {step}, in epoch {epoch}, on {few}",
        hint=f"all tracks are in {path}; try a lower train.learning_rate, or train.clip",
    )
