"""Datasets as they really lie on disk, one reader a file; and what training needs of each track.

To add one: a file with ``recognise(folder)`` and ``read(folder, ...) -> Dataset``, a row in the table below.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tagkit import recipe
from tagkit.data import manifest, msd, mtat, mtg_jamendo, music4all
from tagkit.data.check import usable
from tagkit.data.dataset import SPLITS, Dataset, Track, join
from tagkit.data.places import choose
from tagkit.errors import DataError
from tagkit.recipe import Data, Recipe

__all__ = [
    "READERS",
    "SPLITS",
    "Dataset",
    "Track",
    "join",
    "open_dataset",
    "read_dataset",
    "recipe_for",
]


class Reader(NamedTuple):
    """``takes``: which of the settings it knows."""

    recognise: Callable[[Path], bool]
    read: Callable[[Path, Data], Dataset]
    takes: tuple[str, ...] = ()


#: In the order in which a folder is looked at.
READERS: dict[str, Reader] = {
    "mtat": Reader(
        mtat.recognise, lambda d, s: mtat.read(d, tags=s.tags, split=s.split), ("tags", "split")
    ),
    "mtg-jamendo": Reader(
        mtg_jamendo.recognise,
        lambda d, s: mtg_jamendo.read(d, tags=s.tags, split=s.split, mels=s.mels),
        ("tags", "split", "mels"),
    ),
    "music4all": Reader(
        music4all.recognise, lambda d, s: music4all.read(d, tags=s.tags), ("tags",)
    ),
    "msd": Reader(msd.recognise, lambda d, _: msd.read(d)),
    "manifest": Reader(manifest.recognise, lambda d, _: manifest.read(d)),
}


_SETTINGS = {
    "tags": "tag lists to choose from",
    "split": "splits to choose from",
    "mels": "mel-spectrograms of its own",
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
    name = choose(settings.dataset or _recognised(folder), READERS, "tagkit", "dataset")
    reader = READERS[name]
    for setting, what in _SETTINGS.items():
        if getattr(settings, setting) and setting not in reader.takes:
            raise DataError(f"{name} has no {what}", path=folder, hint=f"do not choose {setting}")
    return reader.read(folder, settings)


def recipe_for(name: str, settings: Sequence[str], dataset: str, folder: Path | None) -> Recipe:
    """Return the recipe ``name`` with ``settings``, for the ``dataset`` named or what lies in ``folder``.

    A recipe that is for another dataset reads this one as it lies there: its choices of tags and split mean
    nothing here. Raises RecipeError.
    """
    plan = recipe.load(name, settings)
    own = plan.data.dataset
    if dataset and dataset != own:
        return recipe.load(name, ("data={}", *settings, f"data.dataset={dataset}"))
    if not dataset and folder is not None and own and not READERS[own].recognise(folder):
        return recipe.load(name, ("data={}", *settings))
    return plan


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
