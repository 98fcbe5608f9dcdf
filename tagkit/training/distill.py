"""A student learns to say what an ensemble of teachers says.

The student hears random chunks; its targets are the teachers' logits for the whole track, combined as
their ensemble combines them. Tracks carry no labels: the manifest says only which to train on, which
to choose the best weights by and which to measure on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn

from tagkit import losses, models
from tagkit.data import samplers
from tagkit.features import FrontEndModule, build
from tagkit.metrics import macro, rank_correlation
from tagkit.recipe import Recipe
from tagkit.thresholds import expected_shares, for_shares
from tagkit.training.batches import Batches
from tagkit.training.engine import slices
from tagkit.training.hearing import shared_predict
from tagkit.training.inputs import Inputs, front_end_of, require_chunks
from tagkit.training.loop import Plan, fit
from tagkit.training.runs import Run
from tagkit.vocab import Tag
from tagkit.weights.card import Card

FloatArray = NDArray[np.float32]
#: Beyond this the teachers' logits say how sure they are that a tag is absent, not which track has it.
EPSILON = 1e-3


@dataclass(frozen=True)
class Tracks:
    """``features``: what is cached of each track; ``targets``: (tracks, tags) probabilities."""

    features: Sequence[NDArray[Any]]
    targets: FloatArray


@dataclass(frozen=True)
class Student:
    """What comes out: the model and its card, the rank correlation with its teachers a tag (tags,) on the
    test tracks, and its mean over the tags on each split."""

    model: models.TagModel
    front_end: FrontEndModule
    card: Card
    agreement: NDArray[np.float64]
    scores: dict[str, dict[str, float]]


def distill(
    recipe: Recipe,
    tags: Sequence[Tag],
    tracks: dict[str, Tracks],
    run: Run,
    *,
    accelerator: Accelerator,
    resume: bool = False,
    jobs: int = 0,
) -> Student:
    """Train as ``recipe`` says on ``tracks["train"]``, choose on "validation", measure on "test".

    The recipe's loss is not used: a student matches logits.
    """
    front_end = front_end_of(recipe)
    require_chunks(recipe, front_end, recipe.train.batch // slices(recipe.train, accelerator))
    inputs = Inputs(front_end, recipe.augment, accelerator.device)
    torch.manual_seed(recipe.train.seed)
    model = models.build(recipe.architecture, len(tags), **recipe.arguments)
    hear = partial(predict, inputs=inputs, recipe=recipe, accelerator=accelerator)
    chosen_by = tracks["validation"]
    entry = fit(
        model,
        _plan(recipe, tracks, inputs, lambda m: macro(agreement(hear(m, chosen_by), chosen_by))),
        recipe.train,
        run,
        accelerator=accelerator,
        resume=resume,
        jobs=jobs,
    )
    found = {split: hear(model, given) for split, given in tracks.items()}
    measured = agreement(found["test"], tracks["test"])
    scores = {
        "validation": {"rank_correlation": round(entry["validation"]["agreement"], 4)},
        "test": {"rank_correlation": round(macro(measured), 4)},
    }
    card = Card(
        name=recipe.name,
        architecture=recipe.architecture,
        arguments=dict(recipe.arguments),
        front_end=front_end,
        tags=tuple(tags),
        outputs=tuple(tag.name for tag in tags),
        thresholds=_thresholds(recipe, tags, tracks, found),
        licence=recipe.licence or None,
        title=recipe.title,
        training_data=recipe.training_data,
        notes=recipe.notes,
        scores={
            "rank correlation with the mean of the teachers, mean over tags": {
                f"{split} tracks": figures["rank_correlation"] for split, figures in scores.items()
            },
            "tracks": {split: len(given.targets) for split, given in tracks.items()},
        },
    )
    return Student(model.cpu(), build(front_end), card, measured, scores)


def _plan(
    recipe: Recipe,
    tracks: dict[str, Tracks],
    inputs: Inputs,
    validate: Callable[[nn.Module], float],
) -> Plan:
    train = recipe.train
    learned = tracks["train"]
    logits = _logits(learned.targets)
    spread = torch.from_numpy(logits.std(0, ddof=1)).clamp_min(0.05)
    batches = Batches(
        learned.features,
        logits,
        length=inputs.length,
        order=samplers.build("standard", learned.targets > 0.5, train.seed),
        batch=train.batch,
        seed=train.seed,
    )
    return Plan(
        batches=batches,
        steps=train.steps_per_epoch or batches.steps_per_pass,
        prepare=inputs.changed,
        loss=lambda found, wanted: losses.logit_matching(found, wanted, spread=spread.to(found)),
        validate=lambda network: {"agreement": validate(network)},
        choose="agreement",
    )


def _logits(probabilities: FloatArray) -> FloatArray:
    clipped = np.clip(probabilities, EPSILON, 1 - EPSILON)
    logits: FloatArray = np.log(clipped / (1 - clipped)).astype(np.float32)
    return logits


def predict(
    network: nn.Module, tracks: Tracks, *, inputs: Inputs, recipe: Recipe, accelerator: Accelerator
) -> FloatArray:
    """Return (tracks, tags): each track's mean probability over windows spread over all of it."""

    def hear(stored: Tensor) -> Tensor:
        logits: Tensor = network(inputs.plain(stored))
        return logits

    return shared_predict(
        hear,
        tracks.features,
        accelerator,
        length=inputs.length,
        windows=recipe.train.windows,
        batch=recipe.train.batch,
    )


def agreement(found: FloatArray, tracks: Tracks) -> NDArray[np.float64]:
    """Return the rank correlation of each tag (tags,) with the targets."""
    return rank_correlation(found, tracks.targets)


def _thresholds(
    recipe: Recipe, tags: Sequence[Tag], tracks: dict[str, Tracks], found: dict[str, FloatArray]
) -> tuple[float, ...]:
    """As many tags a track as the recipe says, shared out as the teachers raise them on what the student
    was trained and chosen on."""
    splits = ("train", "validation")
    means = np.concatenate([tracks[split].targets for split in splits]).mean(0)
    shares = expected_shares(means, tags, recipe.tags_per_track)
    cuts = for_shares(np.concatenate([found[split] for split in splits]), shares)
    return tuple(round(float(cut), 4) for cut in cuts)
