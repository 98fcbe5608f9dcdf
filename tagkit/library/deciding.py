"""The decide step: from what the store remembers to the tags of each track. No network is loaded,
unless the ensemble has a learned combiner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagkit.inference.ensemble import Ensemble, combine
from tagkit.library.store import Store, Stored
from tagkit.thresholds import Decision, Options, decide_all

_BATCH = 2000  # tracks: enough to make numpy pay, few enough to keep memory flat


class Track(NamedTuple):
    """A track with its decided tags; ``probabilities`` (tags,) in the order of the ensemble's tags."""

    path: Path
    content: str
    duration: float
    decisions: list[Decision]
    probabilities: NDArray[np.float32]


def decide(
    store: Store, ensemble: Ensemble, paths: Sequence[Path], options: Options, *, windows: int = 16
) -> Iterator[Track]:
    """Yield the tracks that every member has heard, in the order of ``paths``; others are left out.

    With ``rank`` the ranks are taken over all of ``paths``, so all of them are held in memory.
    """
    ids = ensemble.model_ids(windows)
    heard = (s for s in store.read(paths, ids) if all(name in s.results for name in ids))
    size = len(paths) if ensemble.combine == "rank" else _BATCH
    while batch := list(islice(heard, size)):
        yield from _decide(batch, ensemble, ids, options)


def _decide(
    batch: list[Stored], ensemble: Ensemble, ids: Sequence[str], options: Options
) -> Iterator[Track]:
    outputs = [np.stack([stored.results[name] for stored in batch]) for name in ids]
    probabilities = combine(ensemble, outputs)
    decided = decide_all(ensemble.tags, probabilities, ensemble.thresholds.tolist(), options)
    for stored, row, decisions in zip(batch, probabilities, decided, strict=True):
        yield Track(stored.path, stored.key, stored.duration or 0.0, decisions, row)
