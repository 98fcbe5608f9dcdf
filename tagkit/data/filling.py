"""The cache filled before training starts, and each file that cannot be heard named."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import torch

from tagkit.data.cache import Cache
from tagkit.errors import RecipeError, TagkitError

#: Files for each thread that may be done while a slow one before them, an hour of music say, is not.
AHEAD = 64


class Prepared(NamedTuple):
    """``error``: why a file could not be prepared, or None."""

    path: Path
    error: TagkitError | None


def prepare(cache: Cache, paths: Iterable[Path], jobs: int) -> Iterator[Prepared]:
    """Fill the cache with ``jobs`` threads, yielding each file as it is done; what is there is kept.

    In the order of ``paths``; a file that cannot be heard is yielded with its error. What is held does
    not grow with their number. Raises RecipeError where the cache cannot be written.
    """
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(jobs)
    under_way: deque[tuple[Path, Future[None]]] = deque()
    given = iter(paths)
    try:
        torch.set_num_threads(1)  # the files are the parallel work
        while True:
            for path in islice(given, AHEAD * jobs - len(under_way)):
                under_way.append((path, pool.submit(cache.fill, path)))
            if not under_way:
                return
            path, future = under_way.popleft()
            error = future.exception()
            if isinstance(error, RecipeError) or not isinstance(error, TagkitError | None):
                raise error
            yield Prepared(path, error)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)
