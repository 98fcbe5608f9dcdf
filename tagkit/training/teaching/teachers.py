"""Teachers: an ensemble that is listened to, not shipped; and the tracks it judged."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr
import torch

from tagkit.audio import window_starts
from tagkit.data.cache import Cache
from tagkit.data.sources import Source
from tagkit.errors import AudioError, RecipeError
from tagkit.files import whole
from tagkit.inference import ensemble
from tagkit.inference.listening import Ears as Networks
from tagkit.inference.listening import FloatArray, group, pick_device
from tagkit.inference.pipeline import Analyser, Task
from tagkit.library.payload import content_key
from tagkit.training.batches import Features
from tagkit.training.runs import writing
from tagkit.weights import bundle

WINDOWS = 16


class Teachers:
    """The models named (a bundle, several, or an ensemble file).

    What each says of a file is kept below ``folder``, by the file's content. Their networks are loaded
    when something is not there yet, and not before.
    """

    def __init__(self, names: Sequence[str], folder: Path, device: str = "auto") -> None:
        self.ensemble = ensemble.load(names)
        self.folder = folder / "teachers"
        self.ids = self.ensemble.model_ids(WINDOWS)
        self._device = device
        self._analyser: Analyser | None = None

    @property
    def paths(self) -> list[Path]:
        """The members' bundles."""
        return [member.path for member in self.ensemble.members]

    def listen(self, path: Path) -> list[FloatArray]:
        """Return each teacher's probabilities (outputs,) for a file.

        Raises AudioError, and RecipeError where ``folder`` cannot be written.
        """
        key = content_key(path)
        places = {name: self.folder / _short(name) / f"{key}.npy" for name in self.ids}
        known = {name: _load(place) for name, place in places.items()}
        missing = [name for name, found in known.items() if found is None]
        said = self._analyse(path, missing) if missing else {}
        for name in missing:
            _save(places[name], said[name])
        return [said[name] if found is None else found for name, found in known.items()]

    def _analyse(self, path: Path, wanted: Sequence[str]) -> dict[str, FloatArray]:
        if self._analyser is None:
            loaded = [bundle.load(path) for path in self.paths]
            device = pick_device(self._device)
            self._analyser = Analyser(Networks(loaded, device=device, windows=WINDOWS))
        (analysis,) = self._analyser.analyse([Task(path, wanted)])
        if analysis.error is not None:
            raise AudioError(analysis.error, path=path)
        return {name: heard.probabilities for name, heard in analysis.results.items()}


class Ears:
    """The teachers' networks, for audio at hand; ``precision``: "no" or "bf16", of their arithmetic."""

    def __init__(self, paths: Sequence[Path], device: str, precision: str) -> None:
        self.device = pick_device(device)
        self.precision = precision
        loaded = [bundle.load(path) for path in paths]
        for member in loaded:
            # Three times as fast for 2-D convolutions in bfloat16 on a CPU.
            member.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        # An id would join two copies of a model; a teacher is known by its place.
        self.order = [id(member.model) for member in loaded]
        self.groups = group(loaded, WINDOWS, self.device)

    @torch.inference_mode()
    def hear(self, samples: FloatArray, rate: int, windows: int) -> list[FloatArray]:
        """Return by teacher (windows, outputs), the probabilities for windows spread over ``samples`` (n,)
        at ``rate`` Hz: at most ``windows``, and as many as lie in them side by side."""
        found: dict[int, FloatArray] = {}
        for front_end, members in self.groups:
            spec = front_end.front_end
            chunks = _chunks(samples, rate, spec.sample_rate, spec.chunk_samples, windows)
            image = front_end(torch.from_numpy(chunks).to(self.device))
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
                for _, member in members:
                    logits = member.model(image)
                    found[id(member.model)] = torch.sigmoid(logits.float()).cpu().numpy()
        return [found[name] for name in self.order]


def _chunks(samples: FloatArray, have: int, rate: int, length: int, windows: int) -> FloatArray:
    if rate != have:
        samples = soxr.resample(samples, have, rate, quality="HQ")
    if len(samples) < length:
        samples = np.resize(samples, length)
    most = min(windows, len(samples) // length)
    starts = window_starts(len(samples), length, most)
    return np.stack([samples[start : start + length] for start in starts])


def _short(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def _load(place: Path) -> FloatArray | None:
    try:
        found: FloatArray = np.load(place, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None  # not there, or damaged: it is computed again
    return found


def _save(place: Path, said: FloatArray) -> None:
    with writing(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        with whole(place) as out:
            np.save(out, said)


class Judged(NamedTuple):
    """Whole tracks: ``features`` as they are cached, and what the teachers said of them by teacher,
    (tracks, outputs)."""

    features: Features
    said: list[FloatArray]


def judge(
    sources: Iterable[Source], root: Path, cache: Cache, teachers: Teachers
) -> tuple[dict[str, Judged], list[AudioError]]:
    """Return the music to validate and to measure on, by split, and the files that failed.

    Raises RecipeError where a split has fewer than two tracks left.
    """
    splits = ("validation", "test")
    paths: dict[str, list[Path]] = {split: [] for split in splits}
    heard: dict[str, list[list[FloatArray]]] = {split: [] for split in splits}
    failed: list[AudioError] = []
    for source in sources:
        path = root / source.path
        try:
            cache.fill(path)
            heard[source.split].append(teachers.listen(path))
            paths[source.split].append(path)
        except AudioError as error:
            failed.append(error)
    for split, found in paths.items():
        if len(found) < 2:
            raise RecipeError(
                f"the split {split!r} has {len(found)} usable tracks; it needs two",
                hint=f"{len(failed)} files failed, the first: {failed[0]}" if failed else None,
            )
    judged = {
        split: Judged(
            Features(cache, found), [np.stack(s) for s in zip(*heard[split], strict=True)]
        )
        for split, found in paths.items()
    }
    return judged, failed
