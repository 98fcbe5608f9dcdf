"""What an ensemble is fitted on: everything its members said of labelled tracks, tag by tag."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tagkit.errors import DataError
from tagkit.evaluation.predictions import Predictions
from tagkit.vocab import Tag
from tagkit.weights.card import Card

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Spoken:
    """What a learned combiner hears and answers: ``inputs`` (tracks, outputs of all members), calibrated
    and in their order; ``targets`` (tracks, outputs) bool; ``outputs`` as the dataset spells them."""

    inputs: FloatArray
    targets: NDArray[np.bool_]
    outputs: tuple[str, ...]
    tags: tuple[Tag, ...]


@dataclass(frozen=True, eq=False)
class Evidence:
    """``voices`` (members, tracks, tags): probabilities, NaN where a member does not know the tag; of a
    tag's synonyms the loudest. ``labels`` (tracks, tags): whether a track has any of them.

    ``spoken``: None where the members' outputs are not the dataset's tags one by one.
    """

    voices: FloatArray
    labels: NDArray[np.bool_]
    tags: tuple[Tag, ...]
    ids: tuple[str, ...]
    artists: tuple[str, ...]
    albums: tuple[str, ...]
    spoken: Spoken | None = None

    def rows(self, chosen: NDArray[np.int64]) -> Evidence:
        """These tracks only."""
        spoken = self.spoken
        if spoken is not None:
            spoken = replace(spoken, inputs=spoken.inputs[chosen], targets=spoken.targets[chosen])
        return replace(
            self,
            voices=self.voices[:, chosen],
            labels=self.labels[chosen],
            ids=tuple(self.ids[row] for row in chosen),
            artists=tuple(self.artists[row] for row in chosen),
            albums=tuple(self.albums[row] for row in chosen),
            spoken=spoken,
        )

    def folds(self, count: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Yield ``count`` pairs of rows to fit on and rows held out; no artist is in both.

        An unknown artist is a group of its own. Raises DataError where there are fewer artists.
        """
        from sklearn.model_selection import GroupKFold

        if self.groups < count:
            raise DataError(
                f"{self.groups} artists cannot be split into {count} folds",
                hint="fit on more tracks, or ask for fewer --folds",
            )
        yield from GroupKFold(count).split(self.labels, groups=self._groups)

    @property
    def groups(self) -> int:
        """How many artists there are."""
        return len(set(self._groups))

    @property
    def _groups(self) -> list[str]:
        return [artist or f"\0{row}" for row, artist in enumerate(self.artists)]


def gather(cards: Sequence[Card], predictions: Sequence[Predictions]) -> Evidence:
    """Put together what each member (``cards``) said, on the tracks that all have heard.

    Raises DataError where no track is left, and where the labels differ.
    """
    common = set(predictions[0].ids).intersection(*(found.ids for found in predictions))
    ids = [name for name in predictions[0].ids if name in common]
    if not ids or len(set(ids)) < len(ids):
        raise DataError(
            f"the members' predictions share {len(set(ids))} tracks, and name some twice"
            if ids
            else "the members' predictions have no track in common"
        )
    found = [_ordered(prediction, ids) for prediction in predictions]
    tags = tuple(sorted({tag for prediction in found for tag in prediction.tags}))
    labels = _merged(found, tags)
    voices = np.full((len(found), len(ids), len(tags)), np.nan, np.float32)
    for voice, prediction in zip(voices, found, strict=True):
        for column, tag in enumerate(tags):
            if outputs := [n for n, known in enumerate(prediction.tags) if known == tag]:
                voice[:, column] = prediction.scores[:, outputs].max(1)
    first = found[0]
    return Evidence(
        voices, labels, tags, first.ids, first.artists, first.albums, _spoken(cards, found)
    )


def _ordered(prediction: Predictions, ids: Sequence[str]) -> Predictions:
    place = {name: row for row, name in enumerate(prediction.ids)}
    return prediction.keep_tracks([place[name] for name in ids])


def _merged(found: Sequence[Predictions], tags: Sequence[Tag]) -> NDArray[np.bool_]:
    """The labels (tracks, tags), which all members must have been judged by."""
    labels = np.zeros((len(found[0].ids), len(tags)), bool)
    seen: dict[str, NDArray[np.bool_]] = {}
    for prediction in found:
        for output, tag, column in zip(
            prediction.outputs, prediction.tags, prediction.labels.T, strict=True
        ):
            if not np.array_equal(seen.setdefault(output, column), column):
                raise DataError(
                    f"the members were judged by different labels of {output!r}",
                    hint="predict with all of them on one version of a dataset",
                )
            labels[:, tags.index(tag)] |= column
    return labels


def _spoken(cards: Sequence[Card], found: Sequence[Predictions]) -> Spoken | None:
    if any(set(card.outputs) != set(p.outputs) for card, p in zip(cards, found, strict=True)):
        return None
    inputs = [
        prediction.scores[:, [prediction.outputs.index(output) for output in card.outputs]]
        for card, prediction in zip(cards, found, strict=True)
    ]
    first = found[0]
    return Spoken(np.concatenate(inputs, 1), first.labels, first.outputs, first.tags)
