"""The training loop: batches in, the best weights out.

A run folder holds ``log.jsonl`` (one line a validation), ``last.pt`` (everything to go on from) and
``best.pt`` (the weights with the best validation figure). ``last.pt`` is replaced whole at each
validation: a run that is killed loses at most the steps since.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from tagkit.errors import RecipeError
from tagkit.files import whole
from tagkit.recipe import Train

Batch = tuple[Tensor, Tensor]  # input of the model, targets (batch, tags)


@dataclass(frozen=True)
class Plan:
    """What differs between kinds of training.

    ``batch(step)`` makes the batch of a step from the step's number alone, so that a resumed run sees
    what an uninterrupted one would. ``validate(model)`` returns the figure to maximise.
    """

    batch: Callable[[int], Batch]
    loss: Callable[[Tensor, Tensor], Tensor]
    validate: Callable[[nn.Module], float]


def fit(model: nn.Module, plan: Plan, train: Train, run: Path, *, resume: bool = False) -> float:
    """Train ``model`` in place, leave it with its best weights, return their validation figure.

    Raises RecipeError when the loss or the validation figure is no number, naming the step; where
    the run folder cannot be written; and for a checkpoint that is damaged or another model's.
    """
    with _writing(run):
        run.mkdir(parents=True, exist_ok=True)
    accelerator = Accelerator()
    # A third faster for 2-D convolutions on a CPU; nothing else changes.
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=train.learning_rate, weight_decay=train.weight_decay
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, train))
    model, optimizer = accelerator.prepare(model, optimizer)
    inner = accelerator.unwrap_model(model)
    first, best = 0, -math.inf
    if resume and (run / "last.pt").exists():
        first, best = _restore(run / "last.pt", inner, optimizer, schedule)
    started = time.monotonic()
    losses: list[float] = []
    with _progress() as progress:
        bar = progress.add_task("train", total=train.steps, completed=first, note="")
        for step in range(first, train.steps):
            model.train()
            # Dropout draws from torch's generator: seeded a step, it too is the same after a resume.
            torch.manual_seed(train.seed * 1_000_003 + step)
            inputs, targets = (part.to(accelerator.device) for part in plan.batch(step))
            loss = plan.loss(model(inputs), targets)
            if not torch.isfinite(loss):
                raise RecipeError(
                    f"the loss is {loss.item()} at step {step}", hint="try a lower learning_rate"
                )
            optimizer.zero_grad()
            accelerator.backward(loss)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            progress.advance(bar)
            if (step + 1) % train.validate_every and step + 1 < train.steps:
                continue
            figure = plan.validate(inner.eval())
            entry = {
                "step": step + 1,
                "loss": sum(losses) / len(losses),
                "validation": figure,
                "seconds": round(time.monotonic() - started, 1),
            }
            losses.clear()
            if math.isnan(figure):
                raise RecipeError(
                    f"the validation figure is no number at step {step + 1}",
                    hint="are there at least two validation tracks on which the teachers differ?",
                )
            with _writing(run), (run / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(entry) + "\n")
            progress.update(bar, note=f"loss {entry['loss']:.3f}  validation {figure:.3f}")
            if figure > best:
                best = figure
                _save(run / "best.pt", {"model": inner.state_dict()})
            state = {"model": inner.state_dict(), "optimizer": optimizer.state_dict()}
            state |= {"schedule": schedule.state_dict(), "step": step + 1, "best": best}
            _save(run / "last.pt", state)
    inner.load_state_dict(_read(run / "best.pt")["model"])
    inner.eval()
    return best


def _rate(step: int, train: Train) -> float:
    if step < train.warmup:
        return (step + 1) / train.warmup
    done = (step - train.warmup) / max(1, train.steps - train.warmup)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def _restore(path: Path, model: nn.Module, optimizer: Any, schedule: Any) -> tuple[int, float]:
    state = _read(path)
    try:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        return state["step"], state["best"]
    except (RuntimeError, ValueError, KeyError) as error:
        raise RecipeError(
            "this checkpoint is of another model", path=path, hint="start anew without --resume"
        ) from error


def _read(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged one may fail in any way
        raise RecipeError(
            f"cannot be read: {type(error).__name__}", path=path, hint="start anew without --resume"
        ) from error


def _save(path: Path, state: dict[str, Any]) -> None:
    # Into memory first: a plain write then meets the full disk, and its OSError says so.
    data = io.BytesIO()
    torch.save(state, data)
    with _writing(path), whole(path) as file:
        file.write(data.getbuffer())


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RecipeError(
            f"cannot be written: {error.strerror or error}",
            path=path,
            hint="free some space, then go on with --resume",
        ) from error


def _progress() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
    )
    return Progress(
        *columns,
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
    )
