"""What a library of millions costs: the engine for many machines measured, and the arithmetic. Linux.

    python bench/scale.py FOLDER [--files N] [--rounds N] [--price DOLLARS] [--cores N] [--seconds S]

``FOLDER`` holds MP3 files of the usual length, such as the corpus of bench/throughput.py; ``N`` copies of
them, each with other bytes in its last frame and therefore another content, are made beside it and heard by ``--engine
local`` and ``--engine ray`` on this machine. A file's cost is the difference between many files and few:
start-up is apart. ``--price`` is of a core for an hour, ``--cores`` are those of the example cluster.
``--seconds`` gives the cost of a track instead of measuring it. The text is also put into bench/scale.txt.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import torch
from machine import described, publish

from tagkit.engines.ray_data import shards
from tagkit.engines.todo import add_models
from tagkit.inference import ensemble
from tagkit.library.store import Store

FEW = 4
SUBREAPER = 36  # prctl's PR_SET_CHILD_SUBREAPER: what outlives its parent stays below this process
SIZES = (1_000_000, 100_000_000)


def main() -> None:
    arguments = _arguments()
    text = described(torch.device("cpu"))
    with tempfile.TemporaryDirectory(prefix="scale-", dir=arguments.folder.parent) as made:
        work = Path(made)
        music = copies(arguments.folder, work / "music", arguments.files)
        look, merge, kept = driver(music, work / "driver.sqlite")
        seconds = arguments.seconds
        if seconds is None:
            costs = {name: [] for name in ("local", "ray")}
            for number in range(arguments.rounds):
                for name, found in costs.items():
                    found.append(a_file(name, music, work / f"{name}{number}"))
            for name, found in costs.items():
                text += f"CPU seconds a track, --engine {name}: {statistics.median(found):.3f}"
                text += f" ({arguments.rounds} rounds: {min(found):.3f} to {max(found):.3f})\n"
            seconds = statistics.median(costs["ray"])
    text += (
        f"driver: {1e3 * look:.2f} ms of CPU to look at a new file, {1e3 * merge:.2f} to merge\n"
        f"store: {kept:,.0f} bytes a track\n\n"
    )
    text += table(seconds, look + merge, arguments.price, arguments.cores)
    publish(text, Path(__file__).with_suffix(".txt"), torch.device("cpu"))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--price", type=float, default=0.04)
    parser.add_argument("--cores", type=int, default=64)
    parser.add_argument("--seconds", type=float)
    return parser.parse_args()


def copies(folder: Path, target: Path, count: int) -> list[Path]:
    """Write ``count`` different files; the first ones are FEW, the rest many."""
    sources = sorted(folder.rglob("*.mp3"))
    target.mkdir()
    paths = []
    for number in range(count):
        path = target / f"{number:05}.mp3"
        shutil.copyfile(sources[number % len(sources)], path)
        with path.open(
            "r+b"
        ) as file:  # in the last frame: its length, and so its header, stay true
            file.seek(-40, 2)
            file.write(number.to_bytes(4, "big"))
        paths.append(path)
    return paths


def a_file(engine: str, music: list[Path], work: Path) -> float:
    """CPU seconds a file, of all processes together."""
    work.mkdir()
    used = []
    for count in (FEW, len(music)):
        listed = work / f"{count}.txt"
        listed.write_text("".join(f"{path}\n" for path in music[:count]), encoding="utf-8")
        command = [sys.executable, "-m", "tagkit", "tag", "--engine", engine, "--device", "cpu"]
        command += ["--input-list", str(listed), "--store", str(work / f"{count}.sqlite")]
        used.append(cpu_seconds(command))
    return (used[1] - used[0]) / (len(music) - FEW)


def cpu_seconds(command: list[str]) -> float:
    """CPU seconds of a command and all its processes, looked at until they end: Ray lets go of its
    workers unwaited for, so the system does not add theirs up."""
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    used: dict[tuple[int, float], float] = {}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        while process.poll() is None:
            time.sleep(0.1)
            for each in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    times = each.cpu_times()
                    used[each.pid, each.create_time()] = times.user + times.system
        assert process.stderr is not None
        said = process.stderr.read().decode(errors="replace")
    if process.returncode:
        raise SystemExit(f"{' '.join(command[3:])}: {process.returncode}\n{said[-2000:]}")
    return sum(used.values())


def driver(music: list[Path], place: Path) -> tuple[float, float, float]:
    """What the driver itself does for a track, in CPU seconds: to look at a file and to merge its
    result; and how many bytes the store then has for it."""
    model = ensemble.load([])
    random = np.random.default_rng(0)
    with Store(place) as store:
        ids = add_models(store, model, 16)
        started = time.process_time()
        looks = list(store.look(music, ids))
        looked = time.process_time() - started
        said = {
            name: (random.random(len(m.card.tags), np.float32), random.random(256, np.float32))
            for name, m in zip(ids, model.members, strict=True)
        }
        results = [shards.Result(look.key or "", ids, 200.0, said, None) for look in looks]
        data = [shards.encode(results[at : at + 32]) for at in range(0, len(results), 32)]
        started = time.process_time()
        for each in data:
            shards.merge(store, each)
        merged = time.process_time() - started
    return looked / len(music), merged / len(music), place.stat().st_size / len(music)


def table(seconds: float, driven: float, price: float, cores: int) -> str:
    """Tracks → core-hours, hours and money."""
    lines = [
        f"At {seconds:.3f} CPU seconds a track, {price} dollars for a core-hour, {cores} cores:",
        "",
        "| tracks | core-hours | hours on the cluster | dollars | the driver's CPU hours |",
        "|---|---|---|---|---|",
    ]
    for tracks in SIZES:
        hours = tracks * seconds / 3600
        lines.append(
            f"| {tracks:,} | {tracks:,} × {seconds:.3f} s / 3,600 = {hours:,.0f} | {hours / cores:,.1f}"
            f" | {hours * price:,.2f} | {tracks * driven / 3600:,.1f} |"
        )
    most = seconds / driven
    lines.append(
        f"\nOne driver keeps up with {seconds:.3f} s / {driven:.5f} s = {most:,.0f} cores."
    )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
