"""Music4All: 30 s clips with the tags that last.fm's listeners gave them; for training only.

``id_tags.csv`` (tab-separated in spite of its name) has the columns ``id`` and ``tags``, the latter with
commas; ``id_information.csv`` has ``id``, ``artist``, ``song`` and ``album_name``. Audio is ``audios/ID.mp3``. The
focal paper's ``m4a_moodtheme-train.tsv`` (TRACK_ID, PATH of that paper's own files, TAGS in the third
and all further cells) lists the tracks whose tags match MTG-Jamendo's moods and themes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tagkit.data.dataset import Dataset, Track
from tagkit.data.mtg_jamendo import meaning
from tagkit.data.places import choose, locate
from tagkit.data.tables import columns, rows
from tagkit.errors import DataError
from tagkit.vocab import CATEGORIES, Tag, canonical, known

TAGS = "id_tags.csv"
INFORMATION = "id_information.csv"
MATCHED = "m4a_moodtheme-train.tsv"
TAG_SETS = ("known", "moodtheme")

_AUDIO = ("audios", "", "audio")


def recognise(folder: Path) -> bool:
    """Whether the folder holds Music4All's tags or the focal paper's list, or this is that list."""
    if folder.is_file():
        return folder.name == MATCHED
    return (folder / TAGS).exists() or (folder / MATCHED).exists()


def read(folder: Path, *, tags: str = "") -> Dataset:
    """Return all tracks as training tracks.

    ``tags``: "known", every tag that tagkit knows under any spelling (the default where ``id_tags.csv`` is
    there); "moodtheme", the focal paper's list in MTG-Jamendo's spelling, also where ``folder`` is that
    list itself. Raises DataError.
    """
    if folder.is_file():
        folder, tags = folder.parent, tags or "moodtheme"
    default = TAG_SETS[0] if (folder / TAGS).exists() else TAG_SETS[1]
    chosen = choose(tags or default, TAG_SETS, "Music4All", "tag set")
    people = _people(folder / INFORMATION)
    if chosen == "known":
        found, meant, warnings = _known(folder / TAGS)
    else:
        found = dict(_matched(folder / MATCHED))
        meant = {tag: meaning(tag) for tag in frozenset[str]().union(*found.values())}
        warnings = []
    if not meant:
        raise DataError("lists no track with a tag that tagkit knows", path=folder)
    order = sorted(meant, key=lambda name: (CATEGORIES.index(meant[name].category), name))
    outputs = tuple(sorted(meant) if chosen == "moodtheme" else order)
    tracks = [
        Track(identity, f"{identity}.mp3", "train", has, *people.get(identity, ("", "")))
        for identity, has in found.items()
    ]
    root, located = locate([folder], _AUDIO, tracks)
    return Dataset(
        name=f"music4all-{chosen}",
        root=root,
        outputs=outputs,
        tags=tuple(meant[output] for output in outputs),
        tracks=located,
        warnings=tuple(warnings),
    )


def _known(table: Path) -> tuple[dict[str, frozenset[str]], dict[str, Tag], list[str]]:
    """Track → canonical names, what they mean, and what was left out."""
    lines = rows(table)
    identity, tags = columns(next(lines, []), ("id", "tags"), table)
    found: dict[str, frozenset[str]] = {}
    unknown: Counter[str] = Counter()
    for number, cells in enumerate(lines, 2):
        if len(cells) <= max(identity, tags):
            raise DataError(f"line {number} has {len(cells)} cells", path=table)
        spelled = [tag.strip() for tag in cells[tags].split(",") if tag.strip()]
        unknown.update(tag for tag in spelled if not known(tag))
        found[cells[identity]] = frozenset(canonical(tag).name for tag in spelled if known(tag))
    meant = {name: canonical(name) for name in frozenset[str]().union(*found.values())}
    said = []
    if unknown:
        often = ", ".join(tag for tag, _ in unknown.most_common(5))
        said.append(
            f"{len(unknown):,} tags that tagkit does not know are left out, such as {often}"
        )
    return found, meant, said


def _matched(table: Path) -> Iterator[tuple[str, frozenset[str]]]:
    lines = rows(table)
    columns(next(lines, []), ("TRACK_ID", "PATH", "TAGS"), table)
    for number, cells in enumerate(lines, 2):
        tags = frozenset(filter(None, map(str.strip, cells[2:])))
        if not tags:
            raise DataError(f"line {number} has no tags", path=table)
        yield cells[0], tags


def _people(table: Path) -> dict[str, tuple[str, str]]:
    if not table.exists():
        return {}
    lines = rows(table)
    places = columns(next(lines, []), ("id", "artist", "album_name"), table)
    return {
        cells[places[0]]: (cells[places[1]], cells[places[2]])
        for cells in lines
        if len(cells) > max(places)
    }
