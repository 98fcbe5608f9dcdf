"""The analyse step on this machine: what the store lacks is listened to and remembered at once."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tagkit.engines.todo import Heard, Todo, add_models
from tagkit.inference.ensemble import Ensemble
from tagkit.library.store import Store

if TYPE_CHECKING:
    from tagkit.inference.listening import Ears


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
    """Yield every path once it is in the store, heard by every member, or has failed.

    ``jobs``: how many processes decode; 0 for one a core.
    The networks are loaded at the first file that needs them: a library that is all known never does.
    Stopping the iteration keeps what was yielded. A failure is remembered as its audio's, unless it may
    have come from elsewhere (see PassingError). Raises WeightsError, StoreError, UsageError, and
    TagkitError where no process comes up that decodes.
    """
    ids = add_models(store, ensemble, windows)
    todo = Todo(store.look(paths, ids, retry=retry))
    # Known files are passed through in the same order as they are found between the unknown ones.
    yield from todo.known()
    if todo.waiting is None:
        return
    from tagkit.audio.workers import Workers

    with Workers(jobs or os.cpu_count() or 1, windows) as workers:
        workers.start()  # it loads its libraries while the networks are loaded
        with _nothing_is_garbage():
            from tagkit.inference.pipeline import Analyser

            analyser = Analyser(load(ensemble, windows, device, backend), workers)
        for result in analyser.analyse(todo.tasks()):
            look = todo.taken.pop(result.path)
            assert look.key is not None
            if result.error is None:
                store.record(look.key, result.results, duration=result.duration)
            elif not result.passing:
                store.record_failure(look.key, look.missing, result.error)
            yield Heard(result.path, True, result.duration, result.error)
            yield from todo.done(look.key, result.error)
        yield from todo.passed()


def load(ensemble: Ensemble, windows: int, device: str, backend: str) -> Ears:
    """Return the networks of an ensemble. Raises WeightsError, UsageError."""
    from tagkit.inference.loading import ears

    return ears([member.path for member in ensemble.members], windows, device, backend)


@contextmanager
def _nothing_is_garbage() -> Iterator[None]:
    """Leave out the search for garbage among the many objects that libraries are made of: a tenth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
