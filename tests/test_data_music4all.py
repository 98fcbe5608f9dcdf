"""Music4All: its own tags as far as tagkit knows them, and the focal paper's matched list."""

from __future__ import annotations

from pathlib import Path

import pytest

from tagkit.data import music4all, open_dataset, read_dataset
from tagkit.errors import DataError
from tagkit.recipe import Data
from tagkit.vocab import Tag
from tests.shared import shared

TAGS = (
    "id\ttags\nabc\thip-hop,female vocalists,seen live\ndef\tHappy,seen live\nghi\tmy favourites\n"
)
PEOPLE = "id\tartist\tsong\talbum_name\nabc\tThe A\tSong\tAlbum\n"


def test_tags_that_tagkit_knows_are_labels(tmp_path: Path) -> None:
    (tmp_path / "id_tags.csv").write_text(TAGS)
    (tmp_path / "id_information.csv").write_text(PEOPLE)
    (tmp_path / "audios").mkdir()
    for name in ("abc", "def", "ghi"):
        (tmp_path / "audios" / f"{name}.mp3").touch()
    found = open_dataset(tmp_path, Data())
    assert found.outputs == ("happy", "hip hop", "female vocals")
    assert found.tags[1] == Tag("hip hop", "genre")
    assert found.labels.tolist() == [[False, True, True], [True, False, False], [False] * 3]
    assert {track.split for track in found.tracks} == {"train"}
    assert found.root == tmp_path / "audios" and found.tracks[0].path == "abc.mp3"
    assert (found.tracks[0].artist, found.tracks[0].album) == ("The A", "Album")
    assert found.warnings[0].startswith(
        "2 tags that tagkit does not know are left out, such as seen live"
    )
    assert "the split test is empty" in found.warnings


def test_the_focal_papers_list_is_in_jamendos_spelling() -> None:
    found = music4all.read(shared("predictions", "usc-sail-2020"))
    assert len(found.tracks) == 5_666 and len(found.outputs) == 52
    assert all(output.startswith("mood/theme---") for output in found.outputs)
    assert found.tracks[0].tags == {"mood/theme---happy", "mood/theme---fun"}
    assert found.tracks[0].path == "04KHUHlgU8Pg1MAu.mp3"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id,tags\nabc,happy\n", "has no column id, tags.*it says: id,tags"),
        ("id\tgenres\nabc\thappy\n", "has no column tags"),
        ("", "has no column id, tags"),
        ("id\ttags\nabc\n", "line 2 has 1 cells"),
        ("id\ttags\nabc\tseen live\n", "no track with a tag that tagkit knows"),
    ],
)
def test_another_header_than_documented_is_shown(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "id_tags.csv").write_text(text)
    with pytest.raises(DataError, match=says):
        music4all.read(tmp_path)


def test_a_tag_set_it_does_not_have_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Music4All has no tag set 'mood'"):
        music4all.read(tmp_path, tags="mood")


def test_the_list_itself_is_a_dataset_beside_others_in_its_folder() -> None:
    found = read_dataset(shared("predictions", "usc-sail-2020") / music4all.MATCHED, Data())
    assert (found.name, len(found.tracks)) == ("music4all-moodtheme", 5_666)
