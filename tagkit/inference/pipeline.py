"""From files to what each model hears in them.

Decoding runs in processes of its own, the networks in the calling thread; a few decoded tracks wait
between the two, so memory does not grow with the library.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Future
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from tagkit.audio.windows import Decoded, decode
from tagkit.audio.workers import Workers
from tagkit.errors import AudioError, PassingError
from tagkit.inference.listening import Ears, Heard

#: Tracks that a GPU is given at once: 512 windows, so that its kernels outlast their launches.
GPU_TRACKS = 32


class Task(NamedTuple):
    """A file to listen to, and the ids of the models that have not heard it yet."""

    path: Path
    wanted: Collection[str]


class Analysis(NamedTuple):
    """What came of a task: ``duration`` in seconds and ``results`` by model id, or ``error``.

    ``passing``: the error need not be the file's own, and is nothing to remember.
    """

    path: Path
    duration: float
    results: dict[str, Heard]
    error: str | None
    passing: bool = False


class Analyser:
    """Listens with ``ears`` to what ``workers`` decode; without them, decodes by itself."""

    def __init__(self, ears: Ears, workers: Workers | None = None) -> None:
        self.ears = ears
        self._workers = workers
        self._most = 1 if ears.device.type == "cpu" else GPU_TRACKS

    def analyse(self, tasks: Iterable[Task]) -> Iterator[Analysis]:
        """Yield one analysis a task, in order. A file that cannot be decoded yields its error.

        Raises TagkitError where no file can be decoded, because no process comes up that would.

        Closing the generator (or Ctrl-C) abandons what was only being decoded ahead.
        """
        todo = iter(tasks)
        ahead: deque[tuple[Task, Future[Decoded]]] = deque()
        try:
            while True:
                for task in islice(todo, self._room - len(ahead)):
                    ahead.append((task, self._decode(task)))
                if not ahead:
                    return
                yield from self._listen(_ready(ahead, self._most))
        finally:
            for _, decoded in ahead:
                decoded.cancel()

    @property
    def _room(self) -> int:
        """How many tracks are decoded ahead: enough that neither side waits for the other."""
        return 1 if self._workers is None else 2 * self._workers.count + 2 * (self._most - 1)

    def _decode(self, task: Task) -> Future[Decoded]:
        hearings = self.ears.hearings(task.wanted)
        if self._workers is not None:
            return self._workers.submit(task.path, hearings)
        done: Future[Decoded] = Future()
        try:
            done.set_result(decode(task.path, hearings, self.ears.windows))
        except AudioError as error:
            done.set_exception(error)
        return done

    def _listen(self, batch: list[tuple[Task, Future[Decoded]]]) -> Iterator[Analysis]:
        outcomes = [_outcome(decoded) for _, decoded in batch]
        heard = [outcome for outcome in outcomes if isinstance(outcome, Decoded)]
        said = iter(self.ears.hear(heard, batch[0][0].wanted) if heard else ())
        for (task, _), outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, AudioError):
                passing = isinstance(outcome, PassingError)
                yield Analysis(task.path, 0.0, {}, outcome.message, passing)
            else:
                yield Analysis(task.path, outcome.duration, next(said), None)


def _outcome(decoded: Future[Decoded]) -> Decoded | AudioError:
    try:
        return decoded.result()
    except AudioError as error:
        return error


def _ready(
    ahead: deque[tuple[Task, Future[Decoded]]], most: int
) -> list[tuple[Task, Future[Decoded]]]:
    """Take the first task, which may still be under way, and those after it that are decoded and want
    the same models."""
    batch = [ahead.popleft()]
    while (
        ahead
        and len(batch) < most
        and ahead[0][1].done()
        and set(ahead[0][0].wanted) == set(batch[0][0].wanted)
    ):
        batch.append(ahead.popleft())
    return batch
