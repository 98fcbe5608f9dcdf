"""Decoding in processes of its own: beside the networks on every core, and behind a wall.

Python's interpreter lock lets one thread at a time handle what a decoder returns, so that threads
alone keep two or three cores busy; processes keep all. And what becomes of a process while it decodes
becomes of one file: it is reported, and another process takes over.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue

from tagkit.audio.process import StartError, Worker
from tagkit.audio.windows import Decoded, Hearing
from tagkit.errors import PassingError, TagkitError

# Seconds between one start that fails and the next: a machine may be out of memory for a moment.
PAUSES = (0.1, 1.0)


class Workers:
    """``count`` processes that decode; each starts when it is needed, the first with :meth:`start`.

    ``most``: the most windows of a track. To be closed, or used as a context manager.
    """

    def __init__(self, count: int, most: int) -> None:
        self.most = most
        self.count = count
        self._closed = False
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        self._started: set[Worker] = set()
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="decode")

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start one now: it loads its libraries while the caller does something else."""
        with contextlib.suppress(StartError):  # the first file will say so
            self._idle.put(self._another())

    def submit(self, path: Path, hearings: Iterable[Hearing]) -> Future[Decoded]:
        """Decode ``path`` when a process is free.

        The future raises AudioError; TagkitError where no process comes up, for this file or any.
        """
        return self._pool.submit(self._decode, path, sorted(hearings))

    def close(self) -> None:
        """End the processes, also in the middle of a file; what waits is cancelled."""
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        for worker in list(self._started):
            worker.kill()
        self._pool.shutdown()  # a thread that was just starting one ends it too
        for worker in self._started:
            worker.stop()

    def _decode(self, path: Path, hearings: list[Hearing]) -> Decoded:
        # In a thread of the pool, which waits for its process without the interpreter lock.
        worker = self._one()
        try:
            return worker.decode(path, hearings, self.most)
        finally:
            self._put_back(worker)

    def _one(self) -> Worker:
        """Return a process that is ready. Raises TagkitError where several in a row do not start."""
        for pause in (*PAUSES, None):
            try:
                worker = self._idle_one() or self._another()
                try:
                    worker.start()
                except StartError:
                    self._started.discard(worker)
                    raise
                return worker
            except StartError as error:
                if self._closed:
                    raise PassingError("the run has ended") from error
                if pause is None:
                    raise TagkitError(
                        f"no process that decodes comes up: {error.message}",
                        hint="install tagkit again, or free some memory; what is finished is kept",
                    ) from error
                time.sleep(pause)
        raise AssertionError

    def _idle_one(self) -> Worker | None:
        """Return one that waits for a file; those that ended meanwhile are let go."""
        with contextlib.suppress(Empty):
            while True:
                worker = self._idle.get_nowait()
                if worker.usable:
                    return worker
                self._let_go(worker)
        return None

    def _put_back(self, worker: Worker) -> None:
        if worker.usable and not self._closed:
            self._idle.put(worker)
        else:
            self._let_go(worker)

    def _let_go(self, worker: Worker) -> None:
        worker.stop()
        self._started.discard(worker)

    def _another(self) -> Worker:
        worker = Worker()
        self._started.add(worker)
        if self._closed:  # meanwhile
            worker.kill()
        return worker
