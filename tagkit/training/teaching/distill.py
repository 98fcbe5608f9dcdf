"""A student learns to say what its teachers say of the very sound that it hears.

Music teaches by the teachers' voice, single instruments by what is known of them, sound that is no music by
silence; listeners' votes teach outputs of their own, which are cut off in the end. See ``clips``,
``voice`` and ``targets``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn

from tagkit import models
from tagkit.augment import image
from tagkit.data.cache import decibel
from tagkit.data.sources import Kind, Source
from tagkit.errors import RecipeError
from tagkit.features import FrontEndModule, build
from tagkit.front_end import FrontEnd
from tagkit.metrics import macro, rank_correlation
from tagkit.recipe import Recipe
from tagkit.thresholds import expected_shares, for_shares
from tagkit.training.batches import Batch
from tagkit.training.engine import slices
from tagkit.training.hearing import shared_predict
from tagkit.training.inputs import front_end_of, require_chunks
from tagkit.training.loop import Plan, fit
from tagkit.training.runs import Run
from tagkit.training.teaching.batches import LessonBatches
from tagkit.training.teaching.clips import starts
from tagkit.training.teaching.lessons import Lesson
from tagkit.training.teaching.targets import Distance, Layout, labelled, taught
from tagkit.training.teaching.teachers import Judged
from tagkit.training.teaching.voice import Voice
from tagkit.training.transfer import start_from
from tagkit.vocab import Tag
from tagkit.weights.card import Card

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Student:
    """What comes out: the model and its card, the rank correlation with its teachers a tag (tags,) on the
    test tracks, and its mean over the tags on each split."""

    model: models.TagModel
    front_end: FrontEndModule
    card: Card
    agreement: NDArray[np.float64]
    scores: dict[str, dict[str, float]]


class Pupil(nn.Module):
    """A model under training, with what only training needs: outputs for votes, and each tag's scale for
    exact labels, of which a teacher's probability is a measure but not the value."""

    def __init__(self, model: models.TagModel, layout: Layout, dims: int) -> None:
        super().__init__()
        self.model = model
        self.votes = nn.Linear(dims, layout.votes) if layout.votes else None
        self.scale = nn.Parameter(torch.ones(layout.tags))
        self.shift = nn.Parameter(torch.zeros(layout.tags))

    def forward(self, x: Tensor) -> Tensor:
        """Return what :meth:`Layout.said` takes apart."""
        logits, embedding = self.model.hear(x)
        scaled = logits * nn.functional.softplus(self.scale) + self.shift
        voted = [] if self.votes is None else [self.votes(embedding)]
        return torch.cat([logits, scaled, *voted], 1)


