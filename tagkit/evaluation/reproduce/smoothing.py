"""Artist and album smoothing of the focal-loss paper's ensemble: not in the paper, and not comparable
with it, since it hears other tracks by the artist.

The shares of artist and album are fitted on the validation predictions (:func:`context.fit`); artists
and albums are those of MTG-Jamendo's split files, whose rows the predictions follow.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tagkit import metrics
from tagkit.errors import DataError
from tagkit.evaluation.reproduce.table import Folders, Row, Table, fields, matrix, printed, row
from tagkit.inference import context
from tagkit.inference.context import Context
from tagkit.vocab import canonical

COLUMNS = ("PR-AUC", "ROC-AUC")

#: Measured once in float64 and written down in this project's reference facts.
STATED = printed(
    COLUMNS,
    """
    probabilities       0.18199 0.78079
    z-scored logits     0.18094 0.78305
    """,
)
_TITLE = "Artist and album smoothing: uses other tracks by the artist"


class _Split(NamedTuple):
    members: Any  # (members, tracks, tags) probabilities
    labels: Any
    artists: list[str]
    albums: list[str]


def table(
    folders: Folders, predictions: Path, outputs: Sequence[str], losses: Sequence[str]
) -> Table:
    """Return what smoothing makes of the mean of the losses' models, on the test tracks."""
    splits = folders.splits or (
        folders.data.resolve().parents[1] / "datasets" / "mtg-jamendo" / "splits" / "split-0"
    )
    lists = {s: splits / f"autotagging_moodtheme-{s}.tsv" for s in ("validation", "test")}
    files = {s: [predictions / s / f"{loss}_predictions.npy" for loss in losses] for s in lists}
    truths = {s: folders.data / f"{s}_ground_truth.npy" for s in lists}
    needed = [*lists.values(), *(file for s in lists for file in (*files[s], truths[s]))]
    if missing := [path for path in needed if not path.exists()]:
        note = f"no {missing[0].name}"
        rows = [row(name, figures, None, note=note) for name, figures in STATED.items()]
        hint = f"artists and albums come from MTG-Jamendo's split files: {splits} (--splits)"
        return Table(_TITLE, rows, [hint])
    validation, test = (_split(lists[s], files[s], truths[s], outputs) for s in lists)
    return Table(_TITLE, *_rows(validation, test, outputs))


def _rows(validation: _Split, test: _Split, outputs: Sequence[str]) -> tuple[list[Row], list[str]]:
    tags = [canonical(output) for output in outputs]
    neighbours = validation.artists, validation.albums
    rows, notes = [], []
    for name, (fitted_on, judged) in {
        "probabilities": (validation.members.mean(0), test.members.mean(0)),
        "z-scored logits": _z_scored(validation.members, test.members),
    }.items():
        fitted = context.fit(fitted_on, validation.labels, tags, *neighbours, candidates=_FLOATS)
        artist, album = (round(share, 1) for share in dataclasses.astuple(fitted.context))
        notes.append(
            f"{name}: validation picks artist {artist}, album {album}"
            f" (PR-AUC there {fitted.alone:.5f} → {fitted.pr_auc:.5f})"
        )
        lines = {fitted.context: name}
        lines.setdefault(Context(artist, album), f"{name}, ties kept")
        for shares, line in lines.items():
            scores = context.smooth(judged, tags, test.artists, test.albums, shares)
            areas = (f(test.labels, scores) for f in (metrics.average_precision, metrics.roc_auc))
            computed = dict(zip(COLUMNS, map(metrics.macro, areas), strict=True))
            rows.append(row(line, STATED.get(line, dict.fromkeys(COLUMNS)), computed))
    return rows, [*notes, *_TIES]


# Where artist and album have all the shares, an album's tracks tie. The stated figures' shares were
# multiples of a float64 0.1, and 1 - 4 · 0.1 - 6 · 0.1 is -1e-16: that much of each track broke the ties.
_FLOATS = [
    Context(0.1 * round(10 * shares.artist), 0.1 * round(10 * shares.album))
    for shares in context.grid()
]
_TIES = (
    "the figure stated for probabilities breaks the ties within an album by what float64 leaves of",
    "1 - 0.4 - 0.6, -1e-16 of the track itself; ties kept: the same shares, exactly",
)


def _z_scored(validation: Any, test: Any) -> tuple[Any, Any]:
    """The members' mean logits, each member's tag scaled by its validation mean and deviation."""
    logits = [np.log(given / (1 - given)) for given in (validation, test)]
    mean, deviation = logits[0].mean(1, keepdims=True), logits[0].std(1, keepdims=True)
    first, second = (((given - mean) / deviation).mean(0) for given in logits)
    return first, second


def _split(rows: Path, files: Sequence[Path], truth: Path, outputs: Sequence[str]) -> _Split:
    """Read a split and prove that its rows are the split file's: the labels must be the same."""
    labels = matrix(truth).astype(bool)
    lines = fields(rows)[1:]
    stated = [[output in line[5:] for output in outputs] for line in lines]
    if not np.array_equal(np.array(stated), labels):
        raise DataError(
            "does not label its tracks as the ground truth does", path=rows, hint="is it split-0?"
        )
    members = np.stack([matrix(file, labels).astype(np.float64) for file in files])
    return _Split(members, labels, [line[1] for line in lines], [line[2] for line in lines])
