"""Teachers: an ensemble that is listened to, not shipped; and the tracks it judged."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from tagkit.data.cache import Cache
from tagkit.data.dataset import SPLITS
from tagkit.data.manifest import Item
from tagkit.errors import AudioError, RecipeError
from tagkit.files import whole
from tagkit.inference import ensemble
from tagkit.inference.pipeline import Analyser, FloatArray, Task, pick_device
from tagkit.library.payload import content_key
from tagkit.training.batches import Features
from tagkit.training.distill import Tracks
from tagkit.training.runs import writing
from tagkit.weights import bundle

WINDOWS = 16


class Teachers:
    """The models named (a bundle, several, or an ensemble file) as one voice.

    What each says of a file is kept below ``folder``, by the file's content. Their networks are loaded
    when something is not there yet, and not before.
    """

    def __init__(self, names: Sequence[str], folder: Path, device: str = "auto") -> None:
        self.ensemble = ensemble.load(names)
        self.folder = folder / "teachers"
        self.ids = self.ensemble.model_ids(WINDOWS)
        self._device = device
        self._analyser: Analyser | None = None

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
            loaded = [bundle.load(member.path) for member in self.ensemble.members]
            device = pick_device(self._device)
            self._analyser = Analyser(loaded, device=device, windows=WINDOWS, jobs=1)
        (analysis,) = self._analyser.analyse([Task(path, wanted)])
        if analysis.error is not None:
            raise AudioError(analysis.error, path=path)
        return {name: heard.probabilities for name, heard in analysis.results.items()}

    def targets(self, heard: Sequence[Sequence[FloatArray]]) -> FloatArray:
        """Return (tracks, tags) in the order of ``self.ensemble.tags``, of what :meth:`listen` said."""
        return ensemble.combine(
            self.ensemble, [np.stack(said) for said in zip(*heard, strict=True)]
        )


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


def gather(
    items: Iterable[Item], root: Path, cache: Cache, teachers: Teachers
) -> tuple[dict[str, Tracks], list[AudioError]]:
    """Return the tracks of every split, computing what is not cached, and the files that failed.

    Raises RecipeError where a split has fewer than two tracks left.
    """
    paths: dict[str, list[Path]] = {split: [] for split in SPLITS}
    heard: dict[str, list[list[FloatArray]]] = {split: [] for split in SPLITS}
    failed: list[AudioError] = []
    for item in items:
        path = root / item.path
        try:
            cache.get(path)
            heard[item.split].append(teachers.listen(path))
            paths[item.split].append(path)
        except AudioError as error:
            failed.append(error)
    for split, found in paths.items():
        if len(found) < 2:
            raise RecipeError(
                f"the split {split!r} has {len(found)} usable tracks; it needs two",
                hint=f"{len(failed)} files failed, the first: {failed[0]}" if failed else None,
            )
    tracks = {
        split: Tracks(Features(cache, found), teachers.targets(heard[split]))
        for split, found in paths.items()
    }
    return tracks, failed
