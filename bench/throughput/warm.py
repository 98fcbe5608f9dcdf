"""What a file costs in a process that has already done one. Standard library only: peers use it too."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor


def measure(hear: Callable[[str], object], files: Sequence[str], threads: int = 1) -> None:
    """Hear the first file, then measure all of them; print the sums as JSON on the last line.

    cpu: user and system seconds of all threads; wall: seconds; start: CPU seconds before; rss: MiB.
    """
    hear(files[0])
    start, began = time.process_time(), time.perf_counter()
    if threads == 1:
        for file in files:
            hear(file)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(hear, files))
    wall, cpu = time.perf_counter() - began, time.process_time() - start
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu": cpu, "wall": wall, "start": start, "rss": rss}))
