"""What a model said about labelled tracks: enough to score, compare and combine without listening again.

Saved as a ``.npz`` of plain arrays (no pickles): ``scores``, ``labels``, ``outputs``, ``tag_names``,
``tag_categories``, ``ids``, ``artists``, ``albums``, ``name``, ``split``, and where known
``thresholds`` and ``train_counts``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagkit.errors import DataError
from tagkit.evaluation.arrays import read_npz
from tagkit.files import whole
from tagkit.vocab import CATEGORIES, Tag

FloatArray = NDArray[np.float32]

_MOST_TAGS = 10_000  # as a bundle has


@dataclass(frozen=True, eq=False)
class Predictions:
    """Scores and labels of tracks, in one order. Raises DataError where the parts do not fit.

    ``scores`` (tracks, tags) float32 in [0, 1]; ``labels`` (tracks, tags) bool; ``outputs``, ``tags``
    (tags,): as the dataset spells them and what they mean. ``ids``, ``artists``, ``albums`` (tracks,):
    artist and album "" where unknown. ``thresholds`` (tags,): the model's own, or None.
    ``train_counts`` (tags,): how many training tracks have each tag, or None. ``split``: which of the
    dataset's the tracks are, or "" where unknown.
    """

    scores: FloatArray
    labels: NDArray[np.bool_]
    outputs: tuple[str, ...]
    tags: tuple[Tag, ...]
    ids: tuple[str, ...]
    artists: tuple[str, ...]
    albums: tuple[str, ...]
    name: str = ""
    thresholds: FloatArray | None = None
    train_counts: NDArray[np.int64] | None = None
    split: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "scores", _scores(self.scores))
        object.__setattr__(self, "labels", _labels(self.labels))
        tracks, tags = self.scores.shape
        if tags > _MOST_TAGS:
            raise DataError(f"{tags:,} tags; at most {_MOST_TAGS:,} are scored")
        if self.labels.shape != self.scores.shape:
            raise DataError(
                f"{_shape(self.scores)} scores, but {_shape(self.labels)} labels",
                hint="both are tracks × tags, in the same order",
            )
        if self.thresholds is not None:
            object.__setattr__(self, "thresholds", _plain(self.thresholds, np.float32))
        if self.train_counts is not None:
            object.__setattr__(self, "train_counts", _plain(self.train_counts, np.int64))
        for part in ("outputs", "tags", "thresholds", "train_counts"):
            self._require_length(part, tags, "tags")
        for part in ("ids", "artists", "albums"):
            self._require_length(part, tracks, "tracks")
        if twice := [name for name, count in Counter(self.outputs).items() if count > 1]:
            raise DataError(
                f"the tag {twice[0]!r} is there {self.outputs.count(twice[0])} times",
                hint="a tag is one column",
            )

    def _require_length(self, part: str, wanted: int, of: str) -> None:
        given = getattr(self, part)
        if given is not None and len(given) != wanted:
            word = part.replace("_", " ")
            raise DataError(f"{len(given):,} {word}, but the scores have {wanted:,} {of}")

    def keep_tracks(self, rows: Sequence[int] | NDArray[Any]) -> Predictions:
        """These tracks only, in this order: row numbers."""
        rows = np.asarray(rows, np.int64)
        return replace(
            self,
            scores=self.scores[rows],
            labels=self.labels[rows],
            ids=tuple(self.ids[row] for row in rows),
            artists=tuple(self.artists[row] for row in rows),
            albums=tuple(self.albums[row] for row in rows),
        )

    def keep_tags(self, columns: Sequence[int] | NDArray[Any]) -> Predictions:
        """These tags only, in this order: column numbers."""
        columns = np.asarray(columns, np.int64)
        return replace(
            self,
            scores=self.scores[:, columns],
            labels=self.labels[:, columns],
            outputs=tuple(self.outputs[column] for column in columns),
            tags=tuple(self.tags[column] for column in columns),
            thresholds=None if self.thresholds is None else self.thresholds[columns],
            train_counts=None if self.train_counts is None else self.train_counts[columns],
        )

    def save(self, path: Path) -> None:
        """Write a ``.npz``, whole or not at all. Raises DataError where it cannot be written."""
        arrays: dict[str, Any] = {
            "scores": self.scores,
            "labels": self.labels,
            "outputs": _texts(self.outputs),
            "tag_names": _texts([tag.name for tag in self.tags]),
            "tag_categories": _texts([tag.category for tag in self.tags]),
            "ids": _texts(self.ids),
            "artists": _texts(self.artists),
            "albums": _texts(self.albums),
            "name": _texts([self.name]),
            "split": _texts([self.split]),
        }
        for part in ("thresholds", "train_counts"):
            if (given := getattr(self, part)) is not None:
                arrays[part] = given
        try:
            with whole(path) as file:
                np.savez_compressed(file, **arrays)
        except OSError as error:
            raise DataError(f"cannot be written: {error.strerror or error}", path=path) from error


def load(path: Path) -> Predictions:
    """Return saved predictions. Raises DataError for a file that is damaged or something else."""
    arrays = read_npz(path)
    try:
        return Predictions(
            scores=arrays["scores"],
            labels=arrays["labels"],
            outputs=_strings(arrays["outputs"]),
            tags=tuple(
                map(_tag, _strings(arrays["tag_names"]), _strings(arrays["tag_categories"]))
            ),
            ids=_strings(arrays["ids"]),
            artists=_strings(arrays["artists"]),
            albums=_strings(arrays["albums"]),
            name=_strings(arrays["name"])[0],
            thresholds=arrays.get("thresholds"),
            train_counts=arrays.get("train_counts"),
            # Absent from files of before it was kept.
            split=_strings(arrays["split"])[0] if "split" in arrays else "",
        )
    except KeyError as error:
        raise DataError(
            f"has no array {error}",
            path=path,
            hint="saved predictions are made by tagkit eval --save",
        ) from error
    except (DataError, IndexError, TypeError, ValueError) as error:
        raise DataError(str(error), path=path) from error


def _scores(values: NDArray[Any]) -> FloatArray:
    found = np.asarray(values)
    real = np.issubdtype(found.dtype, np.integer) or np.issubdtype(found.dtype, np.floating)
    if found.ndim != 2 or not real or not found.size:
        raise DataError(
            f"scores are {found.dtype} of shape {_shape(found)}",
            hint="they must be real numbers, tracks × tags, at least one of each",
        )
    if not np.isfinite(found).all():
        row, column = np.argwhere(~np.isfinite(found))[0]
        raise DataError(
            f"{(~np.isfinite(found)).sum():,} scores are no finite numbers,"
            f" the first in row {row + 1}, tag {column + 1}",
            hint="a model that says NaN is broken: do not score it",
        )
    if found.min() < 0 or found.max() > 1:
        raise DataError(
            f"scores lie between {found.min():.4g} and {found.max():.4g}, not in [0, 1]",
            hint="if these are logits, give --logits: a sigmoid is then applied",
        )
    return found.astype(np.float32)


def _labels(values: NDArray[Any]) -> NDArray[np.bool_]:
    found = np.asarray(values)
    if found.dtype != bool and not (
        np.issubdtype(found.dtype, np.number) and np.isin(found, (0, 1)).all()
    ):
        raise DataError("labels hold something else than 0 and 1", hint="1: the track has the tag")
    return found.astype(bool)


def _tag(name: str, category: str) -> Tag:
    if category not in CATEGORIES:
        raise DataError(f"the tag {name!r} has the unknown category {category!r}")
    return Tag(name, category)


def _plain(values: NDArray[Any], kind: type[np.generic]) -> NDArray[Any]:
    """A list of finite numbers from 0 on."""
    found = np.asarray(values)
    if found.ndim != 1 or not np.issubdtype(found.dtype, np.number):
        raise DataError(f"numbers a tag are {found.dtype} of shape {_shape(found)}")
    if not (np.isfinite(found) & (found >= 0)).all():
        raise DataError("numbers a tag are below 0 or not finite")
    return found.astype(kind)


def _shape(array: NDArray[Any]) -> str:
    return " × ".join(f"{size:,}" for size in array.shape) or "a single number"


def _texts(values: Sequence[str]) -> NDArray[np.str_]:
    return np.array(values, dtype=np.str_)


def _strings(array: NDArray[Any]) -> tuple[str, ...]:
    if array.ndim != 1 or array.dtype.kind != "U":
        raise DataError(f"texts are {array.dtype} of shape {_shape(array)}, not a list of strings")
    return tuple(str(value) for value in array)
