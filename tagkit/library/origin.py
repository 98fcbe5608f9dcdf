"""Whose a file is, by its own tags: artist, album artist, album, and whether it is on a compilation."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tagkit.errors import TagError
from tagkit.library.containers import TagOptions, open_tags
from tagkit.library.fields import FieldMap, Names

#: Picard's names; what else is read for them is in ``fields.ALSO``.
PEOPLE = FieldMap(
    {
        "artist": Names("TPE1", "TPE1", "ARTIST", "©ART", "Artist", "Author"),
        "albumartist": Names(
            "TPE2", "TPE2", "ALBUMARTIST", "aART", "Album Artist", "WM/AlbumArtist"
        ),
        "album": Names("TALB", "TALB", "ALBUM", "©alb", "Album", "WM/AlbumTitle"),
        "compilation": Names(
            "TCMP", "TCMP", "COMPILATION", "cpil", "Compilation", "WM/IsCompilation"
        ),
    }
)
_OPTIONS = TagOptions(upgrade_id3=True)  # an old ID3v2.2 tag is read all the same
_NO = frozenset(("", "0", "false", "no"))
_LONGEST = 500  # characters; a longer name is no name


class Origin(NamedTuple):
    """What a file's tag says, as it is spelt there; "" where it says nothing. Of several artists the
    first."""

    artist: str = ""
    album_artist: str = ""
    album: str = ""
    compilation: bool = False


def read_origin(path: Path) -> Origin:
    """Return what the tag says; nothing where there is none, or none that tagkit can read."""
    try:
        tags = open_tags(path, PEOPLE, options=_OPTIONS)
        artist, album_artist, album = (
            next(iter(tags.get(field)), "")[:_LONGEST]
            for field in ("artist", "albumartist", "album")
        )
        flagged = any(value.strip().casefold() not in _NO for value in tags.get("compilation"))
        return Origin(artist, album_artist, album, flagged)
    except TagError:
        return Origin()
