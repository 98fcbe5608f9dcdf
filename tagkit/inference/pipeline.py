"""From files to what each model hears in them.

Decoding runs in threads (libsndfile, FFmpeg and soxr release the interpreter lock), the networks in the
calling thread; a few decoded tracks wait between the two, so memory does not grow with the library.
Models that hear the same front end share its computation.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from tagkit import audio
from tagkit.errors import AudioError, UsageError, WeightsError
from tagkit.features import FrontEndModule
from tagkit.front_end import FrontEnd
from tagkit.inference.ensemble import model_id
from tagkit.weights.bundle import Bundle

FloatArray = NDArray[np.float32]
Hearing = tuple[int, int]  # sample rate, samples of a chunk: what decides which windows are decoded


class Heard(NamedTuple):
    """One model's view of a track: ``probabilities`` (outputs,) the mean over the windows, before any
    calibration; ``embedding`` (dims,), likewise."""

    probabilities: FloatArray
    embedding: FloatArray


class Task(NamedTuple):
    """A file to listen to, and the ids of the models that have not heard it yet."""

    path: Path
    wanted: Collection[str]


class Analysis(NamedTuple):
    """What came of a task: ``duration`` in seconds and ``results`` by model id, or ``error``."""

    path: Path
    duration: float
    results: dict[str, Heard]
    error: str | None


class Group(NamedTuple):
    """Models that hear the same: one front end, computed once."""

    front_end: FrontEndModule
    members: tuple[tuple[str, Bundle], ...]


def pick_device(name: str) -> torch.device:
    """Return the device that ``auto``, ``cpu``, ``cuda`` or ``mps`` means here. Raises UsageError."""
    have = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if have[kind]))
    if name not in have:
        raise UsageError(f"no device is called {name!r}", hint="auto, cpu, cuda or mps")
    if not have[name]:
        raise UsageError(f"this machine has no usable {name} device", hint="try --device auto")
    return torch.device(name)


def leave_cores_to_decoding() -> None:
    """Let torch compute with half the cores, unless OMP_NUM_THREADS says how many it shall have.

    Decoding needs the others. Networks this small gain little from many threads, and their threads
    wait for each other by spinning: two runs on two cores took 11 s, not 4.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // 2))


class Analyser:
    """Listens with ``bundles``; ``windows`` is the most windows of a track, ``jobs`` the decoding threads."""

    def __init__(
        self,
        bundles: Sequence[Bundle],
        *,
        device: torch.device | None = None,
        windows: int = 16,
        jobs: int = 2,
    ) -> None:
        self.device = device or torch.device("cpu")
        self.windows = windows
        self.jobs = max(1, jobs)
        self.groups = group(bundles, windows, self.device)

    def analyse(self, tasks: Iterable[Task]) -> Iterator[Analysis]:
        """Yield one analysis a task, in order. A file that cannot be decoded yields its error.

        Closing the generator (or Ctrl-C) abandons what was only being decoded ahead.
        """
        pool = ThreadPoolExecutor(self.jobs, thread_name_prefix="decode")
        todo = iter(tasks)
        ahead: deque[tuple[Task, Future[_Decoded]]] = deque()
        try:
            while True:
                for task in islice(todo, 2 * self.jobs - len(ahead)):
                    ahead.append((task, pool.submit(self._decode, task)))
                if not ahead:
                    return
                task, decoded = ahead.popleft()
                yield self._listen(task, decoded)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _decode(self, task: Task) -> _Decoded:
        needed = {
            _hearing(group.front_end.front_end)
            for group in self.groups
            if any(name in task.wanted for name, _ in group.members)
        }
        windows: dict[Hearing, FloatArray] = {}
        duration = 0.0
        for rate, length in sorted(needed):
            windows[rate, length], duration = audio.read_windows(
                task.path, rate, length, self.windows
            )
        return _Decoded(windows, duration)

    def _listen(self, task: Task, decoded: Future[_Decoded]) -> Analysis:
        try:
            windows, duration = decoded.result()
        except AudioError as error:
            return Analysis(task.path, 0.0, {}, error.message)
        results: dict[str, Heard] = {}
        for group in self.groups:
            members = [(name, bundle) for name, bundle in group.members if name in task.wanted]
            if members:
                results |= self._hear(group.front_end, members, windows)
        return Analysis(task.path, duration, results, None)

    @torch.inference_mode()
    def _hear(
        self,
        front_end: FrontEndModule,
        members: list[tuple[str, Bundle]],
        windows: dict[Hearing, FloatArray],
    ) -> dict[str, Heard]:
        samples = torch.from_numpy(windows[_hearing(front_end.front_end)]).to(self.device)
        image = front_end(samples)
        results = {}
        for name, bundle in members:
            logits, embedding = bundle.model.hear(image)
            probabilities = torch.sigmoid(logits)
            results[name] = Heard(
                probabilities.mean(0).float().cpu().numpy(), embedding.mean(0).float().cpu().numpy()
            )
        return results


class _Decoded(NamedTuple):
    windows: dict[Hearing, FloatArray]
    duration: float


def _hearing(front_end: FrontEnd) -> Hearing:
    return front_end.sample_rate, front_end.chunk_samples


def group(bundles: Sequence[Bundle], windows: int, device: torch.device) -> list[Group]:
    """Put models together whose front ends are equal to the last bit of their filter banks."""
    groups: dict[tuple[FrontEnd, bytes], list[tuple[str, Bundle]]] = {}
    front_ends: dict[tuple[FrontEnd, bytes], FrontEndModule] = {}
    for bundle in bundles:
        bundle.model.eval().to(device)
        if bundle.front_end is None:
            raise WeightsError(f"{bundle.card.name} combines models; it hears no audio itself")
        buffers = b"".join(b.cpu().numpy().tobytes() for b in bundle.front_end.buffers())
        key = (bundle.front_end.front_end, buffers)
        groups.setdefault(key, []).append((model_id(bundle.fingerprint, windows), bundle))
        front_ends.setdefault(key, bundle.front_end.to(device))
    return [Group(front_ends[key], tuple(members)) for key, members in groups.items()]
