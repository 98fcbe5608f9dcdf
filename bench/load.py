"""A large library goes through everything that tagkit does to it, and after each step every file is looked at.

    python bench/load.py WORK [--files 100000] [--jobs 2] [--out bench/load.txt]

Runs the commands themselves on files of every format (``load_made.py``): listen, decide again, plan, write,
write again, undo, apply the plan, strip, and three writing processes at once. Prints what each step took and
at most held in memory with all its processes. After each step a file's audio, tagkit's fields and everything
else in it are compared with what they must be; a file with its old inode and times is as it was. Ends with
an error at the first that is not.

``WORK`` may lie in memory (tmpfs): on a disk each written file waits three times for it.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parent / "throughput")]

import load_made
from machine import described
from rich.console import Console
from rich.table import Table
from usage import sampled

from tests import library
from tests.trust.shelf import see

OUT = Path(__file__).with_suffix(".txt")
AT_ONCE = 3
#: Seconds a file after which a step has hung.
PATIENCE = 0.5


class Step(NamedTuple):
    name: str
    wall: float  # seconds
    cpu: float
    memory: float  # MiB, the most of all its processes together


class State(NamedTuple):
    """What a file is: which inode, since when, and digests of what is in it."""

    identity: tuple[int, int, int, int]
    audio: bytes
    fields: bytes
    foreign: bytes

    @property
    def content(self) -> tuple[bytes, bytes, bytes]:
        return self[1:]


class WrongError(Exception):
    """A file, or what a command says, is not what it must be."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    load = Load(arguments.work, arguments.files, arguments.jobs)
    load.all()
    with arguments.out.open("w", encoding="utf-8") as file:
        for console in (Console(width=120), Console(file=file, width=120)):
            show(console, load)


