"""MagnaTagATune: 25,863 clips of 29 s, cut from the albums of one label and tagged by players of a game.

``annotations_final.csv`` (tab-separated, quoted) has ``clip_id``, a column of 0/1 for each of 188 tags, and
``mp3_path``: ``f/artist-album-NN-title-START-END.mp3`` below folders ``0`` to ``f``. Several clips come from
one recording. ``clip_info_final.csv`` names artists and albums, where it is there; else the paths do.

Splits:

- "folders": 0-b, c and d-f, all clips (van den Oord et al. 2014; paper 2);
- "won": the lists of M. Won et al., ``train.npy``, ``valid.npy``, ``test.npy`` (``ROW⇥PATH``), clips with a tag
  only; labels from ``binary.npy`` and ``tags.npy`` beside them, else from the annotations;
- "shuffled": paper 5's 13:1:2 of all clips. It leaks: clips of one recording are in train and in test.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tagkit.data import mtat_tags, pickles
from tagkit.data.dataset import SPLITS, Dataset, Track
from tagkit.data.places import choose, locate
from tagkit.data.tables import columns, rows
from tagkit.errors import DataError

TAG_SETS = ("top50", "merged50")
SPLIT_NAMES = ("folders", "won", "shuffled")
ANNOTATIONS = "annotations_final.csv"
CLIP_INFO = "clip_info_final.csv"

_FOLDERS = {
    **dict.fromkeys("0123456789ab", "train"),
    **dict.fromkeys("c", "validation"),
    **dict.fromkeys("def", "test"),
}
_LISTS = {"train": "train.npy", "validation": "valid.npy", "test": "test.npy"}
_AUDIO = ("", "mp3", "audio")
_CLIP = re.compile(r"(?P<artist>.+?)-(?P<album>.+)-\d{2,}-.+-\d+-\d+\.\w+")
_WHOLE = 25_000  # clips: with fewer, it is a part of the dataset, and its counts prove nothing


class _Clip(NamedTuple):
    id: str
    path: str
    tags: frozenset[str]  # as annotated


class _Annotated(NamedTuple):
    spellings: tuple[str, ...]  # every tag that there is a column for
    clips: list[_Clip]


def recognise(folder: Path) -> bool:
    """Whether the folder holds the annotations, or Won's lists."""
    return (folder / ANNOTATIONS).exists() or _lists(folder) is not None


def read(folder: Path, *, tags: str = "", split: str = "", seed: int = 0) -> Dataset:
    """Return the clips with a tag set (default "top50") and in a split (default "folders").

    "top50": the field's usual fifty in their usual order, as far as the annotations have them.
    "merged50": the fifty most frequent once synonyms are merged, by falling count. ``seed`` is for
    "shuffled". Whether the files are there is not looked at. Raises DataError.
    """
    tag_set = choose(tags or TAG_SETS[0], TAG_SETS, "MagnaTagATune", "tag set")
    chosen = choose(split or SPLIT_NAMES[0], SPLIT_NAMES, "MagnaTagATune", "split")
    if chosen == "won":
        annotated, splits = _won(folder)
    else:
        annotated = _annotations(folder / ANNOTATIONS)
        paths = [clip.path for clip in annotated.clips]
        splits = _by_folder(paths, folder) if chosen == "folders" else _shuffled(paths, seed)
    find = _merged50 if tag_set == "merged50" else _top50
    outputs, meant = find(annotated, folder)
    people = _info(folder / CLIP_INFO)
    tracks = [
        Track(
            clip.id,
            clip.path,
            splits[clip.path],
            frozenset(meant[tag] for tag in clip.tags if tag in meant),
            *(people.get(clip.path) or artist_and_album(clip.path)),
        )
        for clip in annotated.clips
        if clip.path in splits
    ]
    root, found = locate([folder], _AUDIO, tracks)
    return Dataset(
        name=f"mtat-{tag_set}-{chosen}" + ("-leaky" if chosen == "shuffled" else ""),
        root=root,
        outputs=outputs,
        tags=tuple(mtat_tags.meaning(output) for output in outputs),
        tracks=found,
    ).warn(*_doubts(annotated, tag_set, found))


def artist_and_album(path: str) -> tuple[str, str]:
    """Return what a clip's path says: ``artist-album-NN-title-START-END.mp3``; ("", "") otherwise."""
    found = _CLIP.fullmatch(path.rpartition("/")[2])
    return (found["artist"], found["album"]) if found else ("", "")


def recording(path: str) -> str:
    """Return what the clips of one recording have in common: the name up to its times, any folder."""
    return re.sub(r"-\d+-\d+\.\w+$", "", path.rpartition("/")[2])


def _annotations(table: Path) -> _Annotated:
    if not table.exists():
        raise DataError("is not there", path=table, hint="it comes with MagnaTagATune")
    lines = rows(table, quoted=True)
    header = next(lines, [])
    identity, place = columns(header, ("clip_id", "mp3_path"), table)
    spelled = {at: name for at, name in enumerate(header) if at not in (identity, place)}
    clips = []
    for number, cells in enumerate(lines, 2):
        if len(cells) != len(header):
            raise DataError(f"line {number} has {len(cells)} cells, not {len(header)}", path=table)
        has = frozenset(name for at, name in spelled.items() if cells[at] == "1")
        clips.append(_Clip(cells[identity], cells[place], has))
    return _Annotated(tuple(spelled.values()), clips)