def distill(
    recipe: Recipe,
    voice: Voice,
    sources: Sequence[Source],
    lessons: Mapping[Kind, Sequence[Lesson]],
    judged: Mapping[str, Judged],
    run: Run,
    *,
    accelerator: Accelerator,
    resume: bool = False,
    jobs: int = 0,
) -> Student:
    """Train as ``recipe`` says on ``lessons`` from ``sources``, choose on ``judged["validation"]``, measure
    on "test". The recipe's loss is not used.

    Raises RecipeError where the batch cannot be shared out as the recipe says.
    """
    front_end = front_end_of(recipe)
    parts = slices(recipe.train, accelerator)
    require_chunks(recipe, front_end, recipe.train.batch // parts)
    asked = sorted({vote for source in sources for vote in source.votes})
    layout = Layout(len(voice.tags), len(asked))
    targets = _targets(lessons, sources, voice, asked, layout)
    torch.manual_seed(recipe.train.seed)
    model = models.build(recipe.architecture, layout.tags, **recipe.arguments)
    _begin_from(model, targets["teachers"][..., : layout.tags])
    if recipe.train.start_from:
        start_from(model, recipe.train.start_from, recipe.train.start_layers)
    pupil = Pupil(model, layout, _dims(recipe, front_end))
    hear = partial(predict, recipe=recipe, front_end=front_end, accelerator=accelerator)
    wanted = {split: voice(given.said) for split, given in judged.items()}

    def validate(network: nn.Module) -> dict[str, float]:
        found = hear(network, judged["validation"])
        return {"agreement": macro(rank_correlation(found, wanted["validation"]))}

    entry = fit(
        pupil,
        Plan(
            batches=_batches(recipe, front_end, lessons, targets, parts),
            steps=recipe.train.steps_per_epoch or _pass(recipe, lessons),
            prepare=partial(_prepare, chain=image.image_chain(recipe.augment)),
            loss=_distance(recipe, layout, targets["teachers"]),
            validate=validate,
            choose="agreement",
        ),
        recipe.train,
        run,
        accelerator=accelerator,
        resume=resume,
        jobs=jobs,
    )
    found = {split: hear(pupil, given) for split, given in judged.items()}
    measured = rank_correlation(found["test"], wanted["test"])
    scores = {
        "validation": {"rank_correlation": round(entry["validation"]["agreement"], 4)},
        "test": {"rank_correlation": round(macro(measured), 4)},
    }
    card = Card(
        name=recipe.name,
        architecture=recipe.architecture,
        arguments=dict(recipe.arguments),
        front_end=front_end,
        tags=voice.tags,
        outputs=tuple(tag.name for tag in voice.tags),
        thresholds=_thresholds(recipe, voice.tags, wanted["validation"], found["validation"]),
        licence=recipe.licence or None,
        title=recipe.title,
        training_data=recipe.training_data,
        notes=recipe.notes,
        scores={
            "rank correlation with the weighted teachers, mean over tags": {
                f"{split} tracks": figures["rank_correlation"] for split, figures in scores.items()
            },
            "tracks": {split: len(given.features) for split, given in judged.items()},
            "clips": {kind: len(given) for kind, given in lessons.items()},
        },
    )
    return Student(model.cpu(), build(front_end), card, measured, scores)


def _dims(recipe: Recipe, front_end: FrontEnd) -> int:
    """The dimensions of the model's embedding. Tried without memory or arithmetic."""
    shape = (front_end.n_mels, front_end.frames)
    with torch.device("meta"):
        trial = models.build(recipe.architecture, 1, **recipe.arguments).eval()
        return int(trial.embed(torch.zeros(1, *shape, device="meta")).shape[1])


@torch.no_grad()
def _begin_from(model: models.TagModel, logits: FloatArray) -> None:
    """Let the fresh model say what the voice says on average, and not an even chance of every tag."""
    bias = model.output_bias()
    if bias is not None:
        bias.copy_(torch.from_numpy(logits.mean((0, 1))).view_as(bias))


def _targets(
    lessons: Mapping[Kind, Sequence[Lesson]],
    sources: Sequence[Source],
    voice: Voice,
    asked: Sequence[str],
    layout: Layout,
) -> dict[Kind, FloatArray]:
    """Return (lessons, windows, width) of each kind that there is, laid out as ``layout`` says."""
    found: dict[Kind, FloatArray] = {}
    for kind, given in lessons.items():
        if not given:
            continue
        windows = given[0].levels.shape[1]
        rows = np.full((len(given), windows, layout.width), np.nan, np.float32)
        n = layout.tags
        rows[..., -1] = kind == "nothing"
        if kind == "teachers":
            by_window, by_clip = taught(given, voice)
            rows[..., :n] = by_window if by_window.shape[1] == windows else by_clip[:, None]
            rows[..., n : 2 * n] = by_clip[:, None]
            rows[..., 3 * n : -1] = _votes(given, sources, asked)[:, None]
        if kind == "labels":
            rows[..., 2 * n : 3 * n] = labelled(given, sources, voice.tags)
        found[kind] = rows
    return found


def _votes(
    lessons: Sequence[Lesson], sources: Sequence[Source], asked: Sequence[str]
) -> FloatArray:
    """Return the shares (lessons, votes) of those clips that are of one voted track only."""
    found = np.full((len(lessons), len(asked)), np.nan, np.float32)
    for row, lesson in zip(found, lessons, strict=True):
        if len(lesson.rows) == 1:
            votes = sources[int(lesson.rows[0])].votes
            row[:] = [votes.get(name, np.nan) for name in asked]
    return found


def _batches(
    recipe: Recipe,
    front_end: FrontEnd,
    lessons: Mapping[Kind, Sequence[Lesson]],
    targets: Mapping[Kind, FloatArray],
    parts: int,
) -> LessonBatches:
    clips = _clips(recipe, lessons)
    if any(count % parts for count in clips.values()):
        raise RecipeError(
            f"the batch's clips ({', '.join(f'{n} {kind}' for kind, n in clips.items())}) cannot be cut "
            f"into {parts} equal parts",
            hint="change train.batch, train.accumulate or the number of processes",
        )
    places = starts(recipe.distill, front_end.sample_rate, front_end.chunk_samples)
    return LessonBatches(
        [
            ([lesson.image for lesson in lessons[kind]], targets[kind], clips[kind])
            for kind in clips
        ],
        recipe,
        [start // front_end.hop for start in places],
        front_end.frames,
        front_end.sample_rate / front_end.hop,
    )


def _clips(recipe: Recipe, lessons: Mapping[Kind, Sequence[Lesson]]) -> dict[Kind, int]:
    """How many clips of each kind a batch has; music takes what kinds without lessons leave."""
    plan = recipe.distill
    if recipe.train.batch % plan.chunks:
        raise RecipeError(f"train.batch must be a multiple of distill.chunks, {plan.chunks}")
    total = recipe.train.batch // plan.chunks
    parts: dict[Kind, float] = {"labels": plan.labelled, "nothing": plan.nothing}
    found: dict[Kind, int] = {
        kind: round(part * total) for kind, part in parts.items() if lessons[kind] and part
    }
    return {"teachers": total - sum(found.values()), **found}


def _pass(recipe: Recipe, lessons: Mapping[Kind, Sequence[Lesson]]) -> int:
    """The fewest updates after which every clip of music was heard."""
    return -(-len(lessons["teachers"]) // _clips(recipe, lessons)["teachers"])


def _prepare(
    batch: Batch, random: np.random.Generator, *, chain: image.ImageChain
) -> tuple[Tensor, Tensor]:
    """Decode; what the recipe changes in images is what a teacher would not mind."""
    return chain(decibel(batch.inputs), random), batch.targets


def _distance(recipe: Recipe, layout: Layout, targets: FloatArray) -> Distance:
    logits = targets[..., : layout.tags].reshape(-1, layout.tags)
    spread = torch.from_numpy(logits.std(0, ddof=1)).clamp_min(0.05)
    low = torch.from_numpy(np.quantile(logits, 0.1, axis=0).astype(np.float32))
    return Distance(layout, recipe.distill, spread, low)


def predict(
    network: nn.Module,
    judged: Judged,
    *,
    recipe: Recipe,
    front_end: FrontEnd,
    accelerator: Accelerator,
) -> FloatArray:
    """Return (tracks, tags): each track's mean probability over windows spread over all of it."""
    inner = accelerator.unwrap_model(network)

    def hear(stored: Tensor) -> Tensor:
        logits: Tensor = inner.model(decibel(stored))
        return logits

    return shared_predict(
        hear,
        judged.features,
        accelerator,
        length=front_end.frames,
        windows=recipe.train.windows,
        batch=recipe.train.batch,
    )


def _thresholds(
    recipe: Recipe, tags: Sequence[Tag], wanted: FloatArray, found: FloatArray
) -> tuple[float, ...]:
    """As many tags a track as the recipe says, shared out as the teachers raise them."""
    means = (1 / (1 + np.exp(-wanted))).mean(0)
    cuts = for_shares(found, expected_shares(means, tags, recipe.tags_per_track))
    return tuple(round(float(cut), 4) for cut in cuts)
