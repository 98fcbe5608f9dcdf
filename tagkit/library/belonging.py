"""Which artist's and which album's tracks a file belongs to, by its own tag and its folder.

==============================  ====================================================================
the file says                   it belongs to
==============================  ====================================================================
artist                          that artist's tracks; without an artist, the album artist's
album artist and album          that album, whoever plays on the track
artist and album                that artist's album of this name
the same, on a compilation      that artist's tracks of this album, and nobody else's
album alone                     the files of its folder that say the same album
no album                        the files of its folder without one by the same artist (or by nobody)
==============================  ====================================================================

A compilation says so: by its flag, or by "Various Artists" for album artist or artist. One that does
not, an album of many artists without an album artist, falls apart into its artists by the third row.

A folder stands for an album only inside the library: the library's root, which is the topmost of the
folders that were ever named as inputs, holds what was never sorted, and so does a folder above it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

from tagkit.inference.names import is_album, is_somebody, is_unknown_album, is_various, plain
from tagkit.library.origin import Origin


class Album(NamedTuple):
    """``title`` "" is a folder that stands for an album; ``folder`` b"" an album wherever it lies."""

    owner: str
    title: str
    folder: bytes


Artist: TypeAlias = str


class Belonging(NamedTuple):
    artist: Artist | None
    album: Album | None


class Belongings:
    """Tells of files where they belong; ``roots`` are the folders that were named as inputs."""

    def __init__(self, roots: Iterable[bytes]) -> None:
        self._outside = _outside(roots)

    def of(self, name: bytes, origin: Origin) -> Belonging:
        """Return where the file at the absolute path ``name`` belongs."""
        artist, album_artist, title = map(plain, origin[:3])
        performer = next(filter(is_somebody, (artist, album_artist)), "")
        mixed = origin.compilation or is_various(artist) or is_various(album_artist)
        ranked = (artist,) if mixed else (album_artist, artist)
        owner = next(filter(is_somebody, ranked), "")
        return Belonging(performer or None, self._album(name, owner, mixed, title))

    def _album(self, name: bytes, owner: str, mixed: bool, title: str) -> Album | None:
        if mixed and not owner:
            return None
        folder = os.path.dirname(name)  # noqa: PTH120 (bytes)
        if is_album(title):
            return Album(owner, title, b"" if owner else folder)
        if is_unknown_album(title) and folder not in self._outside:
            return Album(owner, "", folder)
        return None


def _outside(roots: Iterable[bytes]) -> set[bytes]:
    """Return the topmost of these folders, and every folder above one."""
    named = set(roots)
    topmost = [root for root in named if named.isdisjoint(_above(root))]
    return {*topmost, *(folder for root in topmost for folder in _above(root))}


def _above(folder: bytes) -> Iterator[bytes]:
    while (parent := os.path.dirname(folder)) != folder:  # noqa: PTH120 (bytes)
        folder = parent
        yield folder
