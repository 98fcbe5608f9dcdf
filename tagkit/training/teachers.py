"""Teachers: an ensemble that is listened to, not shipped; and the tracks it judged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

from tagkit.data.cache import Cache, Sample
from tagkit.data.manifest import SPLITS, Item
from tagkit.errors import AudioError, RecipeError
from tagkit.inference import ensemble
from tagkit.inference.pipeline import Analyser, FloatArray, Task, pick_device
from tagkit.training.distill import Tracks
from tagkit.weights import bundle

WINDOWS = 16


class Teachers:
    """The models named (a bundle, several, or an ensemble file) as one voice.

    Their networks are loaded when a file is not in the cache yet, and not before.
    """

    def __init__(self, names: Sequence[str], device: str = "auto") -> None:
        self.ensemble = ensemble.load(names)
        self.ids = self.ensemble.model_ids(WINDOWS)
        self._device = device
        self._analyser: Analyser | None = None

    def listen(self, path: Path, wanted: Sequence[str]) -> dict[str, FloatArray]:
        """Return each wanted teacher's probabilities (outputs,) for a file. Raises AudioError."""
        if self._analyser is None:
            loaded = [bundle.load(member.path) for member in self.ensemble.members]
            device = pick_device(self._device)
            self._analyser = Analyser(loaded, device=device, windows=WINDOWS, jobs=1)
        (analysis,) = self._analyser.analyse([Task(path, wanted)])
        if analysis.error is not None:
            raise AudioError(analysis.error, path=path)
        return {name: heard.probabilities for name, heard in analysis.results.items()}

    def targets(self, samples: Sequence[Sample]) -> FloatArray:
        """Return (tracks, tags) in the order of ``self.ensemble.tags``."""
        given = [np.stack([sample.teachers[name] for sample in samples]) for name in self.ids]
        return ensemble.combine(self.ensemble, given)


def gather(
    items: Iterable[Item], cache: Cache, teachers: Teachers
) -> tuple[dict[str, Tracks], list[AudioError]]:
    """Return the tracks of every split, computing what the cache lacks, and the files that failed.

    Raises RecipeError where a split has fewer than two tracks left.
    """
    samples: dict[str, list[Sample]] = {split: [] for split in SPLITS}
    failed: list[AudioError] = []
    for item in items:
        try:
            samples[item.split].append(cache.get(item.path, teachers.ids, teachers.listen))
        except AudioError as error:
            failed.append(error)
    for split, found in samples.items():
        if len(found) < 2:
            raise RecipeError(
                f"the split {split!r} has {len(found)} usable tracks; it needs two",
                hint=f"{len(failed)} files failed, the first: {failed[0]}" if failed else None,
            )
    tracks = {
        split: Tracks([torch.from_numpy(s.mel) for s in found], teachers.targets(found))
        for split, found in samples.items()
    }
    return tracks, failed
