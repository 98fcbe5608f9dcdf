"""What an update frees on a CPU is not given back to the system, which would fault it in anew for the next one."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_FAULTS = """
import resource, sys, torch
torch.set_num_threads(1)
if sys.argv[1] == "trained":
    from tagkit.training.devices import accelerator
    accelerator("cpu", "no")
for _ in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    held = [torch.ones(100_000_000) for _ in range(4)]  # 1.6 GB
    del held
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc")
def test_a_process_that_trains_keeps_the_memory_of_an_update() -> None:
    faults = {}
    for kind in ("plain", "trained"):
        done = subprocess.run(
            [sys.executable, "-c", _FAULTS, kind], capture_output=True, text=True, check=True
        )
        faults[kind] = int(done.stdout)
    # One of the four may lie where the heap could not grow, and comes and goes with a map of its own.
    assert faults["trained"] < 0.4 * faults["plain"]
