"""Decoding in processes of its own: beside the networks on every core, and behind a wall.

Python's interpreter lock lets one thread at a time handle what a decoder returns, so that threads
alone keep two or three cores busy; processes keep all. And a decoder that crashes or hangs on a file,
native code that it is, takes its process with it: that file is reported, another process takes over.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from tagkit.audio.decoder import FloatArray
from tagkit.audio.windows import Decoded, Hearing
from tagkit.errors import AudioError

# How long a file may take: what cannot be sought is decoded as a whole, at some 20 MB/s and more of
# compressed audio; a slow disk or a busy machine gives ten times less.
PATIENCE = 20.0  # seconds
PATIENCE_PER_BYTE = 0.5e-6

#: Bytes that wait in the pipe: with the usual 64 KiB the two processes wake each other 50 times a track.
PIPE = 1 << 20
_SET_PIPE_SIZE = 1031  # Linux' F_SETPIPE_SZ, which Python names since 3.10 and not on every system


class Workers:
    """``count`` processes that decode; each starts when it is needed, the first with :meth:`start`.

    ``most``: the most windows of a track. To be closed, or used as a context manager.
    """

    def __init__(self, count: int, most: int) -> None:
        self.most = most
        self.count = count
        self._closed = False
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        self._started: list[Worker] = []
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="decode")

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start one now: it loads its libraries while the caller does something else."""
        self._idle.put(self._another())

    def submit(self, path: Path, hearings: Iterable[Hearing]) -> Future[Decoded]:
        """Decode ``path`` when a process is free. The future raises AudioError."""
        return self._pool.submit(self._decode, path, sorted(hearings))

    def close(self) -> None:
        """End the processes, also in the middle of a file; what waits is cancelled."""
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        for worker in self._started:
            worker.stop()
        self._pool.shutdown()  # a thread that was just starting one ends it too

    def _decode(self, path: Path, hearings: list[Hearing]) -> Decoded:
        # In a thread of the pool, which waits for its process without the interpreter lock.
        try:
            worker = self._idle.get_nowait()
        except Empty:
            worker = self._another()
        try:
            return worker.decode(path, hearings, self.most)
        finally:
            if worker.alive:
                self._idle.put(worker)

    def _another(self) -> Worker:
        worker = Worker()
        self._started.append(worker)
        if self._closed:  # meanwhile
            worker.stop()
        return worker


class Worker:
    """One process. What becomes of it while it decodes is an AudioError of that file; raises
    AudioError where no process can be started."""

    def __init__(self) -> None:
        root = str(Path(__file__).parents[2])
        known = os.environ.get("PYTHONPATH")
        try:
            self._process = subprocess.Popen(
                # -P: a file in the current folder that is called like a library is not that library.
                [sys.executable, "-P", "-m", "tagkit.audio.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join([root, known] if known else [root]),
                },
            )
        except OSError as error:
            raise AudioError(f"no process can be started to decode it: {error.strerror}") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._replies = self._process.stdin, self._process.stdout
        if sys.platform == "linux":
            import fcntl

            with contextlib.suppress(OSError):  # the system's limit is lower: it is only slower
                fcntl.fcntl(self._replies, _SET_PIPE_SIZE, PIPE)
        self._late = False

    @property
    def alive(self) -> bool:
        return self._process.poll() is None and not self._replies.closed

    def decode(self, path: Path, hearings: list[Hearing], most: int) -> Decoded:
        """Return the windows. Raises AudioError."""
        request = {"path": str(path), "hearings": hearings, "most": most}
        patience = threading.Timer(_patience(path), self._lose_patience)
        patience.daemon = True
        patience.start()
        try:
            self._requests.write(json.dumps(request).encode() + b"\n")
            self._requests.flush()
            answer = self._answer()
            if "error" in answer:
                raise AudioError(answer["error"], path=path)
            windows = {
                hearing: self._array(min(count, most), hearing[1])
                for hearing, count in zip(hearings, answer["counts"], strict=True)
            }
        except (OSError, EOFError, ValueError, LookupError, TypeError) as error:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1)  # its own end says more than ours
            self.stop()
            raise AudioError(self._fate(), path=path) from error
        finally:
            patience.cancel()
        return Decoded(windows, answer["duration"])

    def stop(self) -> None:
        """End the process now."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._requests, self._replies):
            with contextlib.suppress(OSError):  # what was not yet sent
                pipe.close()

    def _answer(self) -> dict[str, Any]:
        line = self._replies.readline(1 << 16)
        if not line.endswith(b"\n"):
            raise EOFError
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _array(self, count: int, length: int) -> FloatArray:
        out = np.empty((count, length), np.float32)
        view = out.data.cast("B")
        while view:
            got = self._replies.readinto(view)  # type: ignore[attr-defined]
            if not got:
                raise EOFError
            view = view[got:]
        return out

    def _lose_patience(self) -> None:
        self._late = True
        self._process.kill()

    def _fate(self) -> str:
        code = self._process.returncode
        if self._late:
            return "its decoder did not come to an end"
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                return f"its decoder crashed ({signal.Signals(-code).name})"
        return "its decoder crashed"


def _patience(path: Path) -> float:
    """Seconds after which a file is given up."""
    with contextlib.suppress(OSError, ValueError):
        return PATIENCE + math.ceil(PATIENCE_PER_BYTE * path.stat().st_size)
    return PATIENCE
