"""What models hear in decoded windows. Models that hear the same front end share its computation."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tagkit.audio.windows import Decoded, Hearing
from tagkit.errors import UsageError, WeightsError
from tagkit.features import FrontEndModule
from tagkit.front_end import FrontEnd
from tagkit.inference import backends
from tagkit.inference.backends import Hearer
from tagkit.inference.ensemble import model_id
from tagkit.weights.bundle import Bundle

FloatArray: TypeAlias = NDArray[np.float32]


class Heard(NamedTuple):
    """One model's view of a track: ``probabilities`` (outputs,) the mean over the windows, before any
    calibration; ``embedding`` (dims,), likewise."""

    probabilities: FloatArray
    embedding: FloatArray


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


class Ears:
    """``bundles`` on a device, computed by a backend; see :mod:`tagkit.inference.backends`.

    ``windows``: the most windows of a track, which is part of a model's id. Raises WeightsError for
    what hears no audio, UsageError for a backend that is not to be had.
    """

    def __init__(
        self,
        bundles: Sequence[Bundle],
        *,
        device: torch.device | None = None,
        windows: int = 16,
        backend: str = "torch",
    ) -> None:
        self.device = device or torch.device("cpu")
        self.windows = windows
        self.bundles = tuple(bundles)
        self.backend = backends.pick(backend, self.device.type)
        self.groups = group(bundles, windows, self.device)
        self._hearers: dict[str, Hearer] = {
            name: backends.prepare(self.backend, bundle, self.device)
            for _, members in self.groups
            for name, bundle in members
        }

    def hearings(self, wanted: Collection[str]) -> set[Hearing]:
        """Which windows the models with these ids need."""
        return {
            hearing(group.front_end.front_end)
            for group in self.groups
            if any(name in wanted for name, _ in group.members)
        }

    @torch.inference_mode()
    def hear(self, tracks: Sequence[Decoded], wanted: Collection[str]) -> list[dict[str, Heard]]:
        """Return for each track what each of the ``wanted`` models hears in it, by model id.

        All tracks' windows go through a network together, which fills a GPU. On a CPU one track at a
        time is fastest, for its images stay in the cache.
        """
        found: list[dict[str, Heard]] = [{} for _ in tracks]
        for front_end, members in self.groups:
            chosen = [name for name, _ in members if name in wanted]
            if not chosen:
                continue
            key = hearing(front_end.front_end)
            image = front_end(self._move([track.windows[key] for track in tracks]))
            counts = [len(track.windows[key]) for track in tracks]
            for name in chosen:
                logits, embedding = self._hearers[name](image)
                said = zip(
                    _means(torch.sigmoid(logits), counts), _means(embedding, counts), strict=True
                )
                for results, (probabilities, place) in zip(found, said, strict=True):
                    results[name] = Heard(probabilities, place)
        return found

    def _move(self, windows: Sequence[FloatArray]) -> Tensor:
        """The samples of all tracks (windows, n), on the device."""
        samples = torch.from_numpy(windows[0] if len(windows) == 1 else np.concatenate(windows))
        if self.device.type == "cuda":
            return samples.pin_memory().to(self.device, non_blocking=True)
        return samples.to(self.device)


def _means(values: Tensor, counts: Sequence[int]) -> list[FloatArray]:
    """Return each track's mean over its windows; ``values`` (all windows, dims)."""
    return [part.mean(0).numpy() for part in torch.split(values.float().cpu(), list(counts))]


def hearing(front_end: FrontEnd) -> Hearing:
    """Which windows a front end needs."""
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
