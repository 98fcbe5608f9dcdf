"""A library's own tags as labels: what its owner wrote into the files' fields, and not what tagkit wrote.

A file counts where one of the fields has a value: nobody looked for moods in the others. Values mean
what tagkit's table says, and are tags of the field's own category where it knows none.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from tagkit.data.check import doubts
from tagkit.data.dataset import Dataset, Track
from tagkit.data.grouping import split_by_group
from tagkit.data.manifest import spelling
from tagkit.data.places import choose
from tagkit.errors import DataError, NoWriterError, TagError
from tagkit.library import marker
from tagkit.library.containers import TagFile, open_tags
from tagkit.library.fields import MARKER
from tagkit.library.finding.scan import Found, scan
from tagkit.library.origin import PEOPLE
from tagkit.vocab import CATEGORIES, Tag, canonical, known

#: Tags with fewer tracks cannot be both learned and measured.
LEAST = 5

_LONGEST = 40  # characters: what is longer is a sentence and no tag
_VARIOUS = {"various", "various artists", "va", "soundtrack", "unknown", "unknown artist"}


def read(
    folder: Path,
    fields: Sequence[str],
    *,
    least: int = LEAST,
    show: Callable[[Iterable[Path]], Iterable[Path]] = iter,
) -> Dataset:
    """Return the audio files below ``folder`` that have a value in one of the ``fields``.

    ``fields``: categories ("mood", "genre" ...), in any case. Tags of fewer than ``least`` tracks are left
    out. Split 80/10/10 by album artist, else artist, else folder. ``show`` passes on the files it is
    given. Raises DataError where no file has such a tag.
    """
    wanted = [choose(name.lower(), CATEGORIES, "tagkit", "field") for name in fields]
    if not folder.is_dir():
        raise DataError("is no folder", path=folder, hint="name the folder of a music library")
    labelled: list[tuple[Track, frozenset[Tag]]] = []
    files = [item.path for item in scan([folder]) if isinstance(item, Found)]
    unread = 0
    for path in show(files):
        try:
            file = open_tags(path, PEOPLE)
        except NoWriterError:
            continue  # a kind of file whose tags tagkit does not know
        except TagError:
            unread += 1
            continue
        if tags := _tags(file, wanted):
            labelled.append((_track(folder, path, file), tags))
    named = ", ".join(wanted)
    if not labelled:
        raise DataError(
            f"none of its {len(files):,} files has a {named} of yours",
            path=folder,
            hint="name another field with --field",
        )
    counts = Counter(tag for _, tags in labelled for tag in tags)
    kept = {tag for tag, count in counts.items() if count >= least}
    if not kept:
        raise DataError(
            f"no value of {named} is in {least} files or more",
            path=folder,
            hint="take a larger folder, or name another field with --field",
        )
    ordered = sorted(kept, key=lambda tag: (CATEGORIES.index(tag.category), tag.name))
    tracks = [
        track._replace(tags=frozenset(spelling(tag) for tag in tags & kept))
        for track, tags in labelled
        if tags & kept
    ]
    warnings = [f"{len(tracks):,} of {len(files):,} files have a {named} of yours"]
    if rare := len(counts) - len(kept):
        warnings.append(f"tags in fewer than {least} files, left out: {rare:,}")
    if unread:
        warnings.append(f"files with a tag that cannot be read: {unread:,}")
    dataset = Dataset(
        name=f"{folder.absolute().name}-{'-'.join(wanted)}",
        root=folder,
        outputs=tuple(map(spelling, ordered)),
        tags=tuple(ordered),
        tracks=split_by_group(tracks),
        warnings=tuple(warnings),
    )
    return dataset.warn(*doubts(dataset))


def _tags(file: TagFile, fields: Sequence[str]) -> frozenset[Tag]:
    """What the owner wrote, and none of tagkit's own values, as its marker says."""
    mark = marker.parse(file.get(MARKER))
    found = set()
    for field in fields:
        for value in marker.part(field, file.get(field), [mark]).users:
            found |= _meanings(value, field)
    return frozenset(found)


def _meanings(value: str, category: str) -> set[Tag]:
    """The tags that a value holds; ``;``, ``/`` and ``,`` separate them, as in players."""
    if known(value):
        return {canonical(value)}
    found = set()
    for part in re.split("[;/,]", value):
        name = " ".join(part.lower().split())
        if known(name) and name:
            found.add(canonical(name))
        elif name and len(name) <= _LONGEST and name.isprintable():
            found.add(Tag(name, category))
    return found


def _track(folder: Path, path: Path, file: TagFile) -> Track:
    below = Path(os.path.relpath(path, folder)).as_posix()
    artist, album_artist, album = (
        next(iter(file.get(name)), "") for name in ("artist", "albumartist", "album")
    )
    if album_artist.lower() not in _VARIOUS:
        artist = album_artist or artist
    return Track(below, below, "", frozenset(), artist, album)
