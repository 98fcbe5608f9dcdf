"""Take broken files through every layer, in a process whose memory is limited.

    python -m tests.trust.broken FOLDER

reads JSON from stdin: a list of jobs, each ``["drawn", kind, count, seed]``, ``["truncated", kind, parts]``,
``["stacked"]`` or ``["bomb", name]``, and prints a line of JSON for each job: how often its files ended in
which way, the slowest, the most memory so far in MiB, and each that did not end as promised, which stays
in FOLDER.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.trust import bounds
from tests.trust.broken import bombs, good, harm
from tests.trust.broken.attempt import Layers

MEMORY = 1 << 30
"""Bytes of address space that a process may take beyond what it has when it starts."""


def cases(job: list[Any]) -> Iterator[tuple[str, bytes]]:
    what, *rest = job
    if what == "drawn":
        kind, count, seed = rest
        yield from harm.drawn(kind, count, random.Random(f"{seed}/{kind}"))
    elif what == "truncated":
        yield from harm.truncated(*rest)
    else:
        yield from good.stacked().items()


def run(job: list[Any], folder: Path, layers: Layers) -> dict[str, Any]:
    ends: Counter[str] = Counter()
    wrong: list[str] = []
    slowest = 0.0
    path = folder / "it"
    for number, (name, data) in enumerate(cases(job)):
        path.write_bytes(data)
        try:
            ended = layers.take(path)
            ends[ended.how] += 1
            slowest = max(slowest, ended.seconds)
        except BaseException as error:
            kept = folder / f"{'-'.join(map(str, job)).replace('/', '')}-{number}"
            kept.write_bytes(data)
            trace = "".join(traceback.format_exception(error)[-6:])
            wrong.append(f"{name}: {kept.name}: {trace}")
    return {"job": job, "ends": ends, "slowest": round(slowest, 2), "wrong": wrong}


def bomb(name: str, folder: Path, layers: Layers) -> dict[str, Any]:
    path = bombs.BOMBS[name](folder / "bomb")
    try:
        ended = layers.take(path)
        found = {"ends": {ended.how: 1}, "slowest": round(ended.seconds, 2), "wrong": []}
        return {"job": ["bomb", name], "reason": ended.reason, **found}
    except BaseException as error:
        trace = "".join(traceback.format_exception(error)[-6:])
        return {"job": ["bomb", name], "ends": {}, "slowest": 0, "wrong": [f"{name}: {trace}"]}
    finally:
        path.unlink()


def main(folder: Path) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with Layers(folder) as layers:
        for job in json.load(sys.stdin):
            found = bomb(job[1], folder, layers) if job[0] == "bomb" else run(job, folder, layers)
            found["MiB"] = bounds.peak() >> 20
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
