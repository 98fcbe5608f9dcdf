"""How right the students are where labels exist that they were not taught: AUC by tag, with its interval.

- Emotify's test artists: a clip has a tag if it has one of the feelings (at least .3 of its raters) or
  genres that the tag speaks for by ``datasets/emotify-mapping.csv``. Using them is a look, kept in
  ``WORK/looks.csv``.
- The test mixes, ``WORK/mixes.csv``: which instruments play is known exactly; what a mix may or may not be
  said to have is left out of that tag's figure.

Intervals are 95 % percentile intervals of a bootstrap by artist, or by piece.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import emotify
import listening
import numpy as np
from listening import Heard, read_rows, tags_of
from numpy.typing import NDArray

from tagkit import metrics
from tagkit.evaluation import bootstrap
from tagkit.vocab import Tag, all_tags
from tagkit.weights import bundle

RESAMPLES = 2000
#: With fewer tracks that have a tag, or that lack it, an interval says nothing.
FEWEST = 8


class Labels(NamedTuple):
    """``has`` (tracks,) for each tag: 1 has it, 0 lacks it, NaN may be said to have it."""

    name: str
    paths: list[Path]
    groups: list[str]
    has: dict[Tag, NDArray[np.float64]]


class Area(NamedTuple):
    """A ROC-AUC with its interval, and whose labels it is about."""

    value: float
    low: float
    high: float
    of: str


def emotify_test(shared: Path) -> Labels:
    clips = emotify.read(shared)
    test = ~clips.train
    has = {}
    for tag in {tag for target in clips.targets for tag in target.tags}:
        spoken = [tag in target.tags for target in clips.targets]
        has[tag] = clips.labels[test][:, spoken].any(1).astype(np.float64)
    paths = [
        shared / "music" / file for file, chosen in zip(clips.files, test, strict=True) if chosen
    ]
    return Labels("Emotify's test artists", paths, clips.artists[test].tolist(), has)


def mixes(work: Path) -> Labels:
    """Raises OSError where the mixes are not rendered yet."""
    rows = read_rows(work / "mixes.csv")
    known = all_tags()
    heard = [tags_of(row["tags"], known) for row in rows]
    maybe = [tags_of(row["maybe"], known) for row in rows]
    has = {
        tag: np.array(
            [
                1.0 if tag in there else np.nan if tag in perhaps else 0.0
                for there, perhaps in zip(heard, maybe, strict=True)
            ]
        )
        for tag in set[Tag]().union(*heard)
    }
    groups = [row.get("piece") or row.get("artist") or row["path"] for row in rows]
    return Labels("test mixes", [work / row["path"] for row in rows], groups, has)


def areas(labels: Labels, heard: Heard) -> dict[Tag, Area]:
    """Return the figure of every tag that has enough labels and that the students know."""
    tags = [tag for tag in labels.has if tag in heard.tags]
    scores = heard.columns(tags)
    found = {}
    for tag, column in zip(tags, scores.T, strict=True):
        known = ~np.isnan(labels.has[tag])
        has = labels.has[tag][known] > 0.5
        if min(has.sum(), (~has).sum()) >= FEWEST:
            groups = [group for group, kept in zip(labels.groups, known, strict=True) if kept]
            found[tag] = Area(*_area(has, column[known], groups), labels.name)
    return found


def measured(shared: Path, work: Path, bundles: Sequence[Path]) -> list[dict[Tag, Area]]:
    """Return the figures on Emotify's test artists and on the mixes; those of students that were measured
    before are read again from ``WORK/labelled.json``: nobody looks twice."""
    record = work / "labelled.json"
    who = [bundle.fingerprint(path) for path in bundles]
    known = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    if known.get("students") != who:
        emotify.look(work, "students: evidence for what ships, a figure a tag")
        found = [
            areas(labels, listening.students(bundles, labels.paths, work))
            for labels in (emotify_test(shared), mixes(work))
        ]
        tables = [[[*tag, *area] for tag, area in part.items()] for part in found]
        record.write_text(
            json.dumps({"students": who, "areas": tables}, indent=1), encoding="utf-8"
        )
        return found
    return [{Tag(*row[:2]): Area(*row[2:]) for row in part} for part in known["areas"]]


def _area(
    has: NDArray[np.bool_], scores: NDArray[np.floating], groups: Sequence[str]
) -> tuple[float, float, float]:
    has, scores = has[:, None], scores[:, None]
    weights = bootstrap.weigh(groups, RESAMPLES)
    low, high = bootstrap.interval(bootstrap.resample(has, scores, weights).roc_auc[:, 0])
    return float(metrics.roc_auc(has, scores)[0]), low, high
