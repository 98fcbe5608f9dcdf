"""Emotify: real music with listeners' votes, and what the published taggers said of it.

Read from ``SHARED/datasets``: ``emotify.csv`` (clips, artists, votes, split by artist),
``emotify-mapping.csv`` (which words speak for which feeling or genre), ``emotify-teachers.npz`` (the
taggers' track outputs). The measure is fixed: a clip has a feeling if at least .3 of its raters said
so, and the genre that the data set gives it; a model's score for a target is the mean, over the words
mapped to it that the model has, of the clip's rank among the clips measured.

The test artists judge the result and choose nothing: whoever computes a figure on them calls
:func:`look` first, which keeps a list.
"""

from __future__ import annotations

import csv
import datetime
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from tagkit import metrics
from tagkit.evaluation import bootstrap
from tagkit.vocab import CATEGORIES, Tag, canonical

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

SHARE = 0.3
#: Teachers by the name of their checkpoint: their outputs and their vocabulary in the npz.
OUTPUTS = {
    "jamendo-crnn": ("jamendo_crnn", "JAM"),
    "jamendo-fcn": ("jamendo_fcn", "JAM"),
    "jamendo-musicnn": ("jamendo_musicnn", "JAM"),
    "msd-crnn": ("msd_crnn", "MSD"),
    "msd-fcn": ("msd_fcn", "MSD"),
    "mtat-fcn": ("mtat_fcn", "MTAT"),
    "mtat-musicnn": ("mtat_musicnn", "MTAT"),
    "mtg-moodtheme-vgg": ("mtg", "MT"),
}


class Target(NamedTuple):
    """What listeners say, ``kind`` "feeling" or "genre", and the canonical tags that speak for it."""

    name: str
    kind: str
    tags: tuple[Tag, ...]


class Clips(NamedTuple):
    """The clips in the order of ``emotify.csv``: ``files`` start from SHARED/music; ``train`` (clips,)
    is False for the test artists; ``labels`` (clips, targets)."""

    files: list[str]
    artists: NDArray[np.str_]
    train: BoolArray
    targets: tuple[Target, ...]
    labels: BoolArray


class Said(NamedTuple):
    """What the teachers say: ``probabilities`` (members, clips, tags), NaN where a member lacks the tag."""

    members: tuple[str, ...]
    tags: tuple[Tag, ...]
    probabilities: FloatArray

    @property
    def knows(self) -> BoolArray:
        """Which member has which tag (members, tags)."""
        return ~np.isnan(self.probabilities[:, 0])


def read(shared: Path) -> Clips:
    targets = tuple(
        Target(row["target"], row["kind"], _in_order(map(canonical, row["tags"].split())))
        for row in _rows(shared / "datasets" / "emotify-mapping.csv")
    )
    rows = _rows(shared / "datasets" / "emotify.csv")
    return Clips(
        [row["file"] for row in rows],
        np.array([row["artist"] for row in rows]),
        np.array([row["split"] == "train" for row in rows]),
        targets,
        np.array([[_has(row, target) for target in targets] for row in rows]),
    )


def read_teachers(shared: Path, clips: Clips) -> Said:
    """Return the stored outputs for every clip; of several words for one tag, the loudest, as
    ``tagkit.inference.ensemble`` takes them. Raises ValueError where the clips are not ``clips``."""
    with np.load(shared / "datasets" / "emotify-teachers.npz", allow_pickle=False) as stored:
        if list(stored["files"]) != clips.files:
            raise ValueError("emotify-teachers.npz holds other clips than emotify.csv lists")
        each = [
            by_tag([canonical(str(name)) for name in stored[words]], stored[outputs])
            for outputs, words in OUTPUTS.values()
        ]
    tags = _in_order(tag for said in each for tag in said)
    lacking = np.full(len(clips.files), np.nan)
    columns = [[said.get(tag, lacking) for tag in tags] for said in each]
    return Said(tuple(OUTPUTS), tags, np.array(columns).transpose(0, 2, 1))


