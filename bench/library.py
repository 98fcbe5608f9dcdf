"""What a library of 100,000 files costs where everything is known already, and what it costs to start.

    python bench/library.py WORK [--files 100000] [--drop-caches] [--out bench/library.txt]

Runs the commands themselves, each in a process of its own, some times; prints the least wall time, the CPU
time of that run and the largest memory, and whether the bars hold. ``library_made.py`` makes the files.
``--drop-caches`` empties the page cache before each cold start; that needs the rights to do so, and slows
down whatever else runs on the machine. With other programs running, only the CPU times say anything.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from machine import described
from rich.console import Console
from rich.table import Table
from rich.text import Text

OUT = Path(__file__).with_suffix(".txt")
SMALL = 10_000
MIB = 2**20


class Cost(NamedTuple):
    wall: float  # seconds
    cpu: float  # seconds, user and system
    memory: int  # bytes, the largest resident size


class Row(NamedTuple):
    name: str
    runs: int
    arguments: tuple[str | Path, ...]
    store: Path | None = None
    seconds: float | None = None  # bars
    memory: int | None = None
    before: Callable[[], None] | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--drop-caches", action="store_true")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    work: Path = arguments.work
    # In another process: a child's memory begins with that of the process that starts it.
    make = [sys.executable, Path(__file__).with_name("library_made.py"), work]
    subprocess.run([*make, "--files", str(arguments.files)], check=True)
    found = {}
    for row in rows(work, arguments.files, arguments.drop_caches):
        Console(stderr=True).print(row.name, style="dim")
        costs = [measure(row, work) for _ in range(row.runs)]
        least = min(costs)
        found[row] = least._replace(memory=max(cost.memory for cost in costs))
    with arguments.out.open("w", encoding="utf-8") as file:
        for console in (Console(width=120), Console(file=file, width=120)):
            show(console, found, arguments.files)


def rows(work: Path, files: int, drop: bool) -> Iterator[Row]:
    small, large = work / "small", work / f"files-{files}"
    known, cold = Path(f"{large}.sqlite"), work / "cold.sqlite"
    jsonl = ("--format", "jsonl")

    def fresh() -> None:
        for path in work.glob("cold.sqlite*"):
            path.unlink()
        if drop:
            os.sync()
            Path("/proc/sys/vm/drop_caches").write_text("3", encoding="ascii")

    yield Row("tagkit --help", 9, ("--help",), seconds=0.25)
    yield Row("tagkit --version", 9, ("--version",))
    cache = "empty page cache" if drop else "warm page cache"
    one = ("tag", work / "one.mp3")
    yield Row(f"one MP3 of 220 s, new store, {cache}", 5, one, cold, 2.5, before=fresh)
    yield Row("the same MP3 again", 5, one, cold)
    for level in ("artist", "none"):
        context = ("--context", level)
        bar = 5.0 if level == "artist" else None
        again = ("tag", small, *jsonl, *context)
        yield Row(f"10,000 known files, context {level}", 3, again, work / "small.sqlite", bar)
    for level in ("artist", "none"):
        again = ("tag", large, *jsonl, "--context", level)
        name = f"{files:,} known files, context {level}"
        yield Row(name, 2, again, known, 30.0, 1024 * MIB)
    for kind in ("csv", "m3u8", "table"):
        yield Row(f"{files:,} known files, {kind}", 1, ("tag", large, "--format", kind), known)
    plan = ("tag", small, "--plan", work / "plan.jsonl")
    yield Row("10,000 known files, --plan: reads their tags", 1, plan, work / "small.sqlite")


def measure(row: Row, work: Path) -> Cost:
    """Run a command once. Raises CalledProcessError where it fails."""
    if row.before is not None:
        row.before()
    environment = os.environ | {
        "TAGKIT_CONFIG": str(work / "config.toml"),  # the user's own is not to be measured
        "TAGKIT_STORE": str(row.store or work / "cold.sqlite"),
        "TAGKIT_JOURNAL": str(work / "journal.sqlite"),
    }
    command = [sys.executable, "-m", "tagkit", *map(str, row.arguments)]
    with (work / "stdout").open("wb") as out, (work / "stderr").open("wb") as err:
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=err, env=environment)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)  # it is waited for, and Popen knows
    if process.returncode:
        sys.stderr.write((work / "stderr").read_text(encoding="utf-8"))
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def show(console: Console, found: dict[Row, Cost], files: int) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("command")
    for name in ("wall s", "CPU s", "MiB", "bar"):
        table.add_column(name, justify="right")
    table.add_column("")
    for row, cost in found.items():
        met = cost.wall <= (row.seconds or cost.wall) and cost.memory <= (row.memory or cost.memory)
        bars = [f"{row.seconds:g} s"] if row.seconds else []
        bars += [f"{row.memory / MIB:,.0f} MiB"] if row.memory else []
        figures = (f"{cost.wall:.2f}", f"{cost.cpu:.2f}", f"{cost.memory / MIB:,.0f}")
        verdict = Text(("met" if met else "missed") if bars else "")
        table.add_row(row.name, *figures, ", ".join(bars), verdict)
    console.print(described(), highlight=False)
    console.print(table)
    for level in ("artist", "none"):
        few, many = (
            next(
                c.memory
                for r, c in found.items()
                if r.name == f"{n:,} known files, context {level}"
            )
            for n in (SMALL, files)
        )
        if files > SMALL:
            slope = (many - few) / (files - SMALL)
            console.print(f"memory that a file more takes, context {level}: {slope:,.0f} bytes")


if __name__ == "__main__":
    main()
