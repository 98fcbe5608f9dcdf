"""How busy the loader keeps the network: updates a second of real training against training on one batch.

    python bench/training.py WORK [--device auto] [--recipe NAME ...]

Makes sound and its cache below WORK, then, for each recipe, in blocks that take turns in one process:

* real: the loader, the sampler and the recipe's changes to its inputs, as tagkit train runs them; each block
  starts with nothing read ahead;
* one batch: the same loop, given always the same cached batch, which lies on the device;
* one input: the same, and the batch is what the network takes already: no decoding, no augmentation.

The bar: real runs at >= .90 of the speed with one batch. On a CPU the same share is told in CPU time, all threads
together, which other work on the machine disturbs less. After that it tells what the parts of a real update take.
Recipes whose inputs are changed (six_block_augmented) are slower than with one input by what that costs.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import repeat
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import torch
from accelerate.state import AcceleratorState
from machine import described, publish
from training_apart import Apart, apart
from training_data import dataset

from tagkit import recipe as recipes
from tagkit.data.cache import Cache
from tagkit.data.dataset import Dataset
from tagkit.data.filling import prepare
from tagkit.training import devices
from tagkit.training.ahead import ahead
from tagkit.training.batches import Batch, Slice
from tagkit.training.engine import Engine, Prepare
from tagkit.training.loop import Plan
from tagkit.training.supervised import Supervised

BAR = 0.90
RECIPES = (
    *("short_chunk_rescnn", "focal_rescnn_focal"),
    *("light_1", "light_2", "light_3", "six_block_augmented"),
)
WARM_UP = 3


class Spent(NamedTuple):
    """Seconds of a block: on the wall, and of this process's threads together."""

    wall: float
    cpu: float


class Row(NamedTuple):
    """Updates a second of the three ways; the shares of real: against one batch, the same in CPU time, against one
    input; and what a real update does."""

    recipe: str
    batch: int
    real: float
    one_batch: float
    one_input: float
    of_batch: float
    of_batch_cpu: float
    of_input: float
    apart: Apart


def measured(options: argparse.Namespace, name: str, made: Dataset) -> Row:
    """Train by a recipe, in turns."""
    recipe = recipes.load(name, options.set)
    accelerator = devices.accelerator(options.device, recipe.train.precision)
    training = Supervised(recipe, made, accelerator)
    cache = training.cache(options.work / "cache")
    _fill(cache, made)
    plan = training.plan(cache, lambda _: {})
    assert training.network is not None
    engine = Engine(training.network, recipe.train, training.steps, accelerator)
    engine.model.train()
    ways = _Ways(engine, plan, options.jobs)
    updates = _enough(ways, options.seconds)
    rounds = [[block(updates) for block in ways.blocks] for _ in range(options.rounds)]
    rates = [median(updates / spent.wall for spent in way) for way in zip(*rounds, strict=True)]
    shares = (
        median(batch.wall / real.wall for real, batch, _ in rounds),
        median(batch.cpu / real.cpu for real, batch, _ in rounds),
        median(ready.wall / real.wall for real, _, ready in rounds),
    )
    parts = apart(engine, plan, ways.parts(updates), options.jobs)
    return Row(name, recipe.train.batch, *rates, *shares, parts)


class _Ways:
    """The three ways; each block goes on where the block before stopped."""

    def __init__(self, engine: Engine, plan: Plan, jobs: int) -> None:
        self.engine, self.plan, self.jobs = engine, plan, jobs
        self.blocks: Sequence[Callable[[int], Spent]] = (self.real, self.one_batch, self.one_input)
        self.device = engine.accelerator.device
        self._step = 0
        read = plan.batches[Slice(0, 0, engine.slices)]
        self._batch = Batch(*(tensor.to(self.device) for tensor in read))
        self._input = plan.prepare(self._batch, np.random.default_rng(0))

    def parts(self, updates: int) -> Iterator[Slice]:
        first, self._step = self._step, self._step + updates
        return self.engine.parts(first, self._step)

    def real(self, updates: int) -> Spent:
        pinned = self.device.type == "cuda"
        reading = ahead(self.plan.batches, self.parts(updates), jobs=self.jobs, pinned=pinned)
        with closing(reading) as batches:
            return self._run(batches, self.plan.prepare, updates)

    def one_batch(self, updates: int) -> Spent:
        return self._run(repeat(self._batch), self.plan.prepare, updates)

    def one_input(self, updates: int) -> Spent:
        return self._run(repeat(self._batch), lambda *_: self._input, updates)

    def _run(self, batches: Iterator[Batch], prepare: Prepare, updates: int) -> Spent:
        """Return what is spent on so many updates; each ends when its loss is known."""
        started = Spent(time.perf_counter(), time.process_time())
        for step in range(updates):
            self.engine.update(step, batches, prepare, self.plan.loss)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return Spent(time.perf_counter() - started.wall, time.process_time() - started.cpu)


def _enough(ways: _Ways, seconds: float) -> int:
    """Warm up and return how many updates fill a block."""
    ways.real(WARM_UP)
    return max(1, round(seconds / (ways.real(2).wall / 2)))


def _fill(cache: Cache, made: Dataset) -> None:
    for done in prepare(cache, [made.root / track.path for track in made.tracks], 2):
        if done.error is not None:
            raise done.error


def table(rows: Sequence[Row]) -> str:
    lines = [
        f"updates a second, and the share that real is of the others; the bar: of one batch >= {BAR:.2f}",
        "recipe                batch     real  one batch  one input   of one batch  in CPU time"
        "  of one input",
    ]
    for row in rows:
        held = "held" if row.of_batch >= BAR else "MISSED"
        lines.append(
            f"{row.recipe:20} {row.batch:6} {row.real:8.3g} {row.one_batch:10.3g} {row.one_input:10.3g}"
            f" {row.of_batch:7.3f} {held:6} {row.of_batch_cpu:12.3f} {row.of_input:13.3f}"
        )
    lines += [
        "",
        "milliseconds of a real update (made: what a thread needs to make its batch, meanwhile)",
    ]
    lines.append(f"{'recipe':20} " + " ".join(f"{name:>10}" for name in Apart._fields))
    for row in rows:
        lines.append(f"{row.recipe:20} " + " ".join(f"{1e3 * part:10.2f}" for part in row.apart))
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--recipe", nargs="+", default=RECIPES)
    parser.add_argument("--set", nargs="*", default=[], help="changes to the recipes, key=value")
    parser.add_argument("--tracks", type=int, default=400)
    parser.add_argument("--track-seconds", type=float, default=30.0)
    parser.add_argument("--jobs", type=int, default=2, help="threads that read, as tagkit train's")
    parser.add_argument("--seconds", type=float, default=8.0, help="of a block")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".txt"))
    options = parser.parse_args(arguments)
    print("making sound", file=sys.stderr)
    made = dataset(options.work / "sound", options.tracks, options.track_seconds)
    rows = []
    for name in options.recipe:
        print(name, file=sys.stderr)
        AcceleratorState._reset_state(True)  # it remembers a precision, and recipes differ
        rows.append(measured(options, name, made))
        gc.collect()
    device = devices.accelerator(options.device, "no").device
    head = f"python bench/training.py WORK: {options.tracks} tracks of {options.track_seconds:g} s"
    head += f", {options.jobs} reading threads, {options.rounds} blocks of {options.seconds:g} s\n"
    publish(head + described(device) + "\n" + table(rows), options.out, device)


if __name__ == "__main__":
    main()
