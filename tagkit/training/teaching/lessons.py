"""Lessons: changed clips as the student hears them, with what each teacher said of the very same sound.

Hearing the teachers is what costs, so each lesson is made once and kept, in files of its own: whoever stops
the work loses the lesson under way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from tagkit.data import kept
from tagkit.data.cache import Cache, mel_bytes
from tagkit.data.sources import KINDS, Kind, Source
from tagkit.features import LogMel
from tagkit.files import whole
from tagkit.front_end import FrontEnd
from tagkit.library.payload import content_key
from tagkit.recipe import Recipe
from tagkit.training.batches import Features
from tagkit.training.runs import writing
from tagkit.training.teaching.clips import Clips
from tagkit.training.teaching.teachers import Ears

FloatArray = NDArray[np.float32]
#: The form of the files, and of how a clip is made.
VERSION = 1


class Lesson(NamedTuple):
    """``image``: the file of the whole clip's log-mel, uint8 (mels, frames) as the cache keeps one;
    ``said``: by teacher, (its windows, outputs) probabilities, none for a clip without teachers;
    ``rows``: the sources; ``levels``: (rows, windows) dB."""

    image: Path
    said: list[FloatArray]
    rows: NDArray[np.int64]
    levels: FloatArray


@dataclass(frozen=True)
class Lessons:
    """All lessons of ``recipe`` from ``sources`` (those of the training split, their files below ``root``),
    kept below ``folder``; ``teachers``: bundles."""

    folder: Path
    recipe: Recipe
    front_end: FrontEnd
    sources: Sequence[Source]
    root: Path
    cache: Path
    teachers: Sequence[Path]
    teacher_ids: Sequence[str]

    @property
    def counts(self) -> dict[Kind, int]:
        """How many lessons of each kind: as the recipe says, four a file where it says 0."""
        plan = self.recipe.distill
        asked = {
            "teachers": plan.clips,
            "labels": plan.labelled_clips,
            "nothing": plan.nothing_clips,
        }
        have = {kind: sum(source.teach == kind for source in self.sources) for kind in KINDS}
        return {kind: (asked[kind] or 4 * have[kind]) * bool(have[kind]) for kind in KINDS}

    @cached_property
    def place(self) -> Path:
        """The folder of these lessons: another for anything that changes one."""
        record = {
            "version": VERSION,
            "front_end": asdict(self.front_end),
            "distill": {k: v for k, v in asdict(self.recipe.distill).items() if k in CLIP_KEYS},
            "effects": asdict(self.recipe.augment.of_audio()),
            "seed": self.recipe.train.seed,
            "teachers": list(self.teacher_ids),
            "sources": [(content_key(self.root / s.path), s.teach) for s in self.sources],
        }
        digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:12]
        return self.folder / f"lessons-{digest}"

    def make(self, jobs: int, device: str) -> Iterator[int]:
        """Make the lessons that are not there yet, in ``jobs`` processes; yield how many were.

        Raises RecipeError where they cannot be written, AudioError for a file that cannot be heard.
        """
        place = self.place
        with writing(place):
            for kind in KINDS:
                (place / kind).mkdir(parents=True, exist_ok=True)
        # In turns, so that a run that was stopped has some of every kind.
        missing = [
            (number / count, kind, number)
            for kind, count in self.counts.items()
            for number in range(count)
            if not _file(place, kind, number).exists()
        ]
        yield sum(self.counts.values()) - len(missing)
        missing.sort()
        if device == "cuda" or jobs < 2:
            maker = _Maker(self, place, device)
            for _, kind, number in missing:
                maker(kind, number)
                yield 1
            return
        context = get_context("spawn")
        with ProcessPoolExecutor(jobs, context, _begin, (self, place, device)) as pool:
            made = [pool.submit(_make, kind, number) for _, kind, number in missing]
            try:
                for done in as_completed(made):
                    done.result()
                    yield 1
            finally:
                pool.shutdown(cancel_futures=True)

    def load(self) -> dict[Kind, list[Lesson]]:
        """Return all lessons; their images stay on the disk."""
        place = self.place
        return {
            kind: [_load(_file(place, kind, number)) for number in range(count)]
            for kind, count in self.counts.items()
        }


def whole_clips(lessons: Sequence[Lesson]) -> list[FloatArray]:
    """Return by teacher (lessons, outputs): the mean of what it said of each clip's windows."""
    members = range(len(lessons[0].said))
    return [np.stack([lesson.said[member].mean(0) for lesson in lessons]) for member in members]


#: What of the distill table a clip depends on; the rest is how it is used.
CLIP_KEYS = (
    *("clip_seconds", "windows", "mix", "mix_db", "stems", "stem_db", "speed", "speed_ratio"),
)


def _file(place: Path, kind: Kind, number: int) -> Path:
    return place / kind / f"{number:06}.npz"


class _Maker:
    """Makes lessons in this process."""

    def __init__(self, lessons: Lessons, place: Path, device: str) -> None:
        self.place, self.recipe = place, lessons.recipe
        cache = Cache(lessons.cache, lessons.front_end, samples=True)
        audio = Features(cache, [lessons.root / source.path for source in lessons.sources])
        self.clips = Clips(
            lessons.sources,
            audio,
            lessons.front_end.sample_rate,
            lessons.front_end.chunk_samples,
            lessons.recipe.distill,
            lessons.recipe.augment,
            lessons.recipe.train.seed,
        )
        self.mel = LogMel(lessons.front_end)
        self.ears = Ears(lessons.teachers, device, lessons.recipe.distill.precision)

    def __call__(self, kind: Kind, number: int) -> None:
        clip = self.clips.make(kind, number)
        with torch.inference_mode():
            image = mel_bytes(self.mel(torch.from_numpy(clip.samples)[None])[0].numpy())
        said: list[FloatArray] = []
        if kind == "teachers":
            said = self.ears.hear(clip.samples, self.clips.rate, self.recipe.distill.windows)
        arrays: dict[str, NDArray[Any]] = {
            "rows": np.array(clip.rows, np.int64),
            "levels": clip.levels,
            **{f"said_{number}": given.astype(np.float16) for number, given in enumerate(said)},
        }
        place = _file(self.place, kind, number)
        with writing(place):
            with whole(place.with_suffix(".npy")) as out:
                kept.save(out, image)
            # Last: a lesson whose .npz is there is whole.
            with whole(place) as out:
                np.savez(out, **arrays)  # type: ignore[arg-type]


_maker: list[_Maker] = []


def _begin(lessons: Lessons, place: Path, device: str) -> None:
    torch.set_num_threads(1)  # the clips are the parallel work
    _maker[:] = [_Maker(lessons, place, device)]


def _make(kind: Kind, number: int) -> None:
    _maker[0](kind, number)


def _load(place: Path) -> Lesson:
    with np.load(place, allow_pickle=False) as arrays:
        said = [
            arrays[f"said_{number}"].astype(np.float32)
            for number in range(sum(name.startswith("said_") for name in arrays.files))
        ]
        rows, levels = arrays["rows"], arrays["levels"]
    return Lesson(place.with_suffix(".npy"), said, rows, levels)
