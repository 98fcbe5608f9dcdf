"""Datasets as they really lie on disk, one reader a file; and what training needs of each track.

To add one: a file with ``recognise(folder)`` and ``read(folder, ...) -> Dataset``, a row in the table below.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tagkit.data import manifest, msd, mtat, mtg_jamendo, music4all
from tagkit.data.dataset import SPLITS, Dataset, Track, join
from tagkit.data.grouping import leaks
from tagkit.errors import DataError
from tagkit.recipe import Data

__all__ = ["READERS", "SPLITS", "Dataset", "Track", "join", "open_dataset", "usable"]


class Reader(NamedTuple):
    recognise: Callable[[Path], bool]
    read: Callable[[Path, Data], Dataset]


#: In the order in which a folder is looked at.
READERS: dict[str, Reader] = {
    "mtat": Reader(mtat.recognise, lambda d, s: mtat.read(d, tags=s.tags, split=s.split)),
    "mtg-jamendo": Reader(
        mtg_jamendo.recognise,
        lambda d, s: mtg_jamendo.read(d, tags=s.tags, split=s.split, mels=s.mels),
    ),
    "music4all": Reader(music4all.recognise, lambda d, s: music4all.read(d, tags=s.tags)),
    "msd": Reader(msd.recognise, lambda d, _: msd.read(d)),
    "manifest": Reader(manifest.recognise, lambda d, _: manifest.read(d)),
}


def open_dataset(folder: Path, settings: Data) -> Dataset:
    """Return the dataset that lies in ``folder``, recognised by its files where ``settings.dataset`` is "".

    ``folder`` may be a manifest itself. Tracks whose file is not there are left out, and
    ``.warnings`` say how many; as they tell of empty splits, of tags nobody has and of artists in several
    splits. Raises DataError for what cannot be used, and where no file is there at all.
    """
    return usable(read_dataset(folder, settings))


def read_dataset(folder: Path, settings: Data) -> Dataset:
    """As :func:`open_dataset`, with every track that the lists name, there or not."""
    if not folder.exists():
        raise DataError("is not there", path=folder)
    name = settings.dataset or _recognised(folder)
    if settings.mels and name != "mtg-jamendo":
        raise DataError(f"{name} has no mel-spectrograms of its own", hint="--set data.mels=false")
    return READERS[name].read(folder, settings)


def _recognised(folder: Path) -> str:
    for name, reader in READERS.items():
        if reader.recognise(folder):
            return name
    raise DataError(
        "holds no dataset that tagkit knows by its files",
        path=folder,
        hint=f"name it with --dataset ({', '.join(READERS)}), write a manifest.csv with the columns"
        " path and tags, or take your files' own tags with --from-library",
    )


def usable(dataset: Dataset) -> Dataset:
    """The tracks whose file is there, with warnings of what is wrong. Raises DataError for none."""
    there = [track for track in dataset.tracks if (dataset.root / track.path).is_file()]
    missing = len(dataset.tracks) - len(there)
    if not there:
        first = dataset.root / dataset.tracks[0].path if dataset.tracks else dataset.root
        raise DataError(
            f"none of the {missing:,} files of {dataset.name} is there",
            path=dataset.root,
            hint=f"the first would be {first}",
        )
    if missing:
        example = next(t.path for t in dataset.tracks if not (dataset.root / t.path).is_file())
        dataset = dataset.warn(f"{missing:,} files are missing and left out, such as {example}")
    dataset = dataset.keep(there)
    return dataset.warn(*doubts(dataset))


def doubts(dataset: Dataset) -> list[str]:
    """What is wrong with the splits, a sentence each."""
    found = []
    for split in SPLITS:
        part = dataset.split(split)
        if not part.tracks:
            found.append(f"the split {split} is empty")
            continue
        nobody = [name for name, count in zip(part.outputs, part.counts, strict=True) if not count]
        if nobody:
            named = ", ".join(nobody[:5]) + (" ..." if len(nobody) > 5 else "")
            found.append(f"{len(nobody)} tags have no track in {split}: {named}")
    if torn := leaks(dataset.tracks, "artist"):
        named = ", ".join(list(torn)[:3]) + (" ..." if len(torn) > 3 else "")
        found.append(f"{len(torn):,} artists are in several splits, so scores flatter: {named}")
    return found
