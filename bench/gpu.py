"""How many cores keep a device busy: tracks a second that it can hear, that a core decodes, and both together.

    python bench/gpu.py FOLDER [--device auto] [--backend auto] [--tracks 256] [--model NAME]

FOLDER: some audio files of a usual length, such as those of bench/throughput.py. "Busy" is the time that
the device needs for what it was given, front ends included, over the time that the run took. On a CPU
the networks take their share of the same cores: the figures are then of this machine as a whole.
"""

from __future__ import annotations

import argparse
import itertools
import os
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from machine import described, publish

from tagkit.audio.windows import Decoded
from tagkit.audio.workers import Workers
from tagkit.engines.local import load
from tagkit.inference import ensemble
from tagkit.inference.listening import Ears
from tagkit.inference.pipeline import GPU_TRACKS, Analyser, Task

WINDOWS = 16
GOAL = 0.8


def device_rate(ears: Ears, tracks: Sequence[Decoded], ids: Sequence[str], batch: int) -> float:
    """Return tracks a second, from windows in memory to probabilities in memory."""
    groups = [tracks[at : at + batch] for at in range(0, len(tracks), batch)]
    ears.hear(groups[0], ids)  # a device chooses its kernels at the first call
    started = time.perf_counter()
    for group in groups:
        ears.hear(group, ids)
    return len(tracks) / (time.perf_counter() - started)


def decoding_rate(files: Sequence[Path], hearings: set[tuple[int, int]], count: int) -> float:
    """Return tracks a second that one process decodes."""
    with Workers(1, WINDOWS) as workers:
        workers.submit(files[0], hearings).result()
        started = time.perf_counter()
        for path in itertools.islice(itertools.cycle(files), count):
            workers.submit(path, hearings).result()
        return count / (time.perf_counter() - started)


def together(
    ears: Ears, files: Sequence[Path], ids: Sequence[str], processes: int, count: int
) -> float:
    """Return tracks a second of the whole analyse step, start-up apart."""
    with Workers(processes, WINDOWS) as workers:
        analyser = Analyser(ears, workers)
        warm = [Task(path, ids) for path in files[: 2 * processes]]
        for _ in analyser.analyse(warm):
            pass
        started = time.perf_counter()
        for found in analyser.analyse(
            Task(path, ids) for path in itertools.islice(itertools.cycle(files), count)
        ):
            if found.error is not None:
                raise SystemExit(f"{found.path}: {found.error}")
        return count / (time.perf_counter() - started)


def table(ears: Ears, files: Sequence[Path], ids: Sequence[str], count: int) -> str:
    """Measure, and return the table's text."""
    with Workers(2, WINDOWS) as workers:
        decoded = [workers.submit(path, ears.hearings(ids)) for path in files]
        some = [future.result() for future in decoded]
    tracks = list(itertools.islice(itertools.cycle(some), count))
    lines = ["", f"{'tracks at once':<40}{'tracks/s on the device':>24}"]
    rates = {}
    for batch in (1, 4, 16, GPU_TRACKS, 2 * GPU_TRACKS):
        rates[batch] = device_rate(ears, tracks, ids, batch)
        lines.append(f"{batch:<40}{rates[batch]:>24.1f}")
    used = 1 if ears.device.type == "cpu" else GPU_TRACKS
    full = rates[used]
    core = decoding_rate(files, ears.hearings(ids), min(count, 64))
    needed = GOAL * full / core
    lines += [
        "",
        f"one process decodes {core:.1f} tracks/s",
        f"{GOAL:.0%} of the device: {needed:.1f} such processes, each with a core",
        "",
        f"{'decoding processes':<24}{'tracks/s':>12}{'device busy':>16}",
    ]
    cores = os.cpu_count() or 1
    for processes in sorted({1, max(1, cores // 2), cores}):
        rate = together(ears, files, ids, processes, count)
        lines.append(f"{processes:<24}{rate:>12.1f}{rate / full:>16.0%}")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--tracks", type=int, default=256)
    parser.add_argument("--model", action="append")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".txt"))
    given = parser.parse_args()
    chosen = ensemble.load(given.model or ())
    ears = load(chosen, WINDOWS, given.device, given.backend)
    files = sorted(path for path in given.folder.rglob("*") if path.is_file())
    head = (
        f"$ python bench/gpu.py FOLDER\n{described(ears.device)}"
        f"{chosen.name} by {ears.backend} on {ears.device.type}, {len(files)} files, "
        f"{given.tracks} tracks a line\n"
    )
    text = head + table(ears, files, chosen.model_ids(WINDOWS), given.tracks)
    publish(text, given.output, ears.device)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
