"""The training loop: batches in, the best weights out; on one device or, through ``accelerate``, on many.

An epoch is ``steps`` updates, a judgement of the validation tracks and a checkpoint. Everything random
is drawn from the seed and the number of the update, so a run that goes on from a checkpoint is, on a CPU,
to the last bit the run that was never interrupted.

Several processes compute their slices of the same batch. On GPUs, BatchNorm is then taken over the
whole batch (SyncBatchNorm). On CPUs torch has no such thing: each process normalises its own slice, and
the running statistics are those of the first.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import DataLoader

from tagkit.errors import RecipeError
from tagkit.recipe import Train
from tagkit.training import optimizers
from tagkit.training.batches import Batch, Batches, Slice, chance
from tagkit.training.progress import Display, display
from tagkit.training.runs import Run

Figures = Mapping[str, float]


@dataclass(frozen=True)
class Plan:
    """What differs between kinds of training.

    ``prepare(batch, random)``: from a cached batch, on the device, to the network's input and targets.
    ``validate(network)`` returns figures, of which ``choose`` decides; "loss" is the only one of which
    less is better. ``names(row)``: what a training track is called in an error.
    """

    batches: Batches
    steps: int
    prepare: Callable[[Batch, np.random.Generator], tuple[Tensor, Tensor]]
    loss: Callable[[Tensor, Tensor], Tensor]
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

    ``run`` has begun. ``jobs``: processes that read batches ahead; 0 reads in this one.
    Raises RecipeError when the loss or the deciding figure is no number, naming step and tracks; where
    the run folder cannot be written; and for a checkpoint that is damaged or another network's.
    """
    engine = _Engine(network, train, plan.steps, accelerator)
    progress = Progress()
    if resume and (state := run.read("last")) is not None:
        progress = engine.restore(state, run)
    main = accelerator.is_main_process
    with display(train.epochs * plan.steps, progress.epoch * plan.steps, quiet=not main) as shown:
        while not progress.exhausted(train):
            entry = _epoch(engine, plan, progress.epoch, shown, run, jobs)
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
    engine: _Engine, plan: Plan, epoch: int, shown: Display, run: Run, jobs: int
) -> dict[str, Any]:
    """Train for one epoch, judge, and return its entry in the log."""
    started = time.monotonic()
    first = epoch * plan.steps
    losses = []
    engine.model.train()
    parts = engine.parts(first, first + plan.steps)
    batches = iter(_loader(plan.batches, parts, engine, jobs))
    for step in range(first, first + plan.steps):
        losses.append(engine.update(plan, step, batches, run))
        shown.step(losses[-1])
    rate = engine.optimizer.param_groups[0]["lr"]
    figures = plan.validate(engine.inner.eval())
    if not math.isfinite(figures[plan.choose]):
        raise RecipeError(
            f"the validation's {plan.choose} is {figures[plan.choose]} after epoch {epoch + 1}",
            hint="do the validation tracks differ in any tag? or try a lower train.learning_rate",
        )
    return {
        "epoch": epoch + 1,
        "step": first + plan.steps,
        "loss": sum(losses) / len(losses),
        "validation": dict(figures),
        "learning_rate": rate,
        "seconds": round(time.monotonic() - started, 2),
    }


def _loader(batches: Batches, parts: list[Slice], engine: _Engine, jobs: int) -> DataLoader[Batch]:
    return DataLoader(
        batches,
        batch_size=None,
        sampler=parts,
        num_workers=jobs,
        pin_memory=engine.accelerator.device.type == "cuda",
    )


class _Engine:
    """The network with its optimizer and schedule, on this process's device."""

    def __init__(
        self, network: nn.Module, train: Train, steps: int, accelerator: Accelerator
    ) -> None:
        self.train, self.steps, self.accelerator = train, steps, accelerator
        self.slices = train.accumulate * accelerator.num_processes
        if train.batch % self.slices:
            raise RecipeError(
                f"a batch of {train.batch} cannot be shared by {accelerator.num_processes} processes "
                f"in {train.accumulate} parts each",
                hint=f"set train.batch to a multiple of {self.slices}",
            )
        # A third faster for 2-D convolutions on a CPU; nothing else changes.
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if accelerator.num_processes > 1 and accelerator.device.type == "cuda":
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        self.model = accelerator.prepare(network)
        self.inner: nn.Module = accelerator.unwrap_model(self.model)
        self.enter(0)

    def starts(self, epoch: int) -> bool:
        """Whether a phase other than the first begins with ``epoch``."""
        return any(0 < start == epoch for start, _ in self.train.stages())

    def enter(self, epoch: int) -> None:
        """Begin the phase that ``epoch`` is in, with an optimizer of its own."""
        stage = [stage for start, stage in self.train.stages() if start <= epoch][-1]
        plain = optimizers.optimizer(self.inner.parameters(), stage)
        self.schedule = optimizers.schedule(plain, stage, stage.epochs * self.steps)
        self.optimizer = self.accelerator.prepare(plain)

    def parts(self, first: int, last: int) -> list[Slice]:
        """What this process computes of the updates from ``first`` up to ``last``, in order."""
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        return [
            Slice(step, part * world + rank, self.slices)
            for step in range(first, last)
            for part in range(self.train.accumulate)
        ]

    def update(self, plan: Plan, step: int, batches: Iterator[Batch], run: Run) -> float:
        """Change the weights once; return the loss, the mean over all parts and processes."""
        total = torch.zeros((), device=self.accelerator.device)
        for number, part in enumerate(self.parts(step, step + 1), 1):
            random = chance(self.train.seed, "augment", part.step, part.number)
            # Dropout draws from torch's generator: seeded a part, it too is the same after a resume.
            network = chance(self.train.seed, "network", part.step, part.number)
            torch.manual_seed(int(network.integers(2**63)))
            batch = Batch(*(tensor.to(self.accelerator.device) for tensor in next(batches)))
            inputs, targets = plan.prepare(batch, random)
            last = number == self.train.accumulate
            with nullcontext() if last else self.accelerator.no_sync(self.model):
                loss = plan.loss(self.model(inputs), targets) / self.train.accumulate
                self.accelerator.backward(loss)
            total += loss.detach()
        mean = float(self.accelerator.reduce(total, reduction="mean"))
        if not math.isfinite(mean):
            raise _no_number(mean, plan, step, run)
        if self.train.clip:
            self.accelerator.unscale_gradients(self.optimizer)
            nn.utils.clip_grad_norm_(self.inner.parameters(), self.train.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        # With fp16, an update whose gradients overflow is left out and the scale lowered.
        if not self.accelerator.optimizer_step_was_skipped:
            self.schedule.step()
        return mean

    def state(self) -> dict[str, Any]:
        scaler = self.accelerator.scaler
        return {
            "model": self.inner.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": scaler.state_dict() if scaler is not None else {},
        }

    def restore(self, state: Mapping[str, Any], run: Run) -> Progress:
        try:
            progress = Progress(**state["progress"])
            self.enter(progress.epoch)
            self.inner.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.schedule.load_state_dict(state["schedule"])
            if self.accelerator.scaler is not None:
                self.accelerator.scaler.load_state_dict(state["scaler"])
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
