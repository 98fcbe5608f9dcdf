"""Predictions that lie in files: tagkit's own ``.npz``, or the arrays of any other system."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tagkit.errors import DataError, UsageError
from tagkit.evaluation import predictions
from tagkit.evaluation.arrays import read_lines, read_npy
from tagkit.evaluation.predictions import Predictions
from tagkit.weights.convert import read_labels


def read(
    path: Path,
    labels: Path | None = None,
    tags: Path | None = None,
    *,
    artists: Path | None = None,
    train_counts: Path | None = None,
    logits: bool = False,
) -> Predictions:
    """Return what ``path`` and the files beside it say.

    A ``.npz`` of ``tagkit eval --save`` needs nothing else. A ``.npy`` of scores (tracks, tags) needs
    ``labels``, a ``.npy`` alike of 0 and 1, and ``tags``, a text file with a tag a line, in order.
    ``artists``: one a line, in the tracks' order; ``train_counts``: how many training tracks have a tag,
    a number a line, in the tags' order; they replace what a ``.npz`` holds. ``logits``: apply a sigmoid.

    Raises DataError, WeightsError for tags, UsageError for what is missing.
    """
    if path.suffix == ".npz":
        found = predictions.load(path)
    else:
        if labels is None or tags is None:
            raise UsageError(
                "scores alone mean nothing",
                path=path,
                hint="give --labels FILE.npy and --tags FILE.txt, or a .npz made by --save",
            )
        found = _plain(path, labels, tags, logits)
    parts = vars(found).copy()
    if artists is not None:
        parts["artists"] = tuple(read_lines(artists))
        _require_as_many(artists, len(parts["artists"]), len(found.ids), "tracks")
    if train_counts is not None:
        parts["train_counts"] = _counts(train_counts)
        _require_as_many(train_counts, len(parts["train_counts"]), len(found.tags), "tags")
    return Predictions(**parts)


def _plain(path: Path, labels: Path, vocabulary: Path, logits: bool) -> Predictions:
    tags = read_labels(vocabulary)
    scores = read_npy(path)
    if logits:
        scores = _sigmoid(scores)
    if scores.ndim == 2 and scores.shape[1] != len(tags.outputs):
        raise DataError(
            f"has {scores.shape[1]} columns, but there are {len(tags.outputs)} tags", path=path
        )
    truth = read_npy(labels)
    ids = tuple(f"row {row}" for row in range(1, len(scores) + 1)) if scores.ndim else ()
    unknown = ("",) * len(ids)
    try:
        return Predictions(
            scores, truth, tags.outputs, tags.tags, ids, unknown, unknown, name=path.stem
        )
    except DataError as error:
        speaks_of = {"labels": labels, "the tag": vocabulary}
        where = (file for word, file in speaks_of.items() if error.message.startswith(word))
        raise DataError(error.message, path=next(where, path), hint=error.hint) from error


def _sigmoid(logits: NDArray[np.generic]) -> NDArray[np.float64]:
    if not np.issubdtype(logits.dtype, np.floating):
        raise UsageError(f"{logits.dtype} are no logits", hint="leave --logits out")
    found: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -500, 500)))
    return found


def _counts(path: Path) -> NDArray[np.int64]:
    try:
        found = np.array([int(line) for line in read_lines(path)], np.int64)
        if (found < 0).any():
            raise ValueError(f"{found.min()} is below 0")
        return found
    except (ValueError, OverflowError) as error:
        raise DataError(
            f"holds something else than a whole number a line: {error}", path=path
        ) from error


def _require_as_many(path: Path, found: int, wanted: int, of: str) -> None:
    if found != wanted:
        raise DataError(f"has {found:,} lines for {wanted:,} {of}", path=path)
