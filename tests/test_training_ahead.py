"""Batches made ahead come in order, are what they would be, and end with the run."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tagkit.training.ahead import DEPTH, ahead
from tagkit.training.batches import Batch, Passes, Slice, Updates


class Slow(Updates):
    """Update n is the number n; even ones take longer than odd ones, and ``bad`` fails."""

    def __init__(self, bad: int = -1) -> None:
        self.bad = bad
        self.asked: list[int] = []

    def __getitem__(self, part: Slice) -> Batch:
        self.asked.append(part.step)
        time.sleep(0.02 * (part.step % 2 == 0))
        if part.step == self.bad:
            raise OSError("the disk is gone")
        return Batch(torch.tensor([part.step]), torch.zeros(1), torch.zeros(1))

    def rows(self, part: Slice) -> NDArray[np.int64]:
        return np.array([part.step])


def parts(count: int) -> Iterator[Slice]:
    return (Slice(step) for step in range(count))


@pytest.mark.parametrize("jobs", [0, 1, 3])
def test_they_come_in_order(jobs: int) -> None:
    found = [int(batch.inputs) for batch in ahead(Slow(), parts(20), jobs=jobs)]
    assert found == list(range(20))


def test_they_are_made_while_the_last_one_is_learned_from_and_not_too_many() -> None:
    made = Slow()
    reading = ahead(made, parts(50), jobs=2)
    next(reading)
    deadline = time.monotonic() + 5
    while len(made.asked) < 2 * DEPTH and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    assert sorted(made.asked) == list(range(2 * DEPTH))
    reading.close()


def test_without_threads_one_is_made_when_it_is_asked_for() -> None:
    made = Slow()
    reading = ahead(made, parts(50), jobs=0)
    next(reading)
    assert made.asked == [0]


def test_what_fails_is_raised_in_its_turn() -> None:
    reading = ahead(Slow(bad=3), parts(9), jobs=2)
    assert [int(next(reading).inputs) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="the disk is gone"):
        next(reading)
    assert not _threads()


def test_closing_ends_the_threads() -> None:
    reading = ahead(Slow(), parts(1000), jobs=2)
    next(reading)
    assert _threads()
    reading.close()
    assert not _threads()


def _threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("batches")]


def test_the_last_two_passes_are_kept() -> None:
    asked: list[int] = []

    def order(number: int) -> NDArray[np.int64]:
        asked.append(number)
        return np.full(2, number)

    passes = Passes(order)
    for number in (0, 0, 1, 0, 1, 2, 1, 2):
        assert passes(number)[0] == number
    assert asked == [0, 1, 2]
    passes(0)
    assert asked == [0, 1, 2, 0]