class Load:
    """The library below ``work``, its states, and the steps that were taken."""

    def __init__(self, work: Path, files: int, jobs: int) -> None:
        self.work, self.files, self.jobs = work, files, jobs
        self.music, self.home = work / f"Music-{files}", work / "home"
        work.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.home, ignore_errors=True)
        self.model = library.small_model(work / "small.safetensors")
        self.paths = load_made.make(self.music, files, jobs)
        self.free = [not load_made.linked(number) for number in range(files)]
        self.writable = sum(self.free)
        self.steps: list[Step] = []
        self.looked = 0
        self.states: list[State] = []
        self._look()
        self.untouched = [state.content for state in self.states]

    def all(self) -> None:
        """Take every step. Raises WrongError."""
        plan = self.work / "plan.jsonl"
        tag = ("tag", self.music, "--model", self.model, "--context", "none")
        jsonl = ("--format", "jsonl")
        self.step("listen to all, decide", *tag, *jsonl, prints=self.files)
        self.step("all known, decide again", *tag, *jsonl, "--threshold", 0.5, prints=self.files)
        self.step("tag --plan", *tag, "--plan", plan)
        self.expect_untouched()

        said = self.step("tag --write", *tag, "--write")
        self.expect(said, f"{self.writable:,} tagged")
        self.expect(said, f"skipped {self.files - self.writable:,}: the file has 2 names")
        self._look()
        written = self.expect_written()
        self.step("tag --write again: nothing to do", *tag, "--write")
        self.expect_untouched()
        self.step("history of the run", "history", 1, *jsonl, prints=self.writable)

        self.expect(self.step("undo", "undo"), f"{self.writable:,} restored")
        self._look()
        self.expect_states(self.untouched)
        self.expect(self.step("apply the plan", "apply", plan), f"{self.writable:,} written")
        self._look()
        self.expect_states(written)
        self.expect(self.step("strip", "strip", self.music), f"{self.writable:,} stripped")
        self._look()
        self.expect_states(self.untouched)

        self.at_once(tag, written)

    def at_once(self, tag: Sequence[object], written: Sequence[tuple[bytes, ...]]) -> None:
        """Three processes write the same library, and each is taken back by itself."""
        first = self._last_run() + 1
        names = [f"tag --write, process {n + 1} of {AT_ONCE} at once" for n in range(AT_ONCE)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda name: self.step(name, *tag, "--write"), names))
        self._look()
        self.expect_states(written)
        counts = [self._written_by(run) for run in range(first, self._last_run() + 1)]
        if sum(counts) != self.writable:
            raise WrongError(f"{counts} writes at once of {self.writable} files")
        for number, count in enumerate(counts):
            said = self.step(f"undo of process {number + 1}", "undo", first + number)
            self.expect(said, f"{count:,} restored")
        self._look()
        self.expect_states(self.untouched)

    # -- what is to be true ------------------------------------------------------------------

    def expect(self, said: str, words: str) -> None:
        if words not in said:
            raise WrongError(f"no {words!r} in: {said[-2000:]}")

    def expect_untouched(self) -> None:
        """Not one file has been written, not even with the bytes that it had."""
        before = self.states
        self._look()
        for path, old, new in zip(self.paths, before, self.states, strict=True):
            if old != new:
                raise WrongError(f"{path} was touched")

    def expect_written(self) -> list[tuple[bytes, ...]]:
        """All have their fields but those with two names, and else are as they were."""
        for path, free, old, state in zip(
            self.paths, self.free, self.untouched, self.states, strict=True
        ):
            changed = state.fields != old[1]
            if changed != free or (state.audio, state.foreign) != (old[0], old[2]):
                raise WrongError(f"{path} is not as a write should leave it")
        return [state.content for state in self.states]

    def expect_states(self, wanted: Sequence[tuple[bytes, ...]]) -> None:
        for path, content, state in zip(self.paths, wanted, self.states, strict=True):
            if state.content != content:
                raise WrongError(f"{path} is not what it must be")

    # -- doing -------------------------------------------------------------------------------

    def step(self, name: str, *arguments: object, prints: int | None = None) -> str:
        """Run a command to its end and note what it took; return its stderr.

        ``prints``: the lines that it must write to stdout. Raises WrongError where it fails or hangs.
        """
        Console(stderr=True).print(name, style="dim")
        out = self.work / f"stdout-{threading.get_ident()}"
        command = [sys.executable, "-m", "tagkit", *map(str, arguments)]
        with out.open("w+b") as stdout, out.with_suffix(".err").open("w+b") as stderr:
            began = time.perf_counter()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=library.environment(self.home),
                cwd=Path(__file__).parents[1],
                start_new_session=True,
            )
            late = threading.Timer(120 + PATIENCE * self.files, os.killpg, (process.pid, 9))
            late.start()
            try:
                with sampled(process.pid) as peak:
                    _, status, used = os.wait4(process.pid, 0)
            finally:
                late.cancel()
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            wall = time.perf_counter() - began
            process.returncode = os.waitstatus_to_exitcode(status)
            stdout.seek(0)
            lines = sum(1 for _ in stdout)
            stderr.seek(0)
            said = stderr.read().decode(errors="replace")
        out.unlink()
        out.with_suffix(".err").unlink()
        if process.returncode or "Traceback" in said:
            raise WrongError(f"{name} ended with {process.returncode}: {said[-2000:]}")
        if prints not in (None, lines):
            raise WrongError(f"{name} printed {lines} lines, not {prints}")
        self.steps.append(Step(name, wall, used.ru_utime + used.ru_stime, max(peak, default=0)))
        return said

    def _look(self) -> None:
        """Look at every file again that has been touched."""
        before = self.states or [None] * self.files
        tasks = list(zip(self.paths, before, strict=True))
        if self.jobs == 1:
            self.states = list(map(_state, tasks))
        else:
            with ProcessPoolExecutor(self.jobs, get_context("forkserver")) as pool:
                self.states = list(pool.map(_state, tasks, chunksize=200))
        self.looked += self.files

    def _history(self, *arguments: object) -> list[dict[str, object]]:
        found = library.run(self.home, "history", *arguments, "--format", "jsonl", check=True)
        return [json.loads(line) for line in found.stdout.splitlines()]

    def _last_run(self) -> int:
        return int(str(self._history("--limit", 1)[0]["run"]))

    def _written_by(self, run: int) -> int:
        return len(self._history(run))


def _state(task: tuple[Path, State | None]) -> State:
    path, before = task
    found = path.stat()
    identity = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    if before is not None and before.identity == identity:
        return before
    audio, fields, foreign = see(path)
    parts = (sorted(fields.items()), sorted(foreign.items()))
    return State(identity, bytes.fromhex(audio), *(_digest(repr(part)) for part in parts))


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=16).digest()


def show(console: Console, load: Load) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("step")
    for name in ("wall s", "ms/file", "CPU s", "MiB"):
        table.add_column(name, justify="right")
    for name, wall, cpu, memory in load.steps:
        each = f"{wall / load.files * 1000:.2f}"
        table.add_row(name, f"{wall:,.1f}", each, f"{cpu:,.1f}", f"{memory:,.0f}")
    size = sum(path.stat().st_size for path in load.paths)
    linked = load.files - load.writable
    console.print(described(), highlight=False, soft_wrap=True)
    console.print(
        f"{load.files:,} files of {len(load_made.KINDS)} kinds, {size / 1e9:.2f} GB,"
        f" {linked:,} of them with two names; on {_file_system(load.work)}; a small network\n",
        highlight=False,
    )
    console.print(table)
    console.print(
        f"\n{load.looked:,} looks at files between the steps, every one as it must be",
        highlight=False,
    )


def _file_system(path: Path) -> str:
    """What kind of file system a folder is on, after ``/proc/mounts``."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    real = path.resolve()
    return max((place, kind) for place, kind in mounts if real.is_relative_to(place))[1]


if __name__ == "__main__":
    main()
