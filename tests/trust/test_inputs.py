"""Broken and hostile files: each ends as tagged, skipped with a reason or failed with a reason.

Never with a traceback, never late, never in much memory, never changed where it was not written; and what
was written can be taken back.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tagkit.library.containers import open_tags
from tagkit.library.payload import audio_digest
from tagkit.library.runs.journal import Journal
from tests import library, media
from tests.trust import command, size
from tests.trust.broken import bombs, good, harm
from tests.trust.broken.attempt import SECONDS, Fingerprint, Layers

DRAWN = size.of(42, 420)  # of each kind
CUTS = size.of(10, 50)
MOST_MIB = 1024

long = pytest.mark.timeout(0 if size.FULL else 300)


def ends(folder: Path, jobs: list[list[Any]], seconds: float) -> list[dict[str, Any]]:
    """Run the jobs in a process with a limit on its memory, and return what it says of each."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.trust.broken", str(folder)],
        env=library.environment(folder) | {"OPENBLAS_NUM_THREADS": "1"},
        cwd=command.ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, error = process.communicate(json.dumps(jobs).encode(), timeout=seconds)
    finally:
        command.end(process)
    assert process.returncode == 0, error.decode()
    found = [json.loads(line) for line in out.splitlines()]
    assert len(found) == len(jobs)
    for each in found:
        assert not each["wrong"], "\n".join(each["wrong"])
        assert each["MiB"] < MOST_MIB
    return found


@long
def test_every_broken_file_ends_as_promised(tmp_path: Path) -> None:
    jobs: list[list[Any]] = [["stacked"]]
    for kind in good.KINDS:
        jobs += [["truncated", kind, CUTS], ["drawn", kind, DRAWN, size.SEED]]
    begun = time.monotonic()
    found = ends(tmp_path, jobs, size.of(240, 3600))
    counts: Counter[str] = sum((Counter(each["ends"]) for each in found), Counter())
    cases = len(good.KINDS) * (DRAWN + CUTS) + len(good.stacked())
    assert counts.total() == cases
    assert min(counts[how] for how in ("tagged", "skipped", "failed")) > cases // 10
    size.tell("broken files", time.monotonic() - begun, cases=cases, **counts)


# Those that take a second or more are for the full run, but one of each kind.
SLOW = [name for name in bombs.BOMBS if re.search("a cover|million pages|that are there", name)]
SLOW = [name for name in SLOW if name not in ("opus: a cover of 50 MB", "m4a: a cover of 50 MB")]


@pytest.mark.parametrize("name", [n for n in bombs.BOMBS if size.FULL or n not in SLOW])
def test_a_bomb_ends_soon_and_in_little_memory(tmp_path: Path, name: str) -> None:
    begun = time.monotonic()
    (found,) = ends(tmp_path, [["bomb", name]], 240)
    assert found["slowest"] < SECONDS
    size.tell("bombs", time.monotonic() - begun, cases=1, **found["ends"])


