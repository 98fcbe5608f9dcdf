"""What each way to compute a network costs on one core of a CPU.

Usage: python bench/levers.py [NAME ...] [--out bench/levers.txt]

CPU seconds for the 16 chunks of a track, one thread: minima of several runs, all levers of a network in turn so
that a slow minute of the machine falls on all of them. Differences are the largest in probability from the network
as it was trained. Resident memory is the peak of a process of its own for each lever, start-up (Python and torch)
included. Networks with random weights have heard 16 chunks first, so that their BatchNorms know the scale.
"""

from __future__ import annotations

import argparse
import copy
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from machine import described

os.environ["OMP_NUM_THREADS"] = "1"
NETWORKS = ("tagkit-ds-cnn", "tagkit-mel-tcn", "musicnn", "short_chunk_rescnn", "fcn")
CHUNKS = 16

#: Cumulative from the second to the fifth; then one change each to what tagkit does.
LEVERS = {
    "eager": "eager, buffers given back",
    "kept": "eager, buffers kept (memory.keep_buffers)",
    "folded": "+ BatchNorm folded, ReLU in place, pooling",
    "last": "+ channels last",
    "torch": "= backend torch (+ at most 64 MiB a layer)",
    "single": "  one chunk at a time",
    "four": "  four chunks at a time",
    "bf16": "  in bfloat16",
    "mkldnn": "eager, oneDNN weights packed (to_mkldnn), folded",
    "onnx": "backend onnx, float32",
    "openvino": "backend openvino, bfloat16 where native",
}


class Cost(NamedTuple):
    seconds: float
    moved: float
    megabytes: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=NETWORKS)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".txt"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        cost = measure(options.names[0], options.one)
        print(cost.seconds, cost.moved, cost.megabytes)
        return
    with tempfile.TemporaryDirectory() as cache:
        os.environ["TAGKIT_CACHE"] = cache
        lines = table(options.names, options.rounds)
    options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def table(names: list[str], rounds: int) -> list[str]:
    lines = [described(), f"CPU s for {CHUNKS} chunks; Δp; peak RSS in MiB"]
    say(*lines)
    for name in names:
        best: dict[str, Cost] = {}
        for _ in range(rounds):
            for lever in LEVERS:
                if cost := apart(name, lever):
                    best[lever] = min(best.get(lever, cost), cost)
        fresh = ["", f"{name:50} CPU s    of eager  Δp       RSS"]
        for lever, cost in best.items():
            share = cost.seconds / best["eager"].seconds
            fresh.append(
                f"  {LEVERS[lever]:48} {cost.seconds:.4f}   {share:5.2f}     {cost.moved:.1e}  {cost.megabytes:.0f}"
            )
        say(*fresh)
        lines += fresh
    return lines


def say(*lines: str) -> None:
    print("\n".join(lines), flush=True)


def apart(name: str, lever: str) -> Cost | None:
    """Measured in a process of its own; None for a lever that this network or machine has not."""
    command = [sys.executable, __file__, name, "--one", lever]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(f"{name}, {lever}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    return Cost(*map(float, done.stdout.split()))


def measure(name: str, lever: str) -> Cost:
    from tagkit.inference.memory import keep_buffers

    if lever != "eager":
        keep_buffers()
    import torch

    torch.set_num_threads(1)
    made = network(name)
    from tagkit.inference.backends.network import example

    x = example(made, CHUNKS)
    hear = way(made, lever)
    with torch.inference_mode():
        began = time.process_time()
        hear(x)
        times = max(2, min(25, int(3 / (time.process_time() - began))))
        seconds = min(timed(hear, x) for _ in range(times))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        moved = hear(x)[0].float().sigmoid() - made.model.hear(x)[0].sigmoid()
    return Cost(seconds, float(moved.abs().max()), peak)


def timed(hear: Callable, x: object) -> float:
    began = time.process_time()
    hear(x)
    return time.process_time() - began


def network(name: str):  # type: ignore[no-untyped-def]
    """The bundle of that name, or the architecture in its published size with random weights."""
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm

    from tagkit import models
    from tagkit.features import build
    from tagkit.inference.backends.network import example
    from tagkit.vocab import VOCABULARIES, canonical
    from tagkit.weights import bundle, catalogue
    from tagkit.weights.card import Card

    if name not in models.CATALOGUE:
        return bundle.load(catalogue.find(name))
    row = models.CATALOGUE[name]
    outputs = VOCABULARIES["jamendo-top50"]
    torch.manual_seed(0)
    model = models.build(name, len(outputs))
    card = Card(
        name=name.replace("_", "-"),
        architecture=name,
        arguments=row.arguments,
        front_end=row.front_end,
        tags=tuple(canonical(tag) for tag in outputs),
        outputs=outputs,
    )
    made = bundle.Bundle(card, model, build(row.front_end), "0" * 64)
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.momentum = None
    with torch.no_grad():
        model.train()(example(made, 4))
    model.eval()
    return made


def way(made, lever: str) -> Callable:  # type: ignore[no-untyped-def]
    import torch

    from tagkit.inference import backends
    from tagkit.inference.backends.folding import fold
    from tagkit.inference.backends.layout import channels_last
    from tagkit.inference.backends.network import Hearing

    if lever in backends.BACKENDS:

        def refuse(sentence: str) -> None:
            raise RuntimeError(sentence)

        return backends.prepare(lever, made, torch.device("cpu"), 1, say=refuse)
    hearing = Hearing(made)
    if lever in ("eager", "kept"):
        return hearing
    folded = fold(hearing)
    if lever == "folded":
        return folded
    if lever == "mkldnn":
        return packed(folded)
    laid = channels_last(folded)
    if lever == "bf16":
        half = laid.to(torch.bfloat16)
        return lambda x: half(x.bfloat16())
    size = {"last": CHUNKS, "single": 1, "four": 4}[lever]

    def parts(x):  # type: ignore[no-untyped-def]
        found = [laid(part) for part in torch.split(x, size)]
        return tuple(torch.cat(part) for part in zip(*found, strict=True))

    return parts


def packed(network):  # type: ignore[no-untyped-def]
    """The convolutions' weights in oneDNN's own order, in and out of it around each."""
    from torch import nn
    from torch.utils import mkldnn

    class Around(nn.Module):
        def __init__(self, conv: nn.Module) -> None:
            super().__init__()
            self.conv = mkldnn.to_mkldnn(copy.deepcopy(conv))

        def forward(self, x):  # type: ignore[no-untyped-def]
            return self.conv(x.contiguous().to_mkldnn()).to_dense()

    for name, module in list(network.named_modules()):
        if isinstance(module, nn.Conv2d):
            network.set_submodule(name, Around(module))
    return network


if __name__ == "__main__":
    main()
