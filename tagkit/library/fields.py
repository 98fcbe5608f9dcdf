"""Which native field a logical field lives in, for every kind of tag; ``--fields FILE`` changes it.

Logical fields are the five categories, ``grouping`` (an optional target), ``probability:<category>``
and ``tagkit``, the marker. :data:`DEFAULTS` is collected from MusicBrainz Picard's tag mapping,
beets' mediafile, Navidrome's mappings.yaml, TagLib and Mp3tag; for theme, instrument and vocals no
convention was found, and a custom field of the plain name is used.

A fields file maps a category to another logical field or to native names, one a layout::

    theme = "grouping"                  # the whole category goes to grouping

    [instrument]                        # what is left out keeps its default
    vorbis = "INSTRUMENTS"
    id3 = "TXXX:INSTRUMENTS"            # short for id3v23 and id3v24

Two categories never share a field: whoever reads *mood* back would take *theme* for a mood, and
whoever removes one would remove the other. Nor can a category go where something else is expected
(title, artist, comment, ReplayGain ...).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tagkit import strangers
from tagkit.errors import UsageError
from tagkit.vocab import CATEGORIES

LAYOUTS = ("id3v24", "id3v23", "vorbis", "mp4", "apev2", "asf")
MARKER = "tagkit"
GROUPING = "grouping"
PROBABILITY = "probability:"

ITUNES = "----:com.apple.iTunes:"


class Names(NamedTuple):
    """The native name of one logical field in every layout."""

    id3v24: str
    id3v23: str
    vorbis: str
    mp4: str
    apev2: str
    asf: str


def _custom(name: str, *, apev2: str | None = None, asf: str | None = None) -> Names:
    txxx = f"TXXX:{name}"
    return Names(txxx, txxx, name, ITUNES + name, apev2 or name, asf or name)


DEFAULTS: dict[str, Names] = {
    "mood": Names("TMOO", "TXXX:MOOD", "MOOD", f"{ITUNES}MOOD", "Mood", "WM/Mood"),
    "theme": _custom("THEME", apev2="Theme"),
    "instrument": _custom("INSTRUMENT", apev2="Instrument"),
    "genre": Names("TCON", "TCON", "GENRE", "©gen", "Genre", "WM/Genre"),
    "vocals": _custom("VOCALS", apev2="Vocals"),
    # Not TIT1: Navidrome and TagLib read that as "work"
    GROUPING: Names("GRP1", "GRP1", "GROUPING", "©grp", "Grouping", "WM/ContentGroupDescription"),
    MARKER: _custom("TAGKIT"),
    **{
        PROBABILITY + category: _custom(
            f"TAGKIT_{category.upper()}", asf=f"TAGKIT/{category.capitalize()}"
        )
        for category in CATEGORIES
    },
}

# Where other programs keep the same thing: read as the field, updated where present, never created.
# MusicBee and foobar2000 write TXXX:MOOD into ID3v2.4; a TMOO in ID3v2.3 is against the standard and
# common; gnre is the numbered genre of early iTunes.
ALSO: dict[tuple[str, str], tuple[str, ...]] = {
    ("id3v24", "TMOO"): ("TXXX:MOOD",),
    ("id3v23", "TXXX:MOOD"): ("TMOO",),
    ("mp4", "©gen"): ("gnre",),
    ("asf", "WM/Mood"): ("MOOD",),
    # Only read: who made a track is nothing that tagkit writes (library/origin.py).
    ("id3v24", "TPE2"): ("TXXX:ALBUM ARTIST", "TXXX:ALBUMARTIST"),
    ("id3v23", "TPE2"): ("TXXX:ALBUM ARTIST", "TXXX:ALBUMARTIST"),
    ("id3v24", "TCMP"): ("TXXX:COMPILATION",),
    ("id3v23", "TCMP"): ("TXXX:COMPILATION",),
    ("vorbis", "ALBUMARTIST"): ("ALBUM ARTIST", "ALBUM_ARTIST"),
    ("apev2", "Album Artist"): ("ALBUMARTIST",),
}

# Fields that mean something else to every reader, without case: a category cannot be mapped there.
_TAKEN = frozenset(
    """title subtitle artist artists album albumartist album_artist author composer lyricist writer
    conductor performer remixer arranger date year originaldate releasedate track tracknumber
    tracktotal totaltracks disc discnumber disctotal totaldiscs comment comments description lyrics
    unsyncedlyrics copyright encoder encoded-by encodedby encodersettings vendor language isrc barcode
    catalognumber label publisher bpm key initialkey compilation media rating website url contact
    location organization work movement movementname metadata_block_picture coverart cuesheet
    wm/albumtitle wm/albumartist wm/year wm/track wm/tracknumber wm/partofset wm/composer wm/lyrics
    wm/publisher wm/isrc wm/picture wm/text wm/writer wm/conductor wm/encodedby wm/language
    wm/beatsperminute wm/initialkey wm/subtitle wm/provider wm/originalreleaseyear""".split()
)
_TAKEN_BEGINNINGS = (
    *("tagkit", "replaygain_", "r128_", "musicbrainz", "acoustid", "cover art", "chapter"),
    *("waveformatextensible", "wm/media", "wm/wm", "isvbr", "itun"),
)

_TXXX = re.compile(r"TXXX:([^\x00-\x1f]{1,64})")
_PLAIN = re.compile(r"[ -<>-}]{1,64}")  # Vorbis: printable ASCII without "=" and "~"
_APE = re.compile(r"[ -~]{2,64}")
_FREEFORM = re.compile(r"----:[^\x00-\x1f:]{1,64}:([^\x00-\x1f]{1,64})")
_STANDARD = {
    "id3v24": {"TMOO", "TCON", "GRP1", "TIT1"},
    "id3v23": {"TCON", "GRP1", "TIT1"},
    "mp4": {"©gen", "©grp"},
}
_CUSTOM = {
    "id3v24": _TXXX,
    "id3v23": _TXXX,
    "vorbis": _PLAIN,
    "mp4": _FREEFORM,
    "apev2": _APE,
    "asf": re.compile(r"[^\x00-\x1f]{1,64}"),
}


@dataclass(frozen=True)
class FieldMap:
    """Logical field -> native names. ``FieldMap()`` is :data:`DEFAULTS`."""

    overrides: Mapping[str, Names] = field(default_factory=dict)

    def native(self, logical: str, layout: str) -> tuple[str, ...]:
        """Return the native names of a field: the one to write first, then those to keep equal.

        Raises ``KeyError`` for a logical field that does not exist.
        """
        names = self.overrides.get(logical) or DEFAULTS[logical]
        name: str = getattr(names, layout)
        return (name, *ALSO.get((layout, name), ()))


def load_fields(path: str | os.PathLike[str]) -> FieldMap:
    """Read a fields file. Raises UsageError, naming the file and the key."""
    try:
        table = strangers.toml(path)
    except OSError as error:
        raise UsageError(f"cannot read the fields file: {error.strerror}", path=path) from error
    except ValueError as error:
        raise UsageError(f"the fields file is not TOML: {error}", path=path) from error
    try:
        overrides = {category: _names(category, target) for category, target in table.items()}
        _reject_shared(overrides)
    except ValueError as error:
        raise UsageError(str(error), path=path, hint="the README shows one") from error
    return FieldMap(overrides)


def _names(category: str, target: object) -> Names:
    if category not in CATEGORIES:
        raise ValueError(f"{category!r} is no category; there are {', '.join(CATEGORIES)}")
    if isinstance(target, str):
        if target not in (*CATEGORIES, GROUPING):
            raise ValueError(f"{category} = {target!r}: no such field; give native names instead")
        return DEFAULTS[target]
    if not isinstance(target, dict):
        raise ValueError(f"{category}: expected a field or a table of native names")
    names = DEFAULTS[category]._asdict()
    for key, name in target.items():
        layouts = [
            layout for layout in LAYOUTS if layout == key or (key == "id3" and "id3" in layout)
        ]
        if not layouts:
            raise ValueError(
                f"{category}.{key}: no such layout; there are id3, {', '.join(LAYOUTS)}"
            )
        for layout in layouts:
            names[layout] = _checked(name, layout, f"{category}.{key}")
    return Names(**names)


def _checked(name: object, layout: str, key: str) -> str:
    if not isinstance(name, str):
        raise ValueError(f"{key}: expected a native name")
    if name in _STANDARD.get(layout, ()):
        return name
    match = _CUSTOM[layout].fullmatch(name)
    if match is None:
        raise ValueError(f"{key} = {name!r} is no name that tagkit can write in {layout}")
    plain = (match[1] if match.re.groups else name).casefold()
    if plain in _TAKEN or plain.startswith(_TAKEN_BEGINNINGS):
        raise ValueError(f"{key} = {name!r} means something else to other programs")
    return name


def _reject_shared(overrides: Mapping[str, Names]) -> None:
    fields = FieldMap(overrides)
    for layout in LAYOUTS:
        owners: dict[str, str] = {}
        for category in CATEGORIES:
            for name in fields.native(category, layout):
                other = owners.setdefault(name.casefold(), category)
                if other != category:
                    raise ValueError(f"{other} and {category} would share {name} ({layout})")
