"""What training needs of each file, computed once: its log-mel and what each teacher says about it.

One small ``.npz`` a file, written to a temporary name and renamed: an interrupted preparation goes on
where it stopped. The log-mel is kept as bytes of half a decibel, from -100 dB up: a finer step than
any codec leaves, at a quarter of the size.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from tagkit import audio
from tagkit.errors import AudioError, RecipeError
from tagkit.features import LogMel
from tagkit.files import whole
from tagkit.front_end import FrontEnd

FLOOR = -100.0
STEP = 0.5


class Sample(NamedTuple):
    """``mel`` (mels, frames) uint8, see :func:`decibel`; ``teachers``: id → probabilities (outputs,)."""

    mel: NDArray[np.uint8]
    teachers: dict[str, NDArray[np.float32]]


#: Listens to a file with the teachers named by their ids.
Listen = Callable[[Path, Sequence[str]], dict[str, NDArray[np.float32]]]


def decibel(stored: torch.Tensor) -> torch.Tensor:
    """Bytes of a cached log-mel → float32 dB."""
    return stored.float() * STEP + FLOOR


class Cache:
    """Samples below ``folder`` for files of ``root``, in one front end."""

    def __init__(self, folder: Path, root: Path, front_end: FrontEnd) -> None:
        self.root = root
        self.front_end = LogMel(front_end)
        record = json.dumps(asdict(front_end), sort_keys=True)
        self.folder = folder / hashlib.sha256(record.encode()).hexdigest()[:12]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RecipeError(f"cannot be made: {error.strerror}", path=self.folder) from error

    def get(self, path: str, teachers: Sequence[str], listen: Listen) -> Sample:
        """Return the sample of ``path`` (below root), computing what is not cached.

        Raises AudioError, and RecipeError where the cache cannot be written.
        """
        place = self.folder / f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:24]}.npz"
        sample = self._load(place)
        missing = [name for name in teachers if sample is None or name not in sample.teachers]
        if sample is None or missing:
            mel = sample.mel if sample is not None else self._mel(self.root / path)
            known = sample.teachers if sample is not None else {}
            sample = Sample(mel, known | (listen(self.root / path, missing) if missing else {}))
            self._save(place, sample)
        return sample

    def _load(self, place: Path) -> Sample | None:
        try:
            with place.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                names = [name for name in stored.files if name != "mel"]
                return Sample(stored["mel"], {name: stored[name] for name in names})
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None  # not there, or damaged: it is computed again

    def _save(self, place: Path, sample: Sample) -> None:
        try:
            with whole(place) as out:
                np.savez(out, mel=sample.mel, **sample.teachers)  # type: ignore[arg-type]
        except OSError as error:
            raise RecipeError(
                f"cannot be written: {error.strerror or error}",
                path=place,
                hint="free some space, or name another folder with --cache; then run again",
            ) from error

    @torch.inference_mode()
    def _mel(self, path: Path) -> NDArray[np.uint8]:
        spec = self.front_end.front_end
        samples = audio.read(path, spec.sample_rate)
        if len(samples) < spec.chunk_samples:
            samples = np.resize(samples, spec.chunk_samples)
        if not np.isfinite(samples).all():
            raise AudioError("holds samples that are no numbers", path=path)
        image = self.front_end(torch.from_numpy(samples)[None])[0].numpy()
        stored: NDArray[np.uint8] = np.clip(np.rint((image - FLOOR) / STEP), 0, 255).astype(
            np.uint8
        )
        return stored
