"""All that a student is taught with, made ready: lessons, the teachers' voice, tracks to be judged by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

from tagkit.data.cache import Cache
from tagkit.data.filling import prepare
from tagkit.data.sources import Kind, Source
from tagkit.errors import RecipeError, TagkitError
from tagkit.recipe import Recipe
from tagkit.training.inputs import front_end_of
from tagkit.training.teaching.lessons import Lesson, Lessons, whole_clips
from tagkit.training.teaching.teachers import Judged, Teachers, judge
from tagkit.training.teaching.voice import Voice

T = TypeVar("T")
#: Passes on what it is given as it comes, and shows it: (what is done, how many there are, items).
Show: TypeAlias = Callable[[str, int, Iterable[T]], Iterable[T]]


@dataclass(frozen=True)
class School:
    """``sources``: of the training split, those that can be heard."""

    sources: Sequence[Source]
    lessons: Mapping[Kind, Sequence[Lesson]]
    judged: Mapping[str, Judged]
    voice: Voice


def require(recipe: Recipe) -> None:
    """Raise RecipeError for a recipe whose network cannot be a student."""
    if not front_end_of(recipe).n_mels:
        raise RecipeError(f"{recipe.name} hears audio itself: it cannot be a student")
    if recipe.augment.mixup:
        raise RecipeError(
            "augment.mixup mixes after the teachers were heard",
            hint="a student's clips are mixed before, see distill.mix",
        )


def ready(
    recipe: Recipe,
    sources: Sequence[Source],
    root: Path,
    cache: Path,
    teachers: Teachers,
    *,
    jobs: int,
    device: str,
    show: Show[object],
) -> tuple[School, list[TagkitError]]:
    """Make what is not there yet below ``cache``, in ``jobs`` processes, and return it all with the errors
    of the files that were left out.

    Raises RecipeError where the cache cannot be written, and where no music is left to teach with or
    too little to judge by.
    """
    front_end = front_end_of(recipe)
    training, failed = _heard(sources, root, Cache(cache, front_end, samples=True), jobs, show)
    if sum(source.teach == "teachers" for source in training) < 2:
        raise RecipeError(
            "fewer than two files of the training split can be taught by the teachers",
            hint=f"{len(failed)} files failed, the first: {failed[0]}" if failed else None,
        )
    lessons = Lessons(cache, recipe, front_end, training, root, cache, teachers.paths, teachers.ids)
    for _ in show("lessons", sum(lessons.counts.values()), lessons.make(jobs, device)):
        pass
    others = [s for s in sources if s.split != "train" and s.teach == "teachers"]
    judged, lost = judge(
        show("listen", len(others), others),  # type: ignore[arg-type]
        root,
        Cache(cache, front_end),
        teachers,
    )
    made = lessons.load()
    voice = Voice(teachers.ensemble, whole_clips(made["teachers"]))
    return School(training, made, judged, voice), [*failed, *lost]


def _heard(
    sources: Sequence[Source], root: Path, cache: Cache, jobs: int, show: Show[object]
) -> tuple[list[Source], list[TagkitError]]:
    training = [source for source in sources if source.split == "train"]
    paths = list(dict.fromkeys(root / source.path for source in training))
    lost: dict[Path, TagkitError] = {}

    def prepared() -> Iterable[object]:
        for done in prepare(cache, paths, jobs):
            if done.error is not None:
                lost[done.path] = done.error
            yield done

    for _ in show("prepare", len(paths), prepared()):
        pass
    kept = [source for source in training if root / source.path not in lost]
    return kept, [error for _, error in sorted(lost.items())]
