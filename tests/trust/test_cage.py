"""Decoders that crash, hang, lie and eat: each costs one file, in bounded time and memory, and leaves nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from tests import library, media
from tests.trust import command, size

FAULTS = Path(__file__).parent / "faults"

OWN = "own"  # the file's: remembered
PASSING = "passing"  # the next run tries it again
EITHER = "either"  # by how much of a processor it got
HARMLESS = "harmless"


class Fault(NamedTuple):
    """What comes of it, and what is said of it on stderr."""

    whose: str
    said: str = ""


KINDS = {
    "segfault": Fault(OWN, r"crashed \(SIGSEGV\)"),
    "abort": Fault(OWN, r"crashed \(SIGABRT\)"),
    "leave": Fault(OWN, r"crashed \(exit 0\)"),
    "orphan": Fault(OWN, r"crashed \(exit 0\)"),
    "memory": Fault(OWN, "too much memory|crashed|failed"),
    "garbage": Fault(OWN, "makes no sense"),
    "endless": Fault(OWN, "makes no sense"),
    "more": Fault(OWN, "makes no sense"),
    "nothing": Fault(OWN, "makes no sense"),
    "spin": Fault(EITHER, "did not come to an end in 4 s|did not answer in 4 s"),
    "trickle": Fault(PASSING, "did not answer in 4 s"),
    "sleep": Fault(PASSING, "did not answer in 4 s"),
    "stop": Fault(PASSING, "did not answer in 4 s"),
    "fork": Fault(PASSING, "did not answer in 4 s"),
    "vanish": Fault(PASSING, "cannot be opened|cannot be read"),
    "killed": Fault(PASSING, r"killed from outside \(SIGKILL\)"),
    "ended": Fault(PASSING, r"killed from outside \(SIGTERM\)"),
    "speak": Fault(HARMLESS),
    "flood": Fault(HARMLESS),
    "write": Fault(HARMLESS),
    **{f"leak-{number}": Fault(HARMLESS) for number in range(8)},  # together more than the limit
}


class Infested:
    """A folder of good files among which every fault has one, and a machine of its own to run on."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.music = folder / "Music"
        self.scratch = folder / "scratch"
        self.written = folder / "written"
        self.starts = folder / "starts"
        self.mark = uuid.uuid4().hex
        self.model = library.small_model(folder / "small.safetensors")
        self.music.mkdir()
        self.scratch.mkdir()

    def add(self, *names: str) -> None:
        for name in names:
            path = self.music / f"{name}.wav"
            media.make(path, "wav", seconds=0.5, seed=len(list(self.music.iterdir())))

    def start(self, *options: str, faults: bool = True) -> command.subprocess.Popen[bytes]:
        extra = {"PYTHONPATH": f"{FAULTS}{os.pathsep}{command.ROOT}"} if faults else {}
        extra |= {"TAGKIT_FAULT_START": str(self.starts)} if self.starts.exists() else {}
        environment = {
            "TMPDIR": str(self.scratch),
            "TAGKIT_FAULT_MARK": self.mark,
            "TAGKIT_FAULT_FILE": str(self.written),
            **extra,
        }
        words = ("tag", self.music, "--model", self.model, "--context", "none", "--format", "jsonl")
        return command.start(self.home, *words, *options, environment=environment)

    def run(self, *options: str, faults: bool = True) -> tuple[int, set[str], dict[str, str], str]:
        """Return the exit status, the files that were tagged, those that failed and why, and stderr."""
        process = self.start(*options, faults=faults)
        done = command.finish(process, 120)
        assert not self.left()
        # torch's own folder is not ours to clear away
        assert not [path for path in self.scratch.iterdir() if path.name[:5] != "torch"]
        tagged = {Path(json.loads(line)["path"]).stem for line in done.stdout.splitlines()}
        failures = re.findall(r"^failed: .*/(\S+)\.wav: (.*)$", done.stderr, re.M)
        assert len(dict(failures)) == len(failures), "a file that is named twice"
        return done.returncode, tagged, dict(failures), done.stderr

    def left(self) -> list[psutil.Process]:
        """Return the processes of a run that are still there; a killed one takes a moment to go."""
        until = time.monotonic() + 5
        while (found := list(self._marked())) and time.monotonic() < until:
            time.sleep(0.05)
        return found

    def _marked(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            try:
                if process.environ().get("TAGKIT_FAULT_MARK") == self.mark:
                    yield process
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue

    def decoding(self) -> list[psutil.Process]:
        found = []
        for process in self._marked():
            try:
                if "tagkit.audio.worker" in process.cmdline():
                    found.append(process)
            except psutil.NoSuchProcess:
                continue
        return found


@pytest.fixture
def infested(tmp_path: Path) -> Iterator[Infested]:
    made = Infested(tmp_path)
    yield made
    for process in made._marked():
        process.kill()


def whose(*kinds: str) -> set[str]:
    return {name for name, fault in KINDS.items() if fault.whose in kinds}


def test_each_fault_costs_its_own_file_and_only_the_file_s_own_is_remembered(
    infested: Infested,
) -> None:
    began = time.monotonic()
    good = {f"good{number}" for number in range(6)}
    infested.add(*sorted(good | set(KINDS)))
    fine = good | whose(HARMLESS)

    code, tagged, failed, _ = infested.run("--jobs", "4")
    assert code == 1
    assert tagged == fine
    assert failed.keys() == whose(OWN, PASSING, EITHER)
    for name, why in failed.items():
        assert re.search(KINDS[name].said, why), (name, why)
    assert not infested.written.exists() or not infested.written.stat().st_size

    (infested.music / "vanish.wav.gone").rename(infested.music / "vanish.wav")

    # The files were good all the time: what was only bad luck is heard when it is over,
    code, tagged, failed, _ = infested.run(faults=False)
    assert code == 1
    assert fine | whose(PASSING) <= tagged
    assert whose(OWN) <= failed.keys()
    assert failed.keys() <= whose(OWN, EITHER)

    # and the rest when a person says so.
    code, tagged, failed, _ = infested.run("--retry", faults=False)
    assert (code, failed) == (0, {})
    assert tagged == good | set(KINDS)
    size.tell("decoders in a cage", time.monotonic() - began, faults=len(KINDS), good=len(good))


def test_an_installation_that_is_broken_ends_the_run_and_blames_no_file(infested: Infested) -> None:
    infested.add("one", "two", "three")
    infested.starts.write_bytes(b"x" * 1000)
    code, tagged, failed, stderr = infested.run("--jobs", "1")
    assert (code, tagged, failed) == (1, set(), {})
    assert "no process that decodes comes up: cannot load the library" in stderr
    infested.starts.unlink()
    code, tagged, failed, _ = infested.run()
    assert (code, failed) == (0, {})
    assert tagged == {"one", "two", "three"}


@pytest.mark.parametrize("fails", [b"xx", b"h"])
def test_a_process_that_does_not_start_at_once_is_started_again(
    fails: bytes, infested: Infested
) -> None:
    infested.add("one", "two", "three")
    infested.starts.write_bytes(fails)
    code, tagged, failed, _ = infested.run("--jobs", "1")
    assert (code, failed) == (0, {})
    assert tagged == {"one", "two", "three"}
    assert not infested.starts.read_bytes()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_decoder_that_hangs_ends_with_the_run(number: int, infested: Infested) -> None:
    infested.add("stop")
    process = infested.start("--jobs", "1")
    try:
        until = time.monotonic() + 60
        while not any(p.status() == psutil.STATUS_STOPPED for p in infested.decoding()):
            assert time.monotonic() < until and process.poll() is None
            time.sleep(0.05)
        os.kill(process.pid, number)
        process.communicate(timeout=10)
        assert not infested.left()
    finally:
        command.end(process)
