"""MTG-Jamendo: whole tracks under Creative Commons, tagged by those who uploaded them.

``splits/split-N/autotagging_SUBSET-SPLIT.tsv`` (without ``_SUBSET`` for all tags) have the columns TRACK_ID,
ARTIST_ID, ALBUM_ID, PATH, DURATION and TAGS, the tags in the sixth and all further cells. The focal
paper's lists, ``jamendo_moodtheme-SPLIT.tsv``, have TRACK_ID, PATH (of that paper's own files) and TAGS:
the tracks of split 0, without artists.

Audio is ``NN/ID.mp3`` or ``NN/ID.low.mp3``, NN the last two digits of the ID, and mel-spectrograms are
``NN/ID.npy`` (see ``mels.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tagkit.data.dataset import SPLITS, Dataset, Track
from tagkit.data.places import choose, locate
from tagkit.data.tables import columns, rows
from tagkit.errors import DataError
from tagkit.vocab import Tag, canonical, known

SUBSETS = {
    "moodtheme": "autotagging_moodtheme",
    "instrument": "autotagging_instrument",
    "genre": "autotagging_genre",
    "top50tags": "autotagging_top50tags",
    "all": "autotagging",
}
SPLIT_NAMES = tuple(f"split-{number}" for number in range(5))

_CATEGORIES = {"genre": "genre", "instrument": "instrument", "mood/theme": "mood"}
#: Where the dataset's download script, and people, put the files.
_AUDIO = ("", "audio", "raw_30s/audio", "autotagging_moodtheme/audio", "audio-low", "raw_30s")
_MELS = ("", "melspecs", "raw_30s/melspecs", "autotagging_moodtheme/melspecs", "raw_30s")


def recognise(folder: Path) -> bool:
    """Whether the folder holds MTG-Jamendo's splits, or the focal paper's lists."""
    return _splits(folder) is not None or any(folder.glob("jamendo_moodtheme-*.tsv"))


def read(folder: Path, *, tags: str = "", split: str = "", mels: bool = False) -> Dataset:
    """Return a subset (default "moodtheme") in one of the five splits (default "split-0").

    ``folder``: the dataset's repository, its ``data``, or any folder with ``splits`` in it. Outputs are
    the subset's tags, sorted: the published order. Whether the files are there is not looked at.
    Raises DataError.
    """
    subset = choose(tags or "moodtheme", SUBSETS, "MTG-Jamendo", "subset")
    number = choose(split or SPLIT_NAMES[0], SPLIT_NAMES, "MTG-Jamendo", "split")
    splits = _splits(folder)
    tracks: list[Track] = []
    for name in SPLITS:
        if splits is not None:
            tracks += _official(splits / number / f"{SUBSETS[subset]}-{name}.tsv", name)
        else:
            tracks += _listed(folder / f"jamendo_moodtheme-{name}.tsv", name)
    if not tracks:
        raise DataError("the lists hold no track", path=folder)
    outputs = tuple(sorted(frozenset[str]().union(*(track.tags for track in tracks))))
    bases = [folder, folder.parent] if folder.name == "data" else [folder]
    spellings = (_npy,) if mels else (str, _low)
    root, found = locate(bases, _MELS if mels else _AUDIO, tracks, spellings)
    return Dataset(
        name=f"mtg-jamendo-{subset}-{number}",
        root=root,
        outputs=outputs,
        tags=tuple(meaning(output) for output in outputs),
        tracks=found,
        kind="mel" if mels else "audio",
    )


def meaning(output: str) -> Tag:
    """Return the canonical tag of ``category---tag``; one of its own where tagkit knows none."""
    if known(output):
        return canonical(output)
    category, _, name = output.partition("---")
    if category not in _CATEGORIES or not name:
        raise DataError(f"{output!r} is no tag of MTG-Jamendo", hint="they read category---tag")
    return Tag(name.lower(), _CATEGORIES[category])


def _splits(folder: Path) -> Path | None:
    for place in (folder / "splits", folder / "data" / "splits"):
        if any(place.glob("split-*/autotagging*.tsv")):
            return place
    return None


def _official(table: Path, split: str) -> Iterator[Track]:
    lines = rows(table)
    columns(
        next(lines, []), ("TRACK_ID", "ARTIST_ID", "ALBUM_ID", "PATH", "DURATION", "TAGS"), table
    )
    for number, cells in enumerate(lines, 2):
        if len(cells) < 6:
            raise DataError(f"line {number} has {len(cells)} cells, not 6 or more", path=table)
        track, artist, album, path, _ = cells[:5]
        yield Track(track, path, split, _tags(cells[5:]), artist, album)


def _listed(table: Path, split: str) -> Iterator[Track]:
    lines = rows(table)
    columns(next(lines, []), ("TRACK_ID", "PATH", "TAGS"), table)
    for number, (track, _, *tags) in enumerate(lines, 2):
        found = re.fullmatch(r"track_0*(\d+)", track)
        if not found:
            raise DataError(f"line {number}: {track!r} is no track of MTG-Jamendo", path=table)
        path = f"{int(found[1]) % 100:02}/{found[1]}.mp3"
        yield Track(track, path, split, _tags(tags))


def _tags(cells: list[str]) -> frozenset[str]:
    return frozenset(filter(None, map(str.strip, cells)))


def _npy(path: str) -> str:
    return str(PurePosixPath(path).with_suffix(".npy"))


def _low(path: str) -> str:
    return str(PurePosixPath(path).with_suffix(f".low{PurePosixPath(path).suffix}"))
