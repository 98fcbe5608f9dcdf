"""Decoding on a worker: a file that both machines see, or an object that is fetched first."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tagkit.audio.windows import Decoded, Hearing
from tagkit.audio.workers import Workers
from tagkit.errors import AudioError
from tagkit.library.finding import remote

#: Objects that are fetched ahead of the decoder, so that it does not wait for the network.
AHEAD = 2


class Task(NamedTuple):
    """A content to listen to: its key, ``where`` a file with it is, the ids of the models to ask."""

    key: str
    where: str
    wanted: tuple[str, ...]


class Decoder:
    """Decodes behind a wall: what crashes or hangs a decoder is an error of that file alone.

    ``hearings``: what each model hears, by its id; ``most``: the most windows of a track.
    """

    def __init__(self, hearings: dict[str, Hearing], most: int) -> None:
        self._hearings = hearings
        self._workers = Workers(1, most)
        self._fetch = ThreadPoolExecutor(AHEAD, thread_name_prefix="fetch")

    def hearings(self, task: Task) -> list[Hearing]:
        """Which windows the models of a task need, in the order of :meth:`decode`."""
        return sorted({self._hearings[model] for model in task.wanted})

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Decoded | AudioError]]:
        """Yield each task with its windows, or with why there are none, in order."""
        todo = iter(tasks)
        ahead: deque[tuple[Task, Future[Path]]] = deque()
        with tempfile.TemporaryDirectory(prefix="tagkit-") as folder:
            while True:
                for task in todo:
                    ahead.append((task, self._path(task, Path(folder))))
                    if len(ahead) > AHEAD:
                        break
                if not ahead:
                    return
                task, path = ahead.popleft()
                yield task, self._decode(task, path)

    def _path(self, task: Task, folder: Path) -> Future[Path]:
        path = Path(task.where)
        if remote.is_remote(path):
            return self._fetch.submit(remote.fetch, path, folder)
        here: Future[Path] = Future()
        here.set_result(path)
        return here

    def _decode(self, task: Task, where: Future[Path]) -> Decoded | AudioError:
        try:
            path = where.result()
        except AudioError as error:
            return error
        try:
            return self._workers.submit(path, self.hearings(task)).result()
        except AudioError as error:
            return error
        finally:
            if path != Path(task.where):
                with contextlib.suppress(OSError):
                    os.unlink(path)  # noqa: PTH108
