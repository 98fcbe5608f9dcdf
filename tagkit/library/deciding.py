"""The decide step: from what the store remembers to the tags of each track. No network is loaded,
unless the ensemble has a learned combiner."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagkit.inference import context
from tagkit.inference.ensemble import Ensemble, combine
from tagkit.library.neighbours import Neighbours
from tagkit.library.store import Store, Stored
from tagkit.thresholds import Decision, Options, decide_all

FloatArray = NDArray[np.float32]

_BATCH = 500  # tracks: enough to make numpy pay, few enough for a processor's cache


class Track(NamedTuple):
    """A track with its decided tags; ``probabilities`` (tags,) in the order of the ensemble's tags.

    They are what was decided from: ``smoothed`` where neighbours spoke too, else the track's own.
    """

    path: Path
    content: str
    duration: float
    decisions: list[Decision]
    probabilities: FloatArray
    smoothed: bool = False


def decide(
    store: Store,
    ensemble: Ensemble,
    paths: Collection[Path],
    options: Options,
    *,
    windows: int = 16,
    neighbours: Neighbours | None = None,
) -> Iterator[Track]:
    """Yield the tracks that every member has heard, in the order of ``paths``; others are left out.

    With ``neighbours``, those of a track speak for it too. With ``rank`` the ranks are taken over all
    of ``paths``, so all of them are held in memory, and neighbours elsewhere have no rank.
    """
    ids = ensemble.model_ids(windows)
    if neighbours is not None and ensemble.combine != "rank":
        _hear(store, ensemble, ids, neighbours)
    heard = (s for s in store.read(paths, ids) if all(name in s.results for name in ids))
    size = len(paths) if ensemble.combine == "rank" else _BATCH
    while batch := list(islice(heard, size)):
        probabilities = combine(ensemble, _said(store, ensemble, ids, [s.results for s in batch]))
        if neighbours is not None and ensemble.combine == "rank":
            _hear_batch(batch, probabilities[:, context.spoken(ensemble.tags)], neighbours)
        yield from _decide(batch, probabilities, ensemble, options, neighbours)


def _hear(store: Store, ensemble: Ensemble, ids: Sequence[str], neighbours: Neighbours) -> None:
    """Let every neighbour say what it alone would be given."""
    columns = context.spoken(ensemble.tags)
    heard = store.heard(neighbours.contents, ids)
    while batch := list(islice(heard, _BATCH)):
        outputs = _said(store, ensemble, ids, [results for _, results in batch])
        neighbours.hear([content for content, _ in batch], combine(ensemble, outputs)[:, columns])


def _said(
    store: Store,
    ensemble: Ensemble,
    ids: Sequence[str],
    tracks: Sequence[Mapping[str, FloatArray]],
) -> list[FloatArray]:
    """Return of each member what it heard (tracks, outputs). Raises StoreError for what is no probability."""
    said = []
    for member, name in zip(ensemble.members, ids, strict=True):
        rows = [results[name] for results in tracks]
        if {len(row) for row in rows} != {len(member.card.outputs)}:
            raise store.damaged(f"what {member.card.name} heard has another length")
        said.append(np.stack(rows))
        # NaN a network may have said itself.
        if ((said[-1] < 0) | (said[-1] > 1.001)).any():
            raise store.damaged(f"what {member.card.name} heard is no probability")
    return said


def _hear_batch(batch: Sequence[Stored], scores: FloatArray, neighbours: Neighbours) -> None:
    rows = {stored.content: row for row, stored in enumerate(batch)}  # the same audio speaks once
    neighbours.hear(list(rows), scores[list(rows.values())])


def _decide(
    batch: Sequence[Stored],
    probabilities: FloatArray,
    ensemble: Ensemble,
    options: Options,
    neighbours: Neighbours | None,
) -> Iterator[Track]:
    smoothed = np.zeros(len(batch), bool)
    columns = context.spoken(ensemble.tags)
    if neighbours is not None and len(columns):
        paths = [stored.path for stored in batch]
        blended, smoothed = neighbours.blend(paths, probabilities[:, columns])
        # Company says which tags fit, not whether there is music: what gets none by itself (speech,
        # silence) gets none.
        smoothed &= (probabilities >= ensemble.thresholds).any(1)
        probabilities[np.ix_(smoothed, columns)] = blended[smoothed]
    in_context = ensemble.thresholds.copy()  # of what is never smoothed they are what they were
    in_context[columns] = ensemble.context_thresholds[columns]
    decided = [
        decide_all(ensemble.tags, probabilities[rows], thresholds.tolist(), options, ensemble.most)
        for rows, thresholds in ((~smoothed, ensemble.thresholds), (smoothed, in_context))
    ]
    for stored, row, is_smoothed in zip(batch, probabilities, smoothed.tolist(), strict=True):
        yield Track(
            stored.path,
            stored.key,
            stored.duration or 0.0,
            next(decided[is_smoothed]),
            row,
            is_smoothed,
        )
