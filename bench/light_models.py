"""Seconds for 1,000 clips of 29.1 s from ready features: the lightweight models 1, 2, 3 and their ensemble.

    python bench/light_models.py [--clips 1000] [--device auto] [--batch 0] [--threads 1 2]

After Table 5 of "Lightweight ensemble" (paper 5), "the time taken for the model to predict tags for 1000 songs" on a
Tesla V100, whose figures stand in the first line. The paper says nothing of batches, nor whether the features'
way to the GPU counts; here both are told apart. What is measured: float32 features in memory (log-mels of 128 × 592
for models 1 and 2, 465,600 samples for model 3) to probabilities in memory, after a warm-up. The combiner's
time is its own; "1+2" and "1+2+3" are sums with it. The weights are fresh: they cost what trained ones cost.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

import torch
from light_features import Features, features
from machine import Peak, described, publish
from torch import Tensor

from tagkit import models
from tagkit.training.devices import accelerator

TAGS = 50
NAMES = ("light_1", "light_2", "light_3")
COLUMNS = ("model 1", "model 2", "model 3", "combiner", "1+2", "1+2+3")
#: Table 5, seconds; it has no line for the combiner.
PAPER = (0.48, 1.76, 9.03, None, 2.07, 10.61)
#: Clips. On a core more than 8 at once gain nothing; 32 fill a GPU and take less than 8 GB of it by model 3.
BATCH = {"cpu": 8}
BATCH_GPU = 32


class Way(NamedTuple):
    """How the networks compute: in ``bf16``, and their images with ``channels_last``."""

    name: str
    bf16: bool = False
    channels_last: bool = False


WAYS = (
    Way("fp32"),
    Way("fp32, channels_last", channels_last=True),
    Way("bf16", bf16=True),
    Way("bf16, channels_last", bf16=True, channels_last=True),
)


class Line(NamedTuple):
    """Seconds in the order of COLUMNS, and bytes beyond the features at the highest."""

    name: str
    seconds: tuple[float, ...]
    peak: int


def measured(way: Way, given: Features, batch: int, device: torch.device, *, there: bool) -> Line:
    """Hear all clips by each model. ``there``: the features lie on the device before the clock starts."""
    seconds, said = [], []
    with Peak(device) as peak:
        for name in NAMES:
            inputs = given.samples if name == "light_3" else given.images
            model = _built(name, inputs[:8], way, device)
            clips = inputs.to(device) if there else inputs
            spent, found = _heard(model, clips, batch, device, _arithmetic(way, device))
            seconds.append(spent)
            said.append(found)
            del clips
        combiner = models.build("combiner", TAGS, inputs=TAGS * len(NAMES)).eval().to(device)
        together = torch.cat(said, 1)
        combining, _ = _heard(combiner, together, len(together), device, nullcontext())
    one, two, three = seconds
    sums = (one + two + combining, one + two + three + combining)
    return Line(way.name, (one, two, three, combining, *sums), peak.bytes)


def _built(name: str, some: Tensor, way: Way, device: torch.device) -> models.TagModel:
    torch.manual_seed(0)
    model = models.build(name, TAGS).eval()
    model.normalise.running_mean.fill_(float(some.mean()))
    model.normalise.running_var.fill_(float(some.var()))
    if way.channels_last:
        model.to(memory_format=torch.channels_last)
    return model.to(device)


def _arithmetic(way: Way, device: torch.device) -> AbstractContextManager[object]:
    return torch.autocast(device.type, torch.bfloat16) if way.bf16 else nullcontext()


@torch.inference_mode()
def _heard(
    model: Callable[[Tensor], Tensor],
    clips: Tensor,
    batch: int,
    device: torch.device,
    arithmetic: AbstractContextManager[object],
) -> tuple[float, Tensor]:
    """Return the seconds for all clips and their probabilities (clips, tags), on the CPU."""

    def hear(some: Tensor) -> Tensor:
        return torch.sigmoid(model(some.to(device, non_blocking=True)).float())

    with arithmetic:
        for _ in range(2):
            hear(clips[:batch])
        _wait(device)
        started = time.perf_counter()
        found = torch.cat([hear(some) for some in clips.split(batch)]).cpu()
        _wait(device)
        return time.perf_counter() - started, found


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def lines(options: argparse.Namespace, device: torch.device) -> list[Line]:
    """Measure every way, on a CPU with each number of threads, on a GPU with and without the copying."""
    given = features(options.clips, pinned=device.type == "cuda")
    batch = options.batch or BATCH.get(device.type, BATCH_GPU)
    found = []
    for way in [way for way in WAYS if way.name in options.ways]:
        if device.type == "cpu":
            for threads in options.threads:
                torch.set_num_threads(threads)
                line = measured(way, given, batch, device, there=True)
                found.append(line._replace(name=f"{way.name}, {threads} thread(s)"))
                print(found[-1], file=sys.stderr)
        else:
            for there, said in ((True, "features there"), (False, "copied")):
                line = measured(way, given, batch, device, there=there)
                found.append(line._replace(name=f"{way.name}, {said}"))
    return found


def table(found: Sequence[Line]) -> str:
    head = f"{'seconds':32}" + "".join(f"{name:>10}" for name in COLUMNS) + "   peak MB"
    paper = ["-" if figure is None else f"{figure:.2f}" for figure in PAPER]
    rows = [f"{'paper 5, Tesla V100':32}" + "".join(f"{figure:>10}" for figure in paper)]
    for line in found:
        figures = "".join(f"{figure:10.3g}" for figure in line.seconds)
        rows.append(f"{line.name:32}{figures}{line.peak / 1e6:10.0f}")
    return "\n".join([head, *rows]) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch", type=int, default=0, help="clips; 0 as the device likes it")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="of a CPU")
    every = [way.name for way in WAYS]
    parser.add_argument("--ways", nargs="+", choices=every, default=every)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".txt"))
    options = parser.parse_args(arguments)
    device = accelerator(options.device, "no").device
    batch = options.batch or BATCH.get(device.type, BATCH_GPU)
    head = f"python bench/light_models.py: {options.clips} clips of 29.1 s, in batches of {batch}\n"
    head += described(device) + "\n"  # before the number of threads is changed
    publish(head + table(lines(options, device)), options.out, device)


if __name__ == "__main__":
    main()
