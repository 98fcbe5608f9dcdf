"""What is known costs next to nothing: nothing heavy is loaded, and work and memory grow with the library only.

``bench/library.py`` measures; here small libraries show that nothing has become dear by mistake. Times are of
the processor, and the bars several times what they take.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from tagkit.inference.context import Context
from tagkit.inference.ensemble import load
from tagkit.library import deciding
from tagkit.library.finding import scan
from tagkit.library.finding.paths import Paths
from tagkit.library.neighbours import Neighbours, gather
from tagkit.library.store import Store
from tagkit.thresholds import Options
from tests import library

sys.path.append(str(Path(__file__).parents[1] / "bench"))

import library_made

pytestmark = pytest.mark.usefixtures("home")

LISTENING = {"torch", "av", "soundfile", "soxr", "safetensors.torch"}
TRAINING = {"sklearn", "scipy", "accelerate", "torchaudio", "matplotlib", "tensorboard", "pandas"}


def known(work: Path, files: int) -> tuple[Path, Path]:
    """A library of empty files and the store that knows them."""
    name = f"files-{files}"
    library_made.make(
        work,
        name,
        files,
        library_made.empty_file,
        library_made.made_up_key,
        library_made.made_up_origin,
    )
    return work / name, work / f"{name}.sqlite"


def command(*arguments: object) -> tuple[float, set[str], str]:
    """Run tagkit; return its CPU seconds, the modules that it loaded, and its output."""
    code = (
        "import atexit, sys; sys.argv[0] = 'tagkit'\n"
        "atexit.register(lambda: print('\\n'.join(sys.modules), file=sys.stderr))\n"
        "from tagkit.__main__ import main; main()"
    )
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True
    )
    after = os.times()
    assert done.returncode == 0, done.stderr
    seconds = sum(after[2:4]) - sum(before[2:4])
    return seconds, set(done.stderr.splitlines()), done.stdout


def relate(store: Store, folder: Path) -> tuple[Paths, Neighbours]:
    """Scan, look, and find the neighbours: all that is held while a library is decided."""
    paths = Paths(r.path for r in scan.scan([folder]) if isinstance(r, scan.Found))
    for look in store.look(paths, load(()).model_ids(16)):
        assert not look.missing and look.error is None
    return paths, gather(store, paths, Context(0.2, 0.3))


def decide(folder: Path, database: Path) -> float:
    """Return the CPU seconds of a run in which all is known."""
    begun = time.process_time()
    with Store(database) as store:
        paths, neighbours = relate(store, folder)
        tracks = deciding.decide(store, load(()), paths, Options(), neighbours=neighbours)
        assert sum(track.smoothed for track in tracks) == len(paths)
    return time.process_time() - begun


def held(folder: Path, database: Path) -> int:
    """Return the bytes that are held while a library is decided."""
    with Store(database) as store:
        tracemalloc.start()
        try:
            kept = relate(store, folder)
            size, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        del kept
    return size


def test_help_is_there_at_once() -> None:
    seconds, modules, _ = command("--help")
    assert modules & (LISTENING | TRAINING | {"numpy", "mutagen", "pathspec"}) == set()
    assert seconds < 1


def test_a_second_run_loads_no_network_and_nothing_that_decodes(tmp_path: Path) -> None:
    folder, database = known(tmp_path, 1000)
    seconds, modules, out = command("tag", folder, "--store", database, "--format", "jsonl")
    assert len(out.splitlines()) == 1000
    assert modules & (LISTENING | TRAINING | {"rich.table", "rich.progress"}) == set()
    assert seconds < 3


def test_listening_loads_nothing_that_training_needs(model: Path, music: Path) -> None:
    library.fill(music, ["wav"])
    _, modules, out = command("tag", music, "--model", model, "--format", "jsonl")
    assert "torch" in modules and len(out.splitlines()) == 1
    assert modules & TRAINING == set()


def test_time_and_memory_grow_with_the_library_and_no_faster(tmp_path: Path) -> None:
    few, many = 1000, 6000
    small, large = (known(tmp_path, count) for count in (few, many))
    decide(*small)  # what is loaded at the first call is loaded
    seconds, longer = (min(decide(*each) for _ in range(2)) for each in (small, large))
    assert longer < 2 * seconds * many / few
    # The least of three: whatever else this process does at the same time is counted too.
    least, most = (min(held(*each) for _ in range(3)) for each in (small, large))
    assert most - least < 500 * (many - few)
