"""What is measured: reading, tagkit as it is run, and its peers."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import bundles_made
import peers
from formats import FORMATS
from usage import Cost, Usage, above, reported, run, slope

from tagkit.inference.backends import BACKENDS

HERE = Path(__file__).parent
FEW = 2  # files, or a quarter of them, of the run that tells the start from the rest
WHOLE, WHOLE_AV = "decode the whole file, soundfile", "decode the whole file, PyAV"
SEEK, SEEK_AV = "seek and decode the windows, soundfile", "seek and decode the windows, PyAV"
TAGKIT = "tagkit tag"
FULL, FEWER = 16, (8, 4)  # windows
LIBROSA = "librosa + Musicnn"
WARM, COMMAND = "musicnn, warm process", "musicnn, command line"
OTHERS = (LIBROSA, WARM, COMMAND)

#: What a measurement is asked: the files, whether on one core, and the round.
Measure = Callable[[Sequence[Path], bool, int], Cost]


@dataclass(frozen=True)
class Subject:
    """``files``: how many at most; ``rounds``: in how many at most."""

    name: str
    measure: Measure
    formats: tuple[str, ...] = tuple(FORMATS)
    files: int = 1000
    rounds: int = 1000


class Tagkit:
    """``tagkit tag`` with a fresh store. Its start-up is the same for all formats: once a round.

    One run before all others, not counted, brings what it loads into memory.
    """

    def __init__(self, work: Path, options: Sequence[str | Path] = ()) -> None:
        self.work = work
        self.options = options
        self.starts: dict[tuple[bool, int], Usage] = {}
        self.warmed = False

    def __call__(self, files: Sequence[Path], one_core: bool, round_: int) -> Cost:
        start = self.starts.get((one_core, round_))
        if start is not None:
            return above(start, self.run(files, one_core)[0], len(files))
        if not self.warmed:
            self.run(files[:1])
            self.warmed = True
        few = max(1, min(FEW, len(files) // 4))
        known = self.run(files[:few], one_core)[0], self.run(files, one_core)[0]
        cost, self.starts[one_core, round_] = slope(known[0], few, known[1], len(files))
        return cost

    def run(self, files: Sequence[Path], one_core: bool = False) -> tuple[Usage, str]:
        """Run the command; return its cost and the JSON lines that it printed."""
        store = self.work / "store.sqlite"
        for path in self.work.glob(f"{store.name}*"):
            path.unlink()
        command = [sys.executable, "-m", "tagkit", "tag", "--context", "none", "--format", "jsonl"]
        environment = {"XDG_CONFIG_HOME": str(self.work / "no-config")}
        return run([*command, "--store", store, *self.options, *files], one_core, environment)


def reading(what: str, library: str, seconds: float, windows: int) -> Measure:
    """Decode in one thread on one core, else in as many threads as there are cores."""
    script = [sys.executable, str(HERE / "floor.py"), what, library]
    settings = ["--seconds", str(seconds), "--windows", str(windows)]

    def measure(files: Sequence[Path], one_core: bool, _round: int) -> Cost:
        threads = 1 if one_core else len(os.sched_getaffinity(0))
        given = [*settings, "--threads", str(threads)]
        return reported(run([*script, *files, *given], one_core)[1], len(files))

    return measure


def process(command: Sequence[str | Path]) -> Measure:
    """A process that measures itself when it is warm."""

    def measure(files: Sequence[Path], one_core: bool, _round: int) -> Cost:
        return reported(run([*command, *files], one_core, PEERS)[1], len(files))

    return measure


def command_line(command: Sequence[str | Path]) -> Measure:
    """A command that takes one file: its start is in what a file costs. The first run of all is for warmth."""
    warmed = False

    def measure(files: Sequence[Path], one_core: bool, _round: int) -> Cost:
        nonlocal warmed
        if not warmed:
            run([*command, files[0]], extra=PEERS)
            warmed = True
        used = [run([*command, path], one_core, PEERS)[0] for path in files]
        cpu = sum(usage.cpu for usage in used) / len(used)
        wall = sum(usage.wall for usage in used) / len(used)
        return Cost(cpu, wall, 0.0, max(usage.rss for usage in used))

    return measure


#: The librosa pipeline uses tagkit's network; musicnn's TensorFlow looks for no GPU.
PEERS = {"PYTHONPATH": str(HERE.parents[1]), "CUDA_VISIBLE_DEVICES": ""}


def readers(seconds: float, windows: int) -> list[Subject]:
    """Whole files and windows, by both libraries; libsndfile reads no M4A."""
    theirs = tuple(name for name in FORMATS if name != "M4A")
    return [
        Subject(WHOLE, reading("whole", "soundfile", seconds, windows), theirs, 4, rounds=1),
        Subject(WHOLE_AV, reading("whole", "pyav", seconds, windows), files=4, rounds=1),
        Subject(SEEK, reading("windows", "soundfile", seconds, windows), theirs),
        Subject(SEEK_AV, reading("windows", "pyav", seconds, windows)),
    ]


def tagkits(work: Path, jobs: int) -> list[Subject]:
    """tagkit as it comes, with each backend, with fewer windows, and with larger networks."""
    given = ["--device", "cpu", *(["--jobs", str(jobs)] if jobs else [])]
    subjects = [Subject(TAGKIT, Tagkit(work, given))]
    for name, backend in BACKENDS.items():
        if not backend.missing:
            measure = Tagkit(work, [*given, "--backend", name])
            subjects.append(Subject(f"{TAGKIT} --backend {name}", measure, rounds=1))
    for windows in FEWER:
        measure = Tagkit(work, [*given, "--windows", str(windows)])
        name = f"{TAGKIT} --windows {windows}"
        subjects.append(Subject(name, measure, ("MP3 320k", "FLAC"), rounds=1))
    for name, path in bundles_made.paths(work).items():
        measure = Tagkit(work, [*given, "--model", path])
        subjects.append(Subject(f"{TAGKIT} --model {name}", measure, files=5, rounds=1))
    return subjects


def others(work: Path) -> list[Subject]:
    """The peers, on MP3 alone: they decode the whole file, whatever it is."""
    bundle = bundles_made.paths(work)["musicnn"]
    librosa, musicnn = (peers.prepare(name, work) for name in ("librosa", "musicnn"))
    usual = ("MP3 320k",)
    return [
        Subject(LIBROSA, process([librosa, HERE / "peer_librosa.py", bundle]), usual, 4, 2),
        Subject(WARM, process([musicnn, HERE / "peer_musicnn.py"]), usual, 3, 1),
        Subject(COMMAND, command_line([musicnn, "-m", "musicnn.tagger"]), usual, 3, 1),
    ]
