"""What is wrong with a dataset, before hours are spent on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tagkit import audio
from tagkit.data import mels
from tagkit.data.dataset import SPLITS, Dataset, Track
from tagkit.data.grouping import leaks
from tagkit.errors import DataError, TagkitError
from tagkit.library import payload

_SHOWN = 3  # examples in a sentence


@dataclass(frozen=True)
class Report:
    """``tracks``: how many in each split; ``counts``: (splits, outputs), how many of them have each tag.

    ``missing``: paths below the root; ``unreadable``: an error a file; ``duplicates``: paths with one and
    the same audio, or listed twice; ``artists``, ``albums``: those in several splits, and in which.
    """

    dataset: Dataset
    tracks: dict[str, int]
    counts: NDArray[np.int64]
    missing: tuple[str, ...]
    unreadable: tuple[TagkitError, ...]
    duplicates: tuple[tuple[str, ...], ...]
    artists: dict[str, tuple[str, ...]]
    albums: dict[str, tuple[str, ...]]

    @property
    def imbalance(self) -> float:
        """The most frequent training tag's count over the rarest one's, of those that have any."""
        train = self.counts[SPLITS.index("train")]
        return float(train.max() / train[train > 0].min()) if train.any() else 1.0


def examine(
    dataset: Dataset,
    *,
    jobs: int,
    probe: bool = True,
    show: Callable[[Iterable[str]], Iterable[str]] = iter,
) -> Report:
    """Look at every file of ``dataset``, which is as its lists name it.

    ``probe``: open each file, else see only whether it is there. ``show`` passes on the paths it is
    given, for a progress bar.
    """
    paths = list(dict.fromkeys(track.path for track in dataset.tracks))
    missing = [path for path in paths if not _is_there(dataset.root / path)]
    there = [path for path in paths if path not in set(missing)]
    found = _probed(dataset, there, jobs, show) if probe else {}
    same: dict[str, list[str]] = {}
    for path, result in found.items():
        if isinstance(result, str):
            same.setdefault(result, []).append(path)
    listed = Counter(track.path for track in dataset.tracks)
    twice = [(path,) * count for path, count in listed.items() if count > 1]
    return Report(
        dataset=dataset,
        tracks={split: len(dataset.split(split).tracks) for split in SPLITS},
        counts=np.stack([dataset.split(split).counts for split in SPLITS]),
        missing=tuple(missing),
        unreadable=tuple(error for error in found.values() if not isinstance(error, str)),
        duplicates=(*twice, *(tuple(group) for group in same.values() if len(group) > 1)),
        artists=leaks(dataset.tracks, "artist"),
        albums=leaks(dataset.tracks, "album"),
    )


def _probed(
    dataset: Dataset,
    paths: list[str],
    jobs: int,
    show: Callable[[Iterable[str]], Iterable[str]],
) -> dict[str, str | TagkitError]:
    """Path → the key of its content, or why it cannot be used."""

    def probe(path: str) -> tuple[str, str | TagkitError]:
        file = dataset.root / path
        try:
            if dataset.kind == "mel":
                mels.probe(file)
            else:
                audio.probe(file)
            return path, payload.content_key(file)
        except TagkitError as error:
            return path, error

    results: dict[str, str | TagkitError] = {}
    pool = ThreadPoolExecutor(jobs)
    try:
        looked = pool.map(probe, paths)
        for _ in show(paths):
            path, result = next(looked)
            results[path] = result
    finally:
        pool.shutdown(cancel_futures=True)
    return results


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder that is closed to us, a name that no disk takes
        return False


def usable(dataset: Dataset) -> Dataset:
    """The tracks whose file is there, with warnings of all that is wrong. Raises DataError for none."""
    there: list[Track] = []
    missing: list[Track] = []
    for track in dataset.tracks:
        (there if _is_there(dataset.root / track.path) else missing).append(track)
    if not there:
        first = dataset.root / missing[0].path if missing else dataset.root
        raise DataError(
            f"none of the {len(missing):,} files of {dataset.name} is there",
            path=dataset.root,
            hint=f"the first should be {first}",
        )
    if missing:
        example = f"missing files, left out: {len(missing):,}, such as {missing[0].path}"
        dataset = dataset.keep(there).warn(example)
    return dataset.warn(*doubts(dataset))


def doubts(dataset: Dataset) -> list[str]:
    """What is wrong with the tags and splits, a sentence each."""
    found = []
    for split in SPLITS:
        part = dataset.split(split)
        nobodys = [name for name, count in zip(part.outputs, part.counts, strict=True) if not count]
        if not part.tracks:
            found.append(f"the split {split} is empty")
        elif nobodys:
            found.append(f"tags without a track in {split} ({len(nobodys)}): {_examples(nobodys)}")
    repeated = [
        path for path, count in Counter(t.path for t in dataset.tracks).items() if count > 1
    ]
    if repeated:
        found.append(f"files listed several times ({len(repeated):,}): {_examples(repeated)}")
    if torn := leaks(dataset.tracks, "artist"):
        found.append(
            f"artists in several splits, so scores flatter ({len(torn):,}): {_examples(torn)}"
        )
    return found


def _examples(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:_SHOWN]) + (" ..." if len(listed) > _SHOWN else "")
