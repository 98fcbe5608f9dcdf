"""Whose a file is, read from real files of every format, and where that puts it."""

from __future__ import annotations

from pathlib import Path

import mutagen
import pytest

from tagkit.library.belonging import Album, Belongings
from tagkit.library.containers import open_tags
from tagkit.library.origin import Origin, read_origin
from tests import media, people
from tests.people import Who

KINDS = [kind for kind in media.KINDS if media.KINDS[kind].container != "other"]
KINDS.remove("mp4_video")  # whose tags tagkit leaves to others


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_says_whose_it_is(tmp_path: Path, kind: str) -> None:
    path = media.make(tmp_path, kind, seconds=0.2)
    nothing = Origin("B") if kind == "mp3_ape" else Origin()
    assert read_origin(path) == nothing
    people.sign(path, kind, Who("Ann Å", "Ann & Bob", "Öde, Vol. 1"))
    assert read_origin(path) == Origin("Ann Å", "Ann & Bob", "Öde, Vol. 1", False)
    people.sign(path, kind, Who(compilation=True))
    assert read_origin(path).compilation


@pytest.mark.parametrize("kind", ["wma", "m4a"])
def test_a_tag_with_an_author_or_a_flag_is_written_as_before(tmp_path: Path, kind: str) -> None:
    path = media.make(tmp_path, kind, seconds=0.2)
    people.sign(path, kind, Who("Ann", "", "Öde", compilation=True))
    tags = open_tags(path)
    before = tags.foreign()
    tags.set("mood", ["calm"])
    tags.save()
    assert open_tags(path).foreign() == before
    assert open_tags(path).get("mood") == ["calm"]
    assert read_origin(path) == Origin("Ann", "", "Öde", True)


def test_of_several_artists_the_first_counts(tmp_path: Path) -> None:
    for kind in ("mp3_id3v23", "mp3_id3v24", "flac", "wma", "m4a"):
        path = media.make(tmp_path, kind, foreign=True)
        assert read_origin(path).artist == media.ARTISTS[0], kind


def test_other_names_for_the_same_are_read(tmp_path: Path) -> None:
    path = media.make(tmp_path, "flac", seconds=0.2)
    file = mutagen.File(path)
    assert file is not None
    file["ALBUM ARTIST"] = "Ann"
    file["compilation"] = "0"
    file.save()
    assert read_origin(path) == Origin("", "Ann", "", False)


@pytest.mark.parametrize("content", [b"", b"fLaC" + bytes(100), b"ID3\4\0\0\0\0\0\x7fTPE1"])
def test_what_cannot_be_read_says_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.mp3"
    path.write_bytes(content)
    assert read_origin(path) == read_origin(tmp_path / "nowhere") == Origin()


# ---------------------------------------------------------------------------- where it belongs

NAME, FOLDER = b"/m/A/1.mp3", b"/m/A"


def belongs(origin: Origin, name: bytes = NAME) -> tuple[str | None, Album | None]:
    return Belongings([b"/m"]).of(name, origin)


@pytest.mark.parametrize(
    ("origin", "artist", "album"),
    [
        (Origin("Ann", "", "Ode"), "ann", ("ann", "ode", b"")),
        (Origin("Ann feat. Bob", "Ann", "Ode"), "ann feat. bob", ("ann", "ode", b"")),
        (Origin("", "Ann", "Ode"), "ann", ("ann", "ode", b"")),
        (Origin("Unknown Artist", "ANN ", "  Ode"), "ann", ("ann", "ode", b"")),
        (Origin("Ann", "Various Artists", "Hits"), "ann", ("ann", "hits", b"")),
        (Origin("Ann", "", "Hits", True), "ann", ("ann", "hits", b"")),
        (Origin("Ann", "Bob", "Hits", True), "ann", ("ann", "hits", b"")),
        (Origin("", "Various Artists", "Hits"), None, None),
        (Origin("VA", "", "Hits"), None, None),
        (Origin("", "", "Hits", True), None, None),
        (Origin("", "", "Ode"), None, ("", "ode", FOLDER)),
        (Origin("", "", ""), None, ("", "", FOLDER)),
        (Origin("unknown", "", "Unknown Album"), None, ("", "", FOLDER)),
        (Origin("Ann", "", ""), "ann", ("ann", "", FOLDER)),
        (Origin("Ann", "", "[non-album tracks]"), "ann", None),
        (Origin("Ann", "", "Singles"), "ann", None),
        # the accent as one character, and as two
        (Origin("Bj\u00f6rk", "", "Ode"), "bj\u00f6rk", ("bj\u00f6rk", "ode", b"")),
        (Origin("Bjo\u0308rk", "", "Ode"), "bj\u00f6rk", ("bj\u00f6rk", "ode", b"")),
    ],
)
def test_the_tag_and_the_folder_say_where_it_belongs(
    origin: Origin, artist: str | None, album: tuple[str, str, bytes] | None
) -> None:
    assert belongs(origin) == (artist, album)


def test_the_root_and_what_is_above_it_are_no_albums() -> None:
    # /m/B was named too, but it is inside the library.
    belongings = Belongings([b"/m/B", b"/m", b"/n"])
    inside = {b"/m/B": True, b"/m": False, b"/n": False, b"/": False, b"/mm": True, b"/m/B/C": True}
    for folder, is_album in inside.items():
        name = folder.rstrip(b"/") + b"/1.mp3"
        assert (belongings.of(name, Origin()).album is not None) == is_album, folder
        # An album that has a name is one wherever its files lie.
        assert belongings.of(name, Origin("Ann", "", "Ode")).album == ("ann", "ode", b"")
    assert belongings.of(b"/m/1.mp3", Origin("Ann")) == ("ann", None)
