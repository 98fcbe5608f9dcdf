"""Which output of a model answers for which tag of a dataset.

By spelling, where every member has every output of the dataset: then MagnaTagATune's "vocal",
"vocals" and "voice" are three tags, as in its published figures. Else by canonical tag, where the
three are one, and each is judged by what the members say of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from tagkit.data.dataset import Dataset
from tagkit.errors import DataError
from tagkit.evaluation.predictions import Predictions
from tagkit.inference import ensemble
from tagkit.inference.context import Context, smooth
from tagkit.inference.ensemble import Ensemble, Member
from tagkit.vocab import Tag
from tagkit.weights import bundle
from tagkit.weights.card import Card

FloatArray = NDArray[np.float32]
Value = TypeVar("Value")


@dataclass(frozen=True)
class Matching:
    """``voice``: the models, renamed so that each of the dataset's tags is one of theirs; ``picks``: of
    each of its members, the outputs that matter; ``columns``: the dataset's tags that some member
    knows; ``places``: where in ``voice.tags`` they are."""

    voice: Ensemble
    picks: tuple[list[int], ...]
    columns: list[int]
    places: list[int]


def match(models: Ensemble, dataset: Dataset) -> Matching:
    """Find the outputs for the dataset's tags; only cards are read. Raises DataError where none fits."""
    voice = _one_voice(models)
    tags = dataset.tags
    if all(set(dataset.outputs) <= set(member.card.outputs) for member in voice.members):
        picks = [[m.card.outputs.index(name) for name in dataset.outputs] for m in voice.members]
        # Stand-ins: names that keep apart what means the same.
        tags = tuple(Tag(f"output {number:05}", "mood") for number in range(len(tags)))
        voice = _renamed(voice, picks, dict(zip(tags, dataset.tags, strict=True)))
    else:
        picks = [list(range(len(member.card.outputs))) for member in voice.members]
    places = {tag: place for place, tag in enumerate(voice.tags)}
    columns = [column for column, tag in enumerate(tags) if tag in places]
    if not columns:
        raise DataError(
            f"{models.name} knows none of the tags of {dataset.name}",
            path=dataset.root,
            hint=f"they are {', '.join(dataset.outputs[:5])} …",
        )
    return Matching(voice, tuple(picks), columns, [places[tags[column]] for column in columns])


def judge(
    models: Ensemble,
    outputs: Sequence[FloatArray],
    dataset: Dataset,
    *,
    context: Context | None = None,
) -> Predictions:
    """Return the predictions for the dataset's tags that ``outputs``, one (tracks, outputs) a member,
    before any calibration, combine to. The rows are the dataset's tracks.

    ``context``: let these tracks' artists and albums speak too. Raises DataError.
    """
    found = match(models, dataset)
    if models.combiner is not None:
        outputs = [_combined(models, outputs)]
    picked = [given[:, pick] for given, pick in zip(outputs, found.picks, strict=True)]
    scores = ensemble.combine(found.voice, picked)[:, found.places]
    tags = tuple(dataset.tags[column] for column in found.columns)
    artists = tuple(track.artist for track in dataset.tracks)
    albums = tuple(track.album for track in dataset.tracks)
    if context is not None:
        scores = smooth(scores, tags, artists, albums, context).astype(np.float32)
    return Predictions(
        scores=scores,
        labels=dataset.labels[:, found.columns],
        outputs=tuple(dataset.outputs[column] for column in found.columns),
        tags=tags,
        ids=tuple(track.id for track in dataset.tracks),
        artists=artists,
        albums=albums,
        name=models.name if context is None else f"{models.name} (uses other tracks by the artist)",
        thresholds=_thresholds(found, context is not None),
    )


def _thresholds(found: Matching, in_context: bool) -> FloatArray | None:
    """What the models' authors chose (tags,); None where nobody chose any."""
    voice = found.voice
    if not voice.own_thresholds and all(m.card.thresholds is None for m in voice.members):
        return None
    return (voice.context_thresholds if in_context else voice.thresholds)[found.places]


def _renamed(voice: Ensemble, picks: Sequence[Sequence[int]], means: Mapping[Tag, Tag]) -> Ensemble:
    """The same models with the picked outputs only, each of which is a tag of its own; ``means``: what
    tag it stands for."""

    def again(table: Mapping[Tag, Value]) -> dict[Tag, Value]:
        return {tag: table[meant] for tag, meant in means.items() if meant in table}

    members = zip(voice.members, picks, strict=True)
    return replace(
        voice,
        members=tuple(
            replace(member, card=_restricted(member.card, pick, tuple(means)))
            for member, pick in members
        ),
        own_thresholds=again(voice.own_thresholds),
        own_context_thresholds=again(voice.own_context_thresholds),
        tag_weights=again(voice.tag_weights),
    )


def _restricted(card: Card, pick: Sequence[int], tags: tuple[Tag, ...]) -> Card:
    thresholds, calibration = card.thresholds, card.calibration
    return replace(
        card,
        tags=tags,
        outputs=tuple(card.outputs[output] for output in pick),
        thresholds=thresholds and tuple(thresholds[output] for output in pick),
        calibration=calibration and tuple(calibration[output] for output in pick),
    )


def _one_voice(models: Ensemble) -> Ensemble:
    """A learned combination speaks as one model: its combiner."""
    if models.combiner is None:
        return models
    path = models.combiner
    member = Member(path, bundle.read_card(path), bundle.fingerprint(path))
    return replace(models, members=(member,), combine="mean", combiner=None, tag_weights={})


@torch.inference_mode()
def _combined(models: Ensemble, outputs: Sequence[FloatArray]) -> FloatArray:
    """What the combiner makes of the members' outputs: (tracks, outputs of the combiner)."""
    assert models.combiner is not None
    combiner = bundle.load(models.combiner)
    inputs = [
        ensemble.calibrated(member.card, given)
        for member, given in zip(models.members, outputs, strict=True)
    ]
    joined = torch.from_numpy(np.concatenate(inputs, 1))
    if joined.shape[1] != (wanted := combiner.card.arguments.get("inputs")):
        raise DataError(
            f"takes {wanted} inputs, but the members have {joined.shape[1]} outputs together",
            path=models.combiner,
        )
    found: FloatArray = torch.sigmoid(combiner.model(joined)).numpy()
    return found