def _info(table: Path) -> dict[str, tuple[str, str]]:
    """Path → artist and album, where the table is there."""
    if not table.exists():
        return {}
    lines = rows(table, quoted=True)
    places = columns(next(lines, []), ("mp3_path", "artist", "album"), table)
    return {
        cells[places[0]]: (cells[places[1]], cells[places[2]])
        for cells in lines
        if len(cells) > max(places)
    }


# ---------------------------------------------------------------------------------- tag sets


def _top50(annotated: _Annotated, folder: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    outputs = tuple(name for name in mtat_tags.TOP50 if name in annotated.spellings)
    if not outputs:
        raise DataError("has none of the usual fifty tags", path=folder)
    return outputs, {name: name for name in outputs}


def _merged50(annotated: _Annotated, folder: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    """The fifty most frequent merged tags, and what each spelling becomes."""
    if len(annotated.spellings) <= len(mtat_tags.TOP50):
        raise DataError(
            f"merging synonyms needs all tags, not {len(annotated.spellings)}",
            path=folder,
            hint=f"put {ANNOTATIONS} there",
        )
    counts = mtat_tags.merged_counts(clip.tags for clip in annotated.clips)
    outputs = tuple(name for name, _ in counts.most_common(50))
    merged = {name: mtat_tags.MERGED.get(name, name) for name in annotated.spellings}
    return outputs, {name: into for name, into in merged.items() if into in outputs}


# ------------------------------------------------------------------------------------ splits


def _by_folder(paths: Iterable[str], folder: Path) -> dict[str, str]:
    splits = {path: _FOLDERS.get(path.partition("/")[0], "") for path in paths}
    for path, split in splits.items():
        if not split:
            raise DataError(f"{path!r} is in none of the folders 0 to f", path=folder / ANNOTATIONS)
    return splits


def _shuffled(paths: Sequence[str], seed: int) -> dict[str, str]:
    order = np.random.default_rng(seed).permutation(len(paths))
    train, validation = len(paths) * 13 // 16, len(paths) * 14 // 16
    names = [SPLITS[(rank >= train) + (rank >= validation)] for rank in range(len(paths))]
    return {paths[clip]: name for clip, name in zip(order, names, strict=True)}


def _lists(folder: Path) -> Path | None:
    """Where Won's lists are: in the folder, or as in the repository."""
    for place in (folder, folder / "split" / "mtat"):
        if all((place / name).exists() for name in _LISTS.values()):
            return place
    return None


def _won(folder: Path) -> tuple[_Annotated, dict[str, str]]:
    place = _lists(folder)
    if place is None:
        raise DataError(
            f"has no {', '.join(_LISTS.values())}",
            path=folder,
            hint="they are in minzwon/sota-music-tagging-models, split/mtat; or take split=folders",
        )
    entries = {split: _entries(place / name) for split, name in _LISTS.items()}
    splits = {path: split for split, listed in entries.items() for _, path in listed}
    if (folder / ANNOTATIONS).exists():
        return _annotations(folder / ANNOTATIONS), splits
    return _labelled(place, [entry for listed in entries.values() for entry in listed]), splits


def _entries(table: Path) -> list[tuple[int, str]]:
    found = []
    for line in pickles.load_array(table).ravel().tolist():
        row, _, path = str(line).partition("\t")
        if not row.isdecimal() or len(row) > 12 or not path:
            raise DataError(f"holds {str(line)[:60]!r}, not a row, a tab and a path", path=table)
        found.append((int(row), path))
    return found


def _labelled(place: Path, entries: Sequence[tuple[int, str]]) -> _Annotated:
    """The clips of the lists, with the labels of ``binary.npy``."""
    spellings = tuple(map(str, pickles.load_array(place / "tags.npy").ravel().tolist()))
    binary = pickles.load_array(place / "binary.npy")
    if binary.ndim != 2 or binary.shape[1] != len(spellings):
        raise DataError(
            f"is {binary.shape}, not (clips, {len(spellings)})", path=place / "binary.npy"
        )
    most = max((row for row, _ in entries), default=-1)
    if most >= len(binary):
        raise DataError(f"has no row {most}, which the lists name", path=place / "binary.npy")
    clips = [
        _Clip(str(row), path, frozenset(spellings[at] for at in np.flatnonzero(binary[row])))
        for row, path in entries
    ]
    return _Annotated(spellings, clips)


def _doubts(annotated: _Annotated, tag_set: str, tracks: Sequence[Track]) -> list[str]:
    """What a person should know of this reading, a sentence each."""
    found = []
    absent = [name for name in mtat_tags.TOP50 if name not in annotated.spellings]
    if tag_set == "top50" and absent:
        found.append(f"{len(absent)} of the usual fifty tags have no column: {', '.join(absent)}")
    if tag_set == "merged50" and len(annotated.clips) > _WHOLE:
        counts = mtat_tags.merged_counts(clip.tags for clip in annotated.clips)
        if unlike := mtat_tags.unlike_table_3(counts):
            found.append(f"counts that are not those of paper 2, Table III: {', '.join(unlike)}")
    splits: dict[str, set[str]] = {}
    for track in tracks:
        splits.setdefault(recording(track.path), set()).add(track.split)
    if torn := sum(len(names) > 1 for names in splits.values()):
        found.append(f"{torn:,} recordings have clips in several splits: scores will flatter")
    return found
