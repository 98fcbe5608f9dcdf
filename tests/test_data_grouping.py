"""Splits that keep an artist together, and datasets joined into one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagkit.data import join
from tagkit.data.dataset import SPLITS, Dataset, Track
from tagkit.data.grouping import group, leaks, split_by_group
from tagkit.errors import DataError
from tagkit.vocab import Tag

HAPPY, SAD, ROCK = Tag("happy", "mood"), Tag("sad", "mood"), Tag("rock", "genre")


def tracks(sizes: list[int]) -> list[Track]:
    return [
        Track(f"{artist}-{n}", f"{artist}/{n}.mp3", "", frozenset(), artist=f"artist {artist}")
        for artist, size in enumerate(sizes)
        for n in range(size)
    ]


@given(st.lists(st.integers(1, 20), min_size=3, max_size=40), st.integers(0, 5))
def test_no_artist_is_torn_and_no_split_empty(sizes: list[int], seed: int) -> None:
    dealt = split_by_group(tracks(sizes), seed)
    assert not leaks(dealt, "artist")
    assert {track.split for track in dealt} == set(SPLITS)
    assert [track.id for track in dealt] == [track.id for track in tracks(sizes)]


def test_many_artists_are_dealt_80_10_10() -> None:
    dealt = split_by_group(tracks([1, 2, 3, 4] * 50))
    share = {split: sum(t.split == split for t in dealt) / len(dealt) for split in SPLITS}
    assert share == pytest.approx({"train": 0.8, "validation": 0.1, "test": 0.1}, abs=0.01)


def test_the_seed_decides() -> None:
    many = tracks([2] * 40)
    assert split_by_group(many, 1) == split_by_group(many, 1) != split_by_group(many, 2)


def test_a_track_belongs_to_its_artist_or_album_or_folder_or_itself() -> None:
    track = Track("", "a/b/c.mp3", "", frozenset(), "artist", "album")
    assert group(track) == "artist"
    assert group(track._replace(artist="")) == "album"
    assert group(track._replace(artist="", album="")) == "a/b"
    assert group(track._replace(artist="", album="", path="c.mp3")) == "c.mp3"


def test_leaks_name_the_splits_and_albums_are_an_artists() -> None:
    rows = [
        ("A", "Best of", "train"),
        ("B", "Best of", "test"),
        ("B", "Two", "train"),
        ("", "", "test"),
    ]
    given_tracks = [
        Track("", "", split, frozenset(), artist, album) for artist, album, split in rows
    ]
    assert leaks(given_tracks, "artist") == {"B": ("train", "test")}
    assert leaks(given_tracks, "album") == {}
    again = [*given_tracks, given_tracks[0]._replace(split="validation")]
    assert leaks(again, "album") == {"A / Best of": ("train", "validation")}


def dataset(root: str, outputs: dict[str, Tag], has: list[set[str]], name: str = "one") -> Dataset:
    listed = tuple(
        Track(f"{n}", f"{n}.mp3", "train", frozenset(tags)) for n, tags in enumerate(has)
    )
    return Dataset(name, Path(root), tuple(outputs), tuple(outputs.values()), listed)


def test_joined_tracks_speak_the_first_ones_tags() -> None:
    first = dataset("/music/a", {"mood---happy": HAPPY, "glad": HAPPY, "sad": SAD}, [{"sad"}])
    other = dataset(
        "/music/b/c",
        {"sad": SAD, "happy": HAPPY, "rock": ROCK},
        [{"sad", "rock"}, {"happy"}, {"rock"}],
        "two",
    )
    both = join(first, other)
    assert both.root == Path("/music")
    assert [track.path for track in both.tracks] == ["a/0.mp3", "b/c/0.mp3", "b/c/1.mp3"]
    assert [set(track.tags) for track in both.tracks] == [
        {"sad"},
        {"sad"},
        {"mood---happy", "glad"},
    ]
    assert both.outputs == first.outputs and both.name == "one+two"
    assert both.warnings == ("1 tracks of two have no tag of one: left out",)


def test_what_has_no_tag_in_common_is_not_joined() -> None:
    first = dataset("/a", {"happy": HAPPY}, [{"happy"}])
    with pytest.raises(DataError, match="no track of two has a tag of one"):
        join(first, dataset("/b", {"rock": ROCK}, [{"rock"}], "two"))
