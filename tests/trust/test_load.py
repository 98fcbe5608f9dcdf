"""A large library goes through every step, and after each of them every file is as it must be.

``bench/load.py`` does the same to 100,000 files; here is what CI has time for.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "bench"))

import load

from tests.trust import size

FILES = 2_000
FEW, MANY = 500, 5_000
#: MiB that a command holds, listening apart: as many for 2,000 files as for 100,000.
MOST = 160

pytestmark = pytest.mark.timeout(0 if size.FULL else 600)


@pytest.fixture
def work() -> Iterator[Path]:
    """A folder in memory where there is such a place: on a disk each file waits for it three times."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


def test_a_large_library_goes_through_everything(work: Path) -> None:
    began = time.monotonic()
    found = load.Load(work, FILES, jobs=1)
    found.all()
    assert [step.memory for step in found.steps[1:] if step.memory > MOST] == []
    size.tell("load", time.monotonic() - began, files=FILES, looks=found.looked)


@pytest.mark.skipif(not size.FULL, reason="takes 5,000 files to tell")
def test_a_file_costs_as_much_in_a_large_library_as_in_a_small_one(work: Path) -> None:
    began = time.monotonic()
    few, many = (load.Load(work / str(files), files, jobs=2) for files in (FEW, MANY))
    few.all()
    many.all()
    large = {step.name: step for step in many.steps}
    for small in few.steps:
        if " at once" not in small.name and "undo of" not in small.name:  # their shares vary
            each = (large[small.name].cpu - small.cpu) / (MANY - FEW)
            assert each < 1.5 * small.cpu / FEW, large[small.name]
    size.tell("load, few and many", time.monotonic() - began, files=FEW + MANY)
