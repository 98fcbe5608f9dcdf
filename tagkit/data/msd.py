"""The Million Song Dataset with last.fm's fifty most frequent tags, as J. Lee's split has it.

Pickles of Python 2: ``filtered_list_train.cP`` and ``filtered_list_test.cP`` are lists of MSD ids,
``msd_id_to_tag_vector.cP`` has a 0/1 vector for each id, ``MSD_id_to_7D_id.pkl`` and ``7D_id_to_path.pkl`` lead to
the 7digital preview (``8/9/8947470.clip.mp3``). ``50tagList.txt`` names the vector's tags. Without a
``filtered_list_valid.cP`` the training list's ids from 201,680 on are validation, as published.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tagkit import strangers
from tagkit.data import pickles
from tagkit.data.dataset import Dataset, Track
from tagkit.data.places import locate
from tagkit.errors import DataError
from tagkit.vocab import VOCABULARIES, canonical

LABELS = "msd_id_to_tag_vector.cP"
LISTS = {
    "train": "filtered_list_train.cP",
    "validation": "filtered_list_valid.cP",
    "test": "filtered_list_test.cP",
}
TRAIN = 201_680  # of the training list; the other 11,774 are validation

_AUDIO = ("", "audio", "mp3", "songs")


def recognise(folder: Path) -> bool:
    """Whether the folder holds the labels."""
    return (folder / LABELS).exists()


def read(folder: Path) -> Dataset:
    """Return the tracks that have labels and a path. Whether the files are there is not looked at.

    Raises DataError, also for a pickle that is more than data.
    """
    outputs = _outputs(folder / "50tagList.txt")
    labels = _dictionary(folder / LABELS)
    previews = _dictionary(folder / "MSD_id_to_7D_id.pkl")
    paths = _dictionary(folder / "7D_id_to_path.pkl")
    tracks, lost = [], 0
    for split, identities in _splits(folder).items():
        for identity in identities:
            path = paths.get(_text(previews.get(identity)))
            vector = labels.get(identity)
            if not isinstance(path, str | bytes) or vector is None:
                lost += 1
                continue
            has = _has(vector, outputs, folder / LABELS)
            tracks.append(Track(identity, _text(path), split, has))
    if not tracks:
        raise DataError("its lists, labels and paths have no track in common", path=folder)
    root, located = locate([folder], _AUDIO, tracks)
    dataset = Dataset(
        name="msd-top50",
        root=root,
        outputs=outputs,
        tags=tuple(map(canonical, outputs)),
        tracks=located,
    )
    return dataset.warn(f"{lost:,} listed tracks have no path or no labels") if lost else dataset


def _outputs(table: Path) -> tuple[str, ...]:
    published = VOCABULARIES["msd-top50"]
    if not table.exists():
        return published
    try:
        listed = tuple(filter(None, map(str.strip, strangers.content(table).decode().splitlines())))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read: {error}", path=table) from error
    if [name.lower() for name in listed] != [name.lower() for name in published]:
        raise DataError("its tags are not the published fifty, in their order", path=table)
    return published


def _splits(folder: Path) -> dict[str, list[str]]:
    found = {
        split: _list(folder / name) for split, name in LISTS.items() if (folder / name).exists()
    }
    for split in ("train", "test"):
        if split not in found:
            raise DataError("is not there", path=folder / LISTS[split])
    if "validation" not in found:
        found["train"], found["validation"] = found["train"][:TRAIN], found["train"][TRAIN:]
    return {split: found[split] for split in LISTS}


def _list(path: Path) -> list[str]:
    value = pickles.load(path)
    if isinstance(value, np.ndarray):
        value = value.ravel().tolist()
    if not isinstance(value, list) or not all(isinstance(item, str | bytes) for item in value):
        raise DataError("holds no list of ids", path=path)
    return list(map(_text, value))


def _dictionary(path: Path) -> dict[str, Any]:
    value = pickles.load(path)
    if not isinstance(value, dict):
        raise DataError("holds no dictionary", path=path)
    return {_text(key): item for key, item in value.items()}


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _has(vector: object, outputs: tuple[str, ...], path: Path) -> frozenset[str]:
    if not isinstance(vector, np.ndarray):
        # Not asarray of it: lists that hold one and the same list many times have no end to walk to.
        raise DataError(f"a vector is a {type(vector).__name__}, not an array", path=path)
    array = vector.ravel()
    if array.size != len(outputs) or array.dtype.kind not in "biuf":
        raise DataError(f"a vector has {array.size} values, not {len(outputs)}", path=path)
    return frozenset(outputs[at] for at in np.flatnonzero(array))
