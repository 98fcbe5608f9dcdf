"""Where a logical field lives, and what a fields file may change about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tagkit.errors import UsageError
from tagkit.library.containers import open_tags
from tagkit.library.fields import DEFAULTS, LAYOUTS, FieldMap, load_fields
from tagkit.vocab import CATEGORIES
from tests import media, rawid3

# The table of the manual, row by row
TABLE = {
    "mood": ("TMOO", "TXXX:MOOD", "MOOD", "----:com.apple.iTunes:MOOD", "Mood", "WM/Mood"),
    "genre": ("TCON", "TCON", "GENRE", "©gen", "Genre", "WM/Genre"),
    "instrument": (
        *("TXXX:INSTRUMENT", "TXXX:INSTRUMENT", "INSTRUMENT"),
        *("----:com.apple.iTunes:INSTRUMENT", "Instrument", "INSTRUMENT"),
    ),
    "theme": (
        *("TXXX:THEME", "TXXX:THEME", "THEME"),
        *("----:com.apple.iTunes:THEME", "Theme", "THEME"),
    ),
    "vocals": (
        *("TXXX:VOCALS", "TXXX:VOCALS", "VOCALS"),
        *("----:com.apple.iTunes:VOCALS", "Vocals", "VOCALS"),
    ),
    "grouping": ("GRP1", "GRP1", "GROUPING", "©grp", "Grouping", "WM/ContentGroupDescription"),
    "probability:mood": (
        *("TXXX:TAGKIT_MOOD", "TXXX:TAGKIT_MOOD", "TAGKIT_MOOD"),
        *("----:com.apple.iTunes:TAGKIT_MOOD", "TAGKIT_MOOD", "TAGKIT/Mood"),
    ),
    "tagkit": (
        *("TXXX:TAGKIT", "TXXX:TAGKIT", "TAGKIT"),
        *("----:com.apple.iTunes:TAGKIT", "TAGKIT", "TAGKIT"),
    ),
}


@pytest.mark.parametrize("field", TABLE)
def test_the_defaults_are_the_table(field: str) -> None:
    fields = FieldMap()
    assert tuple(fields.native(field, layout)[0] for layout in LAYOUTS) == TABLE[field]


def test_every_category_has_a_field_and_a_probability_and_no_two_share_one() -> None:
    assert {*CATEGORIES, *(f"probability:{c}" for c in CATEGORIES)} <= set(DEFAULTS)
    for layout in LAYOUTS:
        names = [n.casefold() for f in DEFAULTS for n in FieldMap().native(f, layout)]
        assert len(set(names)) == len(names)


def load(folder: Path, text: str) -> FieldMap:
    path = folder / "fields.toml"
    path.write_text(text, encoding="utf-8")
    return load_fields(path)


def test_a_category_goes_to_another_logical_field(tmp_path: Path) -> None:
    fields = load(tmp_path, 'theme = "grouping"')
    for layout in LAYOUTS:
        assert fields.native("theme", layout) == FieldMap().native("grouping", layout)
        assert fields.native("mood", layout) == FieldMap().native("mood", layout)


def test_native_names_replace_only_the_layouts_they_name(tmp_path: Path) -> None:
    fields = load(
        tmp_path,
        """
        [instrument]
        id3 = "TIT1"
        vorbis = "INSTRUMENTS"
        mp4 = "----:org.example:Instruments"
        """,
    )
    assert fields.native("instrument", "id3v23") == ("TIT1",)
    assert fields.native("instrument", "id3v24") == ("TIT1",)
    assert fields.native("instrument", "vorbis") == ("INSTRUMENTS",)
    assert fields.native("instrument", "mp4") == ("----:org.example:Instruments",)
    assert fields.native("instrument", "apev2") == ("Instrument",)


def test_two_categories_may_change_places(tmp_path: Path) -> None:
    fields = load(tmp_path, 'mood = "theme"\ntheme = "mood"')
    assert fields.native("mood", "vorbis") == ("THEME",)
    assert fields.native("theme", "id3v24") == ("TMOO", "TXXX:MOOD")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('moood = "grouping"', "moood"),
        ('tagkit = "grouping"', "tagkit"),
        ('mood = "title"', "mood"),
        ("mood = 3", "mood"),
        ('mood = "theme"', "theme"),
        ('mood = "grouping"\ntheme = "grouping"', "GRP1"),
        ('[theme]\nvorbis = "mood"', "mood"),
        ('[theme]\nid3 = "TXXX:mood"', "TXXX:mood"),
        ('[theme]\nogg = "THEME"', "theme.ogg"),
        ("[theme]\nvorbis = 3", "theme.vorbis"),
        ('[theme]\nvorbis = ""', "theme.vorbis"),
        ('[theme]\nvorbis = "A=B"', "theme.vorbis"),
        ('[theme]\nvorbis = "Artist"', "theme.vorbis"),
        ('[theme]\nvorbis = "REPLAYGAIN_TRACK_GAIN"', "theme.vorbis"),
        ('[theme]\nid3 = "TIT2"', "theme.id3"),
        ('[theme]\nid3 = "COMM"', "theme.id3"),
        ('[theme]\nid3v23 = "TMOO"', "theme.id3v23"),
        ('[theme]\nid3 = "TXXX:TAGKIT"', "theme.id3"),
        ('[theme]\nmp4 = "©nam"', "theme.mp4"),
        ('[theme]\nmp4 = "----:com.apple.iTunes:iTunNORM"', "theme.mp4"),
        ('[theme]\napev2 = "X"', "theme.apev2"),
        ('[theme]\napev2 = "Cover Art (Front)"', "theme.apev2"),
        ('[theme]\nasf = "WM/AlbumTitle"', "theme.asf"),
        ("mood = ", "TOML"),
        ('mood = "\udcff"', "TOML"),
    ],
)
def test_what_a_fields_file_may_not_say_names_the_file_and_the_key(
    tmp_path: Path, text: str, named: str
) -> None:
    path = tmp_path / "fields.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UsageError, match=r"fields\.toml") as caught:
        load_fields(path)
    assert named in str(caught.value)


def test_a_fields_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing\.toml"):
        load_fields(tmp_path / "missing.toml")


@pytest.mark.parametrize("kind", ["mp3_id3v23", "flac", "m4a", "ape", "wma"])
def test_a_mapped_field_is_where_the_values_go(tmp_path: Path, kind: str) -> None:
    fields = load(tmp_path, 'theme = "grouping"')
    path = media.make(tmp_path, kind)
    tags = open_tags(path, fields)
    tags.set("theme", ["film", "epic"])
    tags.save()
    assert open_tags(path).get("grouping") == ["film", "epic"]
    assert open_tags(path).get("theme") == []
    if kind == "mp3_id3v23":
        frames = {frame.id: frame.body for frame in rawid3.parse(path.read_bytes()).frames}
        assert frames["GRP1"] == b"\0film; epic"
