"""Programs that we did not write read what tagkit wrote: the right values, in the right fields, nothing else
changed; and once it is taken back, what they read before.

:data:`SHOWN` is the table of what each of them shows of two values in a field. Most show a list; where one
shows the first alone, or joins, that is its way with every list of that format, and the reason why tagkit
writes the strongest value first. :data:`BLIND` says who cannot read what.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tagkit.library.containers import open_tags
from tagkit.library.payload import content_key
from tagkit.library.runs.strip import strip
from tests import media
from tests.readers import (
    FIELDS,
    Seen,
    exiftool,
    ffprobe,
    kid3,
    mediafile,
    mediainfo,
    picard,
    taglib,
)
from tests.readers.beets import PLAYERS
from tests.test_writer import LAYOUT, Library

WANTED = {
    "mood": ("happy", "calm"),
    "theme": ("film", "love"),
    "instrument": ("piano", "harp"),
    "vocals": ("voice", "choir"),
    "genre": ("jazz", "rock"),
    "probability:mood": ("happy=0.83", "calm=0.40"),
}
OWNERS = ["Zen"]  # a mood that was there before
LAYOUTS = {
    "id3v24": ("mp3", "mp3_vbr", "mp3_id3v24", "mp3_ape", "wav", "aiff", "dsf"),
    "id3v23": ("mp3_id3v23", "flac_id3"),  # a FLAC with nothing but ID3 in front of it
    "vorbis": ("flac", "ogg", "oggflac", "opus"),
    "mp4": ("m4a", "m4a_faststart", "alac"),
    "apev2": ("ape", "wavpack", "musepack"),
    "asf": ("wma",),
}


class Shown(NamedTuple):
    """What a reader shows of the values A and B: of a mood, of a custom field (theme ...), of a genre."""

    mood: str
    custom: str
    genre: str


def alike(shown: str) -> Shown:
    return Shown(shown, shown, shown)


LIST = alike("A B")
FIRST = alike("A")
JOINED = alike("A;_B")  # ID3v2.3 has no lists: this is what is there
SHOWN: dict[str, dict[str, Shown]] = {
    "ffprobe": {
        "id3v24": FIRST,
        "id3v23": JOINED,
        "vorbis": alike("A;B"),
        "mp4": FIRST,
        "apev2": FIRST,
        "asf": alike("B"),  # of several attributes of a name it keeps the last
    },
    "exiftool": {
        "id3v24": Shown("A/B", "A", "A/B"),
        "id3v23": JOINED,
        "vorbis": LIST,
        "mp4": LIST,
        "apev2": alike("AB"),  # it drops the null between them
        "asf": Shown("A B", "", "A B"),  # of attributes it shows those that it knows
    },
    "kid3-cli": {
        "id3v24": Shown("A|B", "A", "A|B"),
        "id3v23": JOINED,
        "vorbis": LIST,
        "mp4": alike("A|B"),
        "apev2": FIRST,
        "asf": LIST,
    },
    "mediainfo": {
        "id3v24": FIRST,
        "id3v23": JOINED,
        "vorbis": alike("A_/_B"),
        "mp4": alike("A_/_B"),
        "apev2": FIRST,
        "asf": Shown("A_/_B", "A_/_B", "B"),
    },
    "mediafile": dict.fromkeys(("id3v24", "vorbis", "mp4", "apev2", "asf"), LIST)
    | {"id3v23": JOINED},
    "taglib": dict.fromkeys(("id3v24", "vorbis", "mp4", "apev2"), LIST)
    | {"id3v23": JOINED, "asf": Shown("A B", "", "A B")},  # as exiftool
    "picard": dict.fromkeys(("id3v24", "vorbis", "mp4", "apev2"), LIST)
    | {"id3v23": JOINED, "asf": Shown("A B", "", "A B")},  # as exiftool
}
BLIND = {
    ("exiftool", "dsf"): "ExifTool reads no tags in DSF",
    ("exiftool", "wavpack"): "ExifTool reads no tags in WavPack",
    ("exiftool", "musepack"): "ExifTool reads no tags in Musepack SV8",
    ("mediainfo", "oggflac"): "MediaInfo shows no comments of Ogg FLAC",
    ("mediafile", "oggflac"): "mediafile does not support Ogg FLAC",
    ("kid3-cli", "flac_id3"): "Kid3 reads no ID3 in front of FLAC, its title neither",
    ("mediafile", "flac_id3"): "nor does mediafile",
    ("picard", "flac_id3"): "nor does Picard",
}
READERS: dict[str, Callable[[list[Path]], list[Seen]]] = {
    "ffprobe": ffprobe.read,
    "exiftool": exiftool.read,
    "kid3-cli": kid3.read,
    "mediainfo": mediainfo.read,
    "mediafile": mediafile.read,
    "taglib": taglib.read,
    "picard": picard.read,
}
STATES = ("before", "written", "stripped", "owned", "undone")


@pytest.fixture(scope="module")
def shelves(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Path]]:
    """Every kind of file in every state: as it was, written, stripped of that again; with a mood of its
    owner's, and with that replaced and taken back."""
    kinds = [kind for layout in LAYOUTS.values() for kind in layout]
    made: dict[str, dict[str, Path]] = {}
    for state in STATES:
        library = Library(tmp_path_factory.mktemp(state))
        made[state] = {kind: library.make(kind, seconds=1.0) for kind in kinds}
        for path in made[state].values():
            bring_to(state, path, library)
        library.journal.close()
    return made


