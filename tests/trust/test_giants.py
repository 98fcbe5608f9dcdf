"""Whatever a file says that it holds: its decoder ends within 30 s, and never has a GiB of memory."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tagkit.audio.process import Worker
from tagkit.errors import AudioError
from tests.trust import bounds, size
from tests.trust.giants import MADE

GIB = 1 << 30
ORDINARY = 400 << 20  # blocks, and twice what libav.KEPT allows

#: What a model of three seconds hears, and one of half a minute.
HEARINGS = [(16000, 48000), (16000, 29 * 16000)]

#: These ask for much at once, and get it or an error. All else is heard in little memory.
GREEDY = {"two billion a second.wav", "65535 channels.wav"}


@pytest.mark.timeout(0 if size.FULL else 300)
@pytest.mark.parametrize("name", MADE)
def test_a_giant_is_heard_or_refused_in_bounded_time_and_memory(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    MADE[name](path, size.of(1, 5))
    began = time.monotonic()
    heard, peak = hear(path)
    seconds = time.monotonic() - began
    assert seconds < (30 if path.stat().st_size < 45_000_000 else 300 * size.of(1, 5))
    assert peak < (GIB if name in GREEDY else ORDINARY)
    size.tell("giants", seconds, heard=heard, refused=1 - heard, most_mebibytes=peak >> 20)


def hear(path: Path) -> tuple[bool, int]:
    """Return whether there is something to hear, and how much memory that took at most."""
    worker = Worker()
    try:
        worker.start()
        worker.decode(path, HEARINGS, 16)
        return True, bounds.peak(worker.pid)
    except AudioError:
        return False, bounds.peak(worker.pid)
    finally:
        worker.stop()


def test_the_cage_leaves_a_decoder_less_than_a_gib() -> None:
    """Measured, not believed: the limit is on addresses, and what is resident is less."""
    worker = Worker()
    try:
        worker.start()
        limits = Path(f"/proc/{worker.pid}/limits").read_text().splitlines()
        allowed = {line[:26].strip(): line[26:].split()[0] for line in limits}
        status = Path(f"/proc/{worker.pid}/statm").read_text().split()
        resident, total = int(status[1]) * 4096, int(status[0]) * 4096
        assert resident + int(allowed["Max address space"]) - total < GIB
        assert [
            allowed[f"Max {what}"] for what in ("core file size", "file size", "processes")
        ] == [*("0", "0", "0")]
    finally:
        worker.stop()