def by_tag(words: Sequence[Tag], outputs: NDArray[np.floating]) -> dict[Tag, NDArray[np.floating]]:
    """Return (clips,) for each tag, the loudest of its words, from (clips, outputs)."""
    return {
        tag: outputs[:, [place for place, word in enumerate(words) if word == tag]].max(1)
        for tag in set(words)
    }


def target_scores(
    values: NDArray[np.floating], tags: Sequence[Tag], targets: Sequence[Target]
) -> FloatArray:
    """Return (clips, targets) in (0, 1]: the mean rank of the target's tags that ``values`` (clips, tags)
    holds; a column of NaN is a tag that is not there. NaN for a target without any."""
    place = {tag: column for column, tag in enumerate(tags)}
    found = np.full((len(values), len(targets)), np.nan)
    for number, target in enumerate(targets):
        columns = [place[tag] for tag in target.tags if tag in place]
        there = [column for column in columns if not np.isnan(values[0, column])]
        if there:
            found[:, number] = rankdata(values[:, there], axis=0).mean(1) / len(values)
    return found


def areas(labels: BoolArray, scores: FloatArray) -> FloatArray:
    """ROC-AUC per target (targets,); NaN for one without scores."""
    known = ~np.isnan(scores[0])
    found = np.full(labels.shape[1], np.nan)
    found[known] = metrics.roc_auc(labels[:, known], scores[:, known])
    return found


def by_kind(per_target: FloatArray, targets: Sequence[Target]) -> dict[str, float]:
    """The mean over the feelings and over the genres that have a figure; NaN where none has."""
    return {
        kind: metrics.macro(per_target[[target.kind == kind for target in targets]])
        for kind in ("feeling", "genre")
    }


def intervals(
    clips: Clips, one: FloatArray, other: FloatArray | None = None, resamples: int = 2000
) -> dict[str, tuple[float, float, float]]:
    """Return for each kind the mean AUC of ``one`` (clips, targets), or by how much it is larger than that of
    ``other``, and the 95 % interval of the bootstrap by artist (paired). Over targets that both have."""
    weights = bootstrap.weigh(list(clips.artists), resamples)
    known = ~np.isnan(one[0]) & (True if other is None else ~np.isnan(other[0]))
    found = {}
    for kind in ("feeling", "genre"):
        columns = known & np.array([target.kind == kind for target in clips.targets])
        if not columns.any():
            continue
        labels = clips.labels[:, columns]
        value, moved = 0.0, np.zeros(resamples)
        for sign, scores in ((1, one), (-1, other)):
            if scores is not None:
                value += sign * metrics.macro(areas(labels, scores[:, columns]))
                drawn = bootstrap.resample(labels, scores[:, columns], weights).roc_auc
                moved += sign * bootstrap.macro(drawn)
        found[kind] = (value, *bootstrap.interval(moved))
    return found


def some(clips: Clips, said: Said, rows: BoolArray) -> tuple[Clips, Said]:
    """Return both for the clips ``rows`` alone."""
    kept = clips._replace(
        files=[file for file, wanted in zip(clips.files, rows, strict=True) if wanted],
        artists=clips.artists[rows],
        train=clips.train[rows],
        labels=clips.labels[rows],
    )
    return kept, said._replace(probabilities=said.probabilities[:, rows])


def look(work: Path, what: str) -> None:
    """Note in ``WORK/looks.csv`` that figures on the test artists are about to be computed."""
    record = work / "looks.csv"
    new = not record.exists()
    with record.open("a", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        if new:
            writer.writerow(("date", "command", "what"))
        now = datetime.datetime.now().isoformat(timespec="minutes")
        writer.writerow((now, f"bench/weights/{Path(sys.argv[0]).name}", what))


def _has(row: dict[str, str], target: Target) -> bool:
    if target.kind == "genre":
        return row["genre"] == target.name
    return float(row[target.name]) >= SHARE


def _in_order(tags: Iterable[Tag]) -> tuple[Tag, ...]:
    return tuple(sorted(set(tags), key=lambda tag: (CATEGORIES.index(tag.category), tag.name)))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
