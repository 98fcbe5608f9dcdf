"""The analyse step on many machines, or all of one, with Ray Data.

::

    store.look ─▶ tasks ─▶ blocks ─▶ decode, listen (actors) ─▶ shards (Parquet) ─▶ store

The run itself (the driver) looks at the files and takes over the results; all else is done by actors,
wherever Ray puts them. Whatever ends in between, the contents that are in a shard are never heard again.
docs/scale.md tells how it is used.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tagkit.engines.ray_data.ahead import ahead
from tagkit.engines.todo import Heard, Todo, add_models
from tagkit.errors import UsageError
from tagkit.inference.ensemble import Ensemble
from tagkit.library.store import Store, encoded

if TYPE_CHECKING:
    from tagkit.engines.ray_data.cluster import Cluster

#: Tracks that a CPU of the cluster is given in one go, some four minutes of work: the driver remembers
#: no more than that, and the actors, which are made anew each time, take seconds to start.
ROUND = 2000
FIRST_ROUND = 200

#: Files that are looked at while the cluster is busy.
AHEAD = 20_000


def analyse(
    store: Store,
    ensemble: Ensemble,
    paths: Iterable[Path],
    *,
    windows: int = 16,
    jobs: int = 0,
    device: str = "auto",
    backend: str = "auto",
    retry: bool = False,
) -> Iterator[Heard]:
    """Yield every path once it is in the store, heard by every member, or has failed; in any order.

    Like :func:`tagkit.engines.local.analyse`, but ``jobs`` are the most CPUs of the cluster to use, 0
    for all. Raises WeightsError, StoreError, UsageError, TagkitError where the cluster cannot be used.
    """
    ids = add_models(store, ensemble, windows)
    _require_ray()
    from tagkit.engines.ray_data.shards import Folder, place

    if place(store).is_dir():
        Folder(store).take_rest()
    todo = Todo(ahead(store.look(paths, ids, retry=retry), AHEAD))
    yield from todo.known()
    if todo.waiting is None:
        return
    from tagkit.engines.ray_data.cluster import Cluster

    with (
        Folder(store) as folder,
        Cluster(
            ensemble, folder, windows=windows, jobs=jobs, device=device, backend=backend
        ) as cluster,
    ):
        yield from _rounds(todo, cluster)
        yield from todo.passed()


def _rounds(todo: Todo, cluster: Cluster) -> Iterator[Heard]:
    from tagkit.engines.ray_data.decoding import Task

    tasks = todo.tasks()
    size = FIRST_ROUND * cluster.cpus
    while list(islice(tasks, size)):
        looks = {look.key: look for look in todo.taken.values() if look.key is not None}
        work = [Task(key, os.fsdecode(encoded(o.path)), o.missing) for key, o in looks.items()]
        for key, duration, error in cluster.hear(work):
            path = looks[key].path
            del todo.taken[path]
            yield Heard(path, True, duration, error)
            yield from todo.done(key, error)
        size = min(10 * size, ROUND * cluster.cpus)


def _require_ray() -> None:
    from importlib.util import find_spec

    if find_spec("ray") is None or find_spec("pyarrow") is None:
        raise UsageError(
            "--engine ray needs Ray, which is not installed", hint="pip install 'tagkit[ray]'"
        )