@long
def test_what_hypothesis_makes_of_them_ends_as_promised(tmp_path: Path) -> None:
    path, counts = tmp_path / "it", Counter[str]()
    begun = time.monotonic()
    places = st.floats(0, 1, allow_nan=False)
    edits = st.lists(
        st.tuples(places, st.integers(0, 40), st.binary(max_size=24) | st.sampled_from(_WORDS)),
        min_size=1,
        max_size=5,
    )

    with Layers(tmp_path) as layers:

        @settings(
            max_examples=size.of(120, 1500),
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(st.sampled_from(media.WRITABLE), st.booleans(), edits)
        def check(kind: str, structured: bool, edits: list[tuple[float, int, bytes]]) -> None:
            data = good.tagged(kind)
            for place, gone, new in edits:
                marks = harm.landmarks(data)
                at = marks[int(place * (len(marks) - 1))] if structured else int(place * len(data))
                data = data[:at] + new + data[at + gone :]
            path.write_bytes(data)
            counts[layers.take(path).how] += 1

        check()
    size.tell("hypothesis", time.monotonic() - begun, cases=counts.total(), **counts)


_WORDS = (
    *(b"ID3\4\0\0\0\0\0\0", b"TAG", b"APETAGEX", b"OggS\0\2", b"fLaC\0\0\0\x22", b"\0\0\0\0moov"),
    *(b"\xff\xff\xff\xff", b"\0\0\0\1", b"\x7f\x7f\x7f\x7f", b"\0" * 16, b"3DI\4\0\0\0\0\0\0"),
)


# ------------------------------------------------------------------------------- the real command


MEASURED = """
import os, resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10, file=file)
sys.exit(code)
"""


def broken_library(folder: Path, count: int) -> list[Path]:
    """Files of every kind, broken and (one in eight) whole, in folders of fifty."""
    chance = size.draws("command")
    paths = []
    for number in range(count):
        kind = good.KINDS[number % len(good.KINDS)]
        data = good.tagged(kind)
        if chance.random() < 7 / 8:
            ((_, data),) = harm.drawn(kind, 1, chance)
        path = folder / f"{number // 50:03}" / f"{number:05}-{kind}{media.KINDS[kind].suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        paths.append(path)
    return paths


def state(path: Path) -> tuple[str, dict[str, str], dict[str, bytes]]:
    tags = open_tags(path)
    fields = ("mood", "theme", "instrument", "genre", "tagkit")
    return audio_digest(path), {name: tags.snapshot(name) for name in fields}, tags.foreign()


@long
def test_a_folder_of_broken_files_through_the_command(home: Path, model: Path, music: Path) -> None:
    begun = time.monotonic()
    paths = broken_library(music, size.of(260, 3000))
    before = {path: Fingerprint(path) for path in paths}
    whole = {}
    for path in paths:
        try:
            whole[path] = state(path)
        except Exception:
            continue  # it will be skipped, or fail
    memory = home.parent / "memory"
    done = command.run(
        home,
        *("tag", music, "--model", model, "--context", "none", "--write", "--genre", "add"),
        *("--yes", "--format", "jsonl"),
        before=(sys.executable, "-c", MEASURED, str(memory)),
        seconds=size.of(240, 3000),
    )
    assert done.returncode == 1, done.stderr
    assert int(memory.read_text()) < MOST_MIB

    written = _written(home)
    changed = {path for path in paths if Fingerprint(path) != before[path]}
    assert changed == written
    failed = {Path(m[1]) for m in re.finditer(r"^failed: (\S+?): \S", done.stderr, re.MULTILINE)}
    skipped = [int(m[1]) for m in re.finditer(r"^  skipped (\d+): \S", done.stderr, re.MULTILINE)]
    assert failed <= set(paths) - written
    summary = done.stderr.splitlines()
    counts = _counts(next(line for line in summary if f"{len(paths):,} files, " in line))
    assert counts["tagged"] == len(written)
    assert counts["failed"] == len(failed)
    assert counts["skipped"] == sum(skipped)
    ended = counts["tagged"] + counts["unchanged"] + counts["failed"] + counts["skipped"]
    assert ended == len(paths), done.stderr
    assert min(counts[how] for how in ("tagged", "failed", "skipped")) > 10

    for path in written:
        audio, _, _ = state(path)
        assert audio == whole[path][0]
    undone = command.run(home, "undo", "--yes", seconds=size.of(120, 1200))
    assert undone.returncode == 0, undone.stderr
    assert {path: state(path) for path in written} == {path: whole[path] for path in written}
    size.tell("the command", time.monotonic() - begun, cases=len(paths), **counts)


def _written(home: Path) -> set[Path]:
    with Journal(home / "data" / "tagkit" / "journal.sqlite") as journal:
        numbers = [number for run in journal.runs() for number in journal.writes(run.id)]
        return {write.path for write in map(journal.write, numbers) if write.state == "done"}


def _counts(line: str) -> dict[str, int]:
    words = ("tagged", "unchanged", "failed", "skipped")
    found = {m[2]: int(m[1].replace(",", "")) for m in re.finditer(r"(\d[\d,]*) (\w+)", line)}
    return {word: found.get(word, 0) for word in words}
