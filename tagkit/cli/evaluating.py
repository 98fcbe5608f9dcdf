"""The steps of ``tagkit eval``: what to listen to or to read, what is said on the way, what ends it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from tagkit.cli.writing import Tally, progress, say, track
from tagkit.errors import DataError, UsageError

if TYPE_CHECKING:
    from tagkit.data.dataset import Dataset
    from tagkit.errors import TagkitError
    from tagkit.evaluation.compare import Comparison
    from tagkit.evaluation.predictions import Predictions
    from tagkit.evaluation.scores import Scores


class Files(NamedTuple):
    """Predictions that lie in files, as ``evaluation.from_files.read`` takes them."""

    predictions: Path | None
    labels: Path | None = None
    tags: Path | None = None
    artists: Path | None = None
    train_counts: Path | None = None
    logits: bool = False

    def read(self) -> Predictions | None:
        from tagkit.evaluation import from_files

        if self.predictions is None:
            if self.labels is not None:
                raise UsageError("labels without predictions", path=self.labels)
            return None
        return from_files.read(
            self.predictions,
            self.labels,
            self.tags,
            artists=self.artists,
            train_counts=self.train_counts,
            logits=self.logits,
        )


class Evaluating:
    """One run: predictions from a dataset or from files, their scores, the files that failed."""

    def __init__(
        self,
        dataset: Dataset | None,
        split: str,
        listening: Mapping[str, Any],
        settings: Mapping[str, int],
    ) -> None:
        from tagkit.data.dataset import SPLITS
        from tagkit.evaluation.scores import Settings

        if split not in SPLITS:
            raise UsageError(f"no split is called {split!r}", hint=", ".join(SPLITS))
        self.dataset = dataset
        self.split = split
        self.listening = {**listening, "jobs": listening["jobs"] or os.cpu_count() or 1}
        self.settings = Settings(**settings)
        self._tally = Tally()
        self._notes = () if dataset is None else dataset.warnings

    def score(
        self, models: Sequence[str], files: Files, fitting: Files, validation: bool
    ) -> Scores:
        """Listen or read, then score; ``fitting`` or the validation split decides the thresholds."""
        from tagkit.evaluation import scores

        saved, fitted = files.read(), fitting.read()
        if fitted is not None and fitted.split == "test":
            raise UsageError(
                "speaks of test tracks, and nothing is fitted on those", path=fitting.predictions
            )
        if (saved is None) == (self.dataset is None):
            raise UsageError("give either a dataset or --predictions", hint="tagkit eval --help")
        if saved is not None and models:
            raise UsageError(
                "--model listens to --data, --predictions have been made", hint="drop one"
            )
        found = saved or self._listen(models, self.split)
        wanted = self.dataset is not None and validation and self.split != "validation"
        if fitted is None and wanted and self._count("validation"):
            fitted = self._listen(models, "validation")
        scored = scores.score(found, fitted, self.settings)
        scored = replace(scored, notes=(*self._notes, *scored.notes))
        for note in scored.notes:
            say(note)
        return scored

    def compare(self, names: Sequence[str]) -> Comparison:
        """Score several, each a saved ``.npz`` or what ``--model`` takes, on the same tracks."""
        from tagkit.evaluation.compare import compare
        from tagkit.evaluation.predictions import load

        given = []
        for name in names:
            if name.endswith(".npz"):
                predictions = load(Path(name))
                given.append(replace(predictions, name=predictions.name or Path(name).stem))
            elif self.dataset is None:
                raise UsageError(
                    f"{name} is no saved .npz", hint="name what to listen to with --data"
                )
            else:
                given.append(self._listen([name], self.split))
        found = compare(given, self.settings)
        found = replace(found, notes=(*self._notes, *found.notes))
        for note in found.notes:
            say(note)
        return found

    def end(self) -> None:
        """Say how many files failed; exit 1 where one did."""
        if failed := self._tally.counts["failed"]:
            say(f"not in the figures, because they could not be heard: {failed:,}")
            raise typer.Exit(1)

    def _count(self, split: str) -> int:
        assert self.dataset is not None
        return sum(track.split == split for track in self.dataset.tracks)

    def _listen(self, models: Sequence[str], split: str) -> Predictions:
        from tagkit.evaluation.predict import predict

        assert self.dataset is not None
        chosen = require_tracks(self.dataset, split)
        with progress(f"listen ({split})", len(chosen.tracks)) as advance:

            def done(error: TagkitError | None) -> None:
                if error is not None:
                    self._tally.fail(error)
                advance("")

            found = predict(models, chosen, on_track=done, **self.listening)
        columns = [self.dataset.outputs.index(name) for name in found.outputs]
        if split == self.split and (missing := len(self.dataset.outputs) - len(columns)):
            say(f"{found.name}: {missing} of {len(self.dataset.outputs)} tags are none of its own")
        train = self.dataset.split("train")
        counts = train.counts[columns] if train.tracks else None
        return replace(found, train_counts=counts, split=split)


def open_source(
    data: Path | None,
    library: Path | None,
    fields: Sequence[str],
    reading: Mapping[str, Any],
) -> Dataset | None:
    """The dataset that is named, or None; ``reading``: the fields of ``recipe.Data``."""
    if data is not None and library is not None:
        raise UsageError("--data and --from-library are two datasets", hint="name one")
    if library is not None:
        from tagkit.data import library_tags

        if not fields:
            raise UsageError("which tags of the library?", hint="name a field, as --field MOOD")
        return library_tags.read(library, fields, show=lambda files: track(files, "read tags"))
    if data is None:
        return None
    from tagkit.data import open_dataset
    from tagkit.recipe import Data

    return open_dataset(data, Data(**reading))


def require_tracks(dataset: Dataset, split: str) -> Dataset:
    """Return the split. Raises DataError where it is empty, with those that are not."""
    chosen = dataset.split(split)
    if not chosen.tracks:
        sizes = Counter(track.split for track in dataset.tracks)
        there = ", ".join(f"{name} has {count:,}" for name, count in sizes.items())
        raise DataError(
            f"{dataset.name} has no track in the split {split}",
            path=dataset.root,
            hint=f"{there}: choose with --split" if there else None,
        )
    return chosen


def require_target(path: Path, suffix: str = "") -> None:
    """Raise UsageError where no file can be written, or none of another ending is wanted: before hours
    of listening, not after them."""
    if suffix and path.suffix != suffix:
        raise UsageError(f"should end in {suffix}", path=path, hint="by that it is known again")
    if path.exists() and not path.is_file():
        raise UsageError("is no regular file", path=path)
    if not path.absolute().parent.is_dir():
        raise UsageError("its folder is not there", path=path, hint="make the folder first")
