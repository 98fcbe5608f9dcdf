"""A library's own tags become labels: the owner's, never tagkit's own."""

from __future__ import annotations

from pathlib import Path

import mutagen
import pytest

from tagkit.data import library_tags
from tagkit.data.dataset import SPLITS
from tagkit.data.grouping import leaks
from tagkit.errors import DataError
from tagkit.library import marker
from tagkit.library.containers import open_tags
from tagkit.vocab import Tag
from tests import media


def song(
    path: Path, moods: list[str], *, artist: str = "", album_artist: str = "", kind: str = "flac"
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    media.make(path, kind, seconds=0.1)
    tags = open_tags(path)
    if moods:
        tags.set("mood", moods)
        tags.save()
    if artist or album_artist:
        easy = mutagen.File(path, easy=True)  # type: ignore[attr-defined]
        if easy.tags is None:
            easy.add_tags()
        for name, value in (("artist", artist), ("albumartist", album_artist)):
            if value:
                easy[name] = [value]
        easy.save()
    return path


def test_values_become_tags_and_files_without_one_are_left_out(tmp_path: Path) -> None:
    song(tmp_path / "1.flac", ["Happy", "Uplifting"], artist="A")
    song(tmp_path / "2.flac", ["happy", "Night Drive"], artist="B")
    song(tmp_path / "3.flac", ["Night  drive"], artist="C")
    song(tmp_path / "4.flac", [])
    found = library_tags.read(tmp_path, ["MOOD"], least=1)
    assert found.outputs == ("happy", "mood---night drive", "uplifting")
    assert found.tags[1] == Tag("night drive", "mood")
    assert [track.path for track in found.tracks] == ["1.flac", "2.flac", "3.flac"]
    assert found.labels.tolist() == [[True, False, True], [True, True, False], [False, True, False]]
    assert found.warnings[0] == "3 of 4 files have a mood of yours"
    assert {track.artist: track.split for track in found.tracks}.keys() == {"A", "B", "C"}


@pytest.mark.parametrize(
    "kind", ["flac", "mp3_id3v24", "mp3_id3v23", "ogg", "opus", "m4a", "wav", "aiff"]
)
def test_artists_are_found_in_every_container(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a" / f"x{media.KINDS[kind].suffix}"
    song(path, ["Happy", "Sad"], kind=kind)
    tags = open_tags(path, library_tags.PEOPLE)
    tags.set("artist", ["Someone"])
    tags.save()
    (track,) = library_tags.read(tmp_path, ["mood"], least=1).tracks
    assert track.tags == {"happy", "sad"} and track.artist == "Someone"


def test_the_album_artist_counts_unless_it_is_nobody(tmp_path: Path) -> None:
    song(tmp_path / "1.flac", ["Sad"], artist="A feat. B", album_artist="A")
    song(tmp_path / "2.flac", ["Sad"], artist="C", album_artist="Various Artists")
    found = library_tags.read(tmp_path, ["mood"], least=1)
    assert [track.artist for track in found.tracks] == ["A", "C"]


def test_values_that_one_field_joins_come_apart(tmp_path: Path) -> None:
    path = song(tmp_path / "1.flac", [])
    file = mutagen.File(path)  # type: ignore[attr-defined]
    file["GENRE"] = ["Hip-Hop/Rap; R&B", "AC/DC tribute", "\x07", "x" * 60]
    file.save()
    found = library_tags.read(tmp_path, ["genre"], least=1)
    own = {"genre---rap", "genre---ac", "genre---dc tribute"}
    assert set(found.outputs) == {"hip hop", "rnb"} | own


def test_what_tagkit_wrote_is_no_label(tmp_path: Path) -> None:
    values = ["Sad", "happy", "energetic"]
    path = song(tmp_path / "1.flac", values)
    tags = open_tags(path)
    mark = marker.Marker("1", "model", {"mood": marker.claim(values, 2)})
    tags.set("tagkit", list(marker.text(mark)))
    tags.save()
    (track,) = library_tags.read(tmp_path, ["mood"], least=1).tracks
    assert track.tags == {"sad"}
    tags.set("mood", ["Sad", "happy"])  # edited since: all of it is the owner's
    tags.save()
    (track,) = library_tags.read(tmp_path, ["mood"], least=1).tracks
    assert track.tags == {"sad", "happy"}


def test_rare_tags_are_left_out_and_counted(tmp_path: Path) -> None:
    for n in range(20):
        song(
            tmp_path / f"artist {n // 2}" / f"{n}.flac", ["Happy", "Once"] if n == 0 else ["Happy"]
        )
    song(tmp_path / "rare.flac", ["Never"])
    found = library_tags.read(tmp_path, ["mood"])
    assert found.outputs == ("happy",) and len(found.tracks) == 20
    assert "tags in fewer than 5 files, left out: 2" in found.warnings
    # Without artists, a folder stays together.
    assert not leaks([t._replace(artist=t.path.split("/")[0]) for t in found.tracks], "artist")
    assert {track.split for track in found.tracks} == set(SPLITS)


def test_several_fields_speak_together(tmp_path: Path) -> None:
    path = song(tmp_path / "1.flac", ["Sad"])
    tags = open_tags(path)
    tags.set("instrument", ["Piano"])
    tags.save()
    found = library_tags.read(tmp_path, ["mood", "instrument"], least=1)
    assert found.outputs == ("sad", "piano") and found.name.endswith("-mood-instrument")


def test_what_cannot_be_used_is_said(tmp_path: Path) -> None:
    song(tmp_path / "1.flac", [])
    with pytest.raises(DataError, match=r"none of its 1 files has a mood of yours.*--field"):
        library_tags.read(tmp_path, ["mood"])
    with pytest.raises(DataError, match=r"no field 'moods' \(did you mean mood"):
        library_tags.read(tmp_path, ["moods"])
    with pytest.raises(DataError, match="is no folder"):
        library_tags.read(tmp_path / "gone", ["mood"])
    song(tmp_path / "2.flac", ["Sad"])
    (tmp_path / "3.flac").write_bytes(b"fLaC\x00")
    with pytest.raises(DataError, match="no value of mood is in 5 files or more"):
        library_tags.read(tmp_path, ["mood"])
    assert (
        "files with a tag that cannot be read: 1"
        in library_tags.read(tmp_path, ["mood"], least=1).warnings
    )