def bring_to(state: str, path: Path, library: Library) -> None:
    if state in ("owned", "undone"):
        tags = open_tags(path)
        tags.set("mood", OWNERS)
        tags.save()
    if state in ("written", "stripped", "undone"):
        existing = "replace" if state == "undone" else "keep"
        change = library.propose(path, WANTED, genre="fill", existing=existing)
        assert library.apply(change).status == "written"
    if state == "undone":
        assert library.undo(path).status == "written"
    if state == "stripped":
        key = content_key(path)
        change = strip(path, LAYOUT.open(path), content=key, remembered=None)
        assert library.apply(change).status == "written"


@pytest.fixture(scope="module", params=READERS)
def reader(
    request: pytest.FixtureRequest, shelves: dict[str, dict[str, Path]]
) -> tuple[str, dict[str, dict[str, Seen]]]:
    """One reader, and what it sees of every kind in every state, in one run a state."""
    read = READERS[request.param]
    seen = {
        state: dict(zip(files, read(list(files.values())), strict=True))
        for state, files in shelves.items()
    }
    return request.param, seen


def expected(name: str, layout: str) -> dict[str, list[str]]:
    row = SHOWN[name][layout]
    forms = {"mood": row.mood, "genre": row.genre}
    return {field: filled(forms.get(field, row.custom), *WANTED[field]) for field in FIELDS}


def filled(form: str, first: str, second: str) -> list[str]:
    values = {"A": first, "B": second, "_": " "}
    return ["".join(values.get(letter, letter) for letter in word) for word in form.split()]


def test_it_sees_the_values_where_it_looks_for_them_and_all_else_as_before(
    reader: tuple[str, dict[str, dict[str, Seen]]],
) -> None:
    name, seen = reader
    for layout, kinds in LAYOUTS.items():
        for kind in kinds:
            before, after = seen["before"][kind], seen["written"][kind]
            if (name, kind) in BLIND:
                assert not any(after.fields.values()), f"{name} has learnt to read {kind}"
                continue
            wanted = expected(name, layout)
            if kind.startswith("mp3") or kind == "flac_id3":  # these have a genre, which stays
                wanted["genre"] = before.fields["genre"]
            assert after.fields == wanted, f"{name} on {kind}"
            assert not any(before.fields[field] for field in FIELDS if field != "genre")
            assert after.others == before.others, f"{name} on {kind}"
            assert before.others and not before.ours


def test_once_taken_back_it_sees_what_was_there(
    reader: tuple[str, dict[str, dict[str, Seen]]],
) -> None:
    name, seen = reader
    for kind in seen["before"]:
        assert seen["stripped"][kind] == seen["before"][kind], f"{name} on {kind}"
        owned = seen["owned"][kind]
        assert owned.fields["mood"] == ([] if (name, kind) in BLIND else OWNERS), (
            f"{name} on {kind}"
        )
        assert seen["undone"][kind] == owned, f"{name} on {kind}"


def test_every_writable_format_is_on_the_shelves() -> None:
    assert sorted(kind for kinds in LAYOUTS.values() for kind in kinds) == sorted(media.WRITABLE)


def test_docs_players_says_what_they_show_of_a_mood() -> None:
    rows = {}
    for line in PLAYERS.read_text(encoding="utf-8").split("## ")[1].splitlines():
        names, *cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] or [""]
        for name in names.split(", "):
            rows[name] = [cell.replace("\\|", "|").strip("`") for cell in cells]
    called = {"ffprobe": "FFmpeg", "exiftool": "ExifTool", "kid3-cli": "Kid3", "taglib": "TagLib"}
    called |= {"mediainfo": "MediaInfo", "picard": "Picard", "mediafile": "beets"}
    for name, row in SHOWN.items():
        for layout, cell in zip(LAYOUTS, rows[called[name]], strict=True):
            wanted = list(WANTED["mood"]) if cell == "both" else [cell]
            assert expected(name, layout)["mood"] == wanted, (name, layout)
        assert row.keys() == LAYOUTS.keys()


def test_docs_players_names_the_versions_that_are_tried() -> None:
    script = (PLAYERS.parents[1] / "tests" / "readers" / "clients.sh").read_text()
    tried = re.findall(r"(picard|beets)-([\d.]+)", script)
    assert len(tried) == 2
    for name, version in tried:
        assert f"| {name} {version} |" in PLAYERS.read_text(encoding="utf-8").replace("P", "p")
