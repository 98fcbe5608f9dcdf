"""What models say about a dataset's tracks, heard as ``tagkit tag`` hears them.

The windows, their mean, the calibration and the combination are those of inference: what is measured
is what a library gets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from tagkit.audio import window_starts
from tagkit.audio.workers import Workers
from tagkit.data.cache import Cache, decibel
from tagkit.data.dataset import Dataset, Track
from tagkit.errors import AudioError, DataError, TagkitError, UsageError
from tagkit.evaluation.matching import judge, match
from tagkit.evaluation.predictions import Predictions
from tagkit.inference import ensemble, loading
from tagkit.inference.ensemble import Ensemble
from tagkit.inference.listening import Ears
from tagkit.inference.pipeline import Analyser, Task
from tagkit.weights.bundle import Bundle

FloatArray = NDArray[np.float32]


class Heard(NamedTuple):
    """A track, and each member's probabilities (outputs,) for it, or why it could not be heard."""

    track: Track
    outputs: tuple[FloatArray, ...] = ()
    error: TagkitError | None = None


def predict(
    models: Sequence[str] | Ensemble,
    dataset: Dataset,
    *,
    device: str = "auto",
    windows: int = 16,
    jobs: int = 2,
    cache: Path = Path("cache"),
    context: bool = False,
    on_track: Callable[[TagkitError | None], None] = lambda _: None,
) -> Predictions:
    """Listen to every track of ``dataset`` and return what the models, as one, say about its tags.

    ``models``: what ``--model`` takes, or an ensemble. ``on_track`` is called after each track, with
    the error of one that cannot be heard: it is left out. ``cache`` is for datasets of log-mels only.
    ``context``: the ensemble's own; it lets the dataset's other tracks by an artist speak.
    Tags that no model knows are left out, see :mod:`tagkit.evaluation.matching`. Raises DataError
    where no tag or no track is left, WeightsError and UsageError as listening does.
    """
    chosen = models if isinstance(models, Ensemble) else ensemble.load(models)
    if context and chosen.context is None:
        raise UsageError(f"{chosen.name} has no context", hint="fit one with tagkit ensemble fit")
    match(chosen, dataset)  # said before hours of listening, not after them
    kept, outputs = _hear(chosen, dataset, device, windows, jobs, cache, on_track)
    return judge(chosen, outputs, kept, context=chosen.context if context else None)


def predict_each(
    models: Ensemble,
    dataset: Dataset,
    *,
    device: str = "auto",
    windows: int = 16,
    jobs: int = 2,
    cache: Path = Path("cache"),
    on_track: Callable[[TagkitError | None], None] = lambda _: None,
) -> list[Predictions]:
    """As :func:`predict`, of each member of ``models`` by itself; each file is decoded once for all."""
    alone = [ensemble.load([str(member.path)]) for member in models.members]
    for member in alone:
        match(member, dataset)
    kept, outputs = _hear(models, dataset, device, windows, jobs, cache, on_track)
    return [judge(member, [said], kept) for member, said in zip(alone, outputs, strict=True)]


def _hear(
    chosen: Ensemble,
    dataset: Dataset,
    device: str,
    windows: int,
    jobs: int,
    cache: Path,
    on_track: Callable[[TagkitError | None], None],
) -> tuple[Dataset, list[FloatArray]]:
    """The tracks that could be heard, and each member's probabilities (tracks, outputs) for them."""
    if not dataset.tracks:
        raise DataError(f"{dataset.name} has no track in this split", path=dataset.root)
    with Workers(jobs, windows) as workers:
        if dataset.kind != "mel":
            workers.start()  # it loads its libraries while the networks are loaded
        ears = loading.ears([member.path for member in chosen.members], windows, device, "torch")
        if dataset.kind == "mel":
            hearing = _read_mels(ears, dataset, cache)
        else:
            hearing = _listen(Analyser(ears, workers), chosen.model_ids(windows), dataset)
        heard = []
        for item in hearing:
            if item.error is None:
                heard.append(item)
            on_track(item.error)
    if not heard:
        raise DataError(
            f"none of the {len(dataset.tracks):,} tracks could be heard", path=dataset.root
        )
    outputs = [np.stack(rows) for rows in zip(*(item.outputs for item in heard), strict=True)]
    return dataset.keep(item.track for item in heard), outputs


def _listen(analyser: Analyser, ids: Sequence[str], dataset: Dataset) -> Iterator[Heard]:
    tasks = (Task(dataset.root / track.path, ids) for track in dataset.tracks)
    for track, found in zip(dataset.tracks, analyser.analyse(tasks), strict=True):
        if found.error is not None:
            yield Heard(track, error=AudioError(found.error, path=found.path))
        else:
            yield Heard(track, tuple(found.results[name].probabilities for name in ids))


def _read_mels(ears: Ears, dataset: Dataset, folder: Path) -> Iterator[Heard]:
    """The same windows, cut from images instead of audio."""
    caches = []
    for member in ears.bundles:
        if member.front_end is None or not member.front_end.front_end.n_mels:
            raise DataError(
                f"{member.card.name} hears no mels", path=dataset.root, hint="evaluate it on audio"
            )
        caches.append(Cache(folder, member.front_end.front_end))
    for track in dataset.tracks:
        path = dataset.root / track.path
        try:
            outputs = tuple(
                _judge_image(member, cache.get(path), ears)
                for member, cache in zip(ears.bundles, caches, strict=True)
            )
        except (AudioError, DataError) as error:
            yield Heard(track, error=error)
        else:
            yield Heard(track, outputs)


@torch.inference_mode()
def _judge_image(member: Bundle, image: NDArray[np.uint8], ears: Ears) -> FloatArray:
    assert member.front_end is not None
    frames = member.front_end.front_end.frames
    starts = window_starts(image.shape[1], frames, ears.windows)
    chunks = torch.from_numpy(np.stack([image[:, start : start + frames] for start in starts]))
    logits = member.model(decibel(chunks.to(ears.device)))
    found: FloatArray = torch.sigmoid(logits).mean(0).float().cpu().numpy()
    return found
