"""Batches made ahead, in threads, while the network learns from those before.

To make a batch is to read and copy, in which Python holds nothing up, so threads do what processes would: they
start at once on every system, and what they make need not be sent. What an update learns from is a function of its
number; it is made early here, never otherwise.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from tagkit.training.batches import Batch, Slice, Updates

#: Batches that each thread may be ahead, for a disk that is slow at times.
DEPTH = 2


def ahead(
    batches: Updates, parts: Iterator[Slice], *, jobs: int, pinned: bool = False
) -> Generator[Batch, None, None]:
    """Yield the batch of every part, in order, made by ``jobs`` threads; 0 makes each when it is asked for.

    ``pinned``: in memory that a GPU copies from by itself. Raises what making a batch does, in its turn. Close it
    when there is no more to come.
    """

    def made(part: Slice) -> Batch:
        batch = batches[part]
        return Batch(*(tensor.pin_memory() for tensor in batch)) if pinned else batch

    if not jobs:
        yield from map(made, parts)
        return
    pool = ThreadPoolExecutor(jobs, "batches")
    under_way: deque[Future[Batch]] = deque()
    try:
        while True:
            for part in islice(parts, DEPTH * jobs - len(under_way)):
                under_way.append(pool.submit(made, part))
            if not under_way:
                return
            yield under_way.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
