"""Who speaks for whom, as numbers, and means that do not depend on the order in which they come."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tagkit.inference.context import Context
from tagkit.library.belonging import Belongings
from tagkit.library.members import NOBODY, find, members, number
from tagkit.library.neighbours import MOST_IN_FOLDER, Neighbours
from tagkit.library.origin import Origin
from tagkit.library.store import Placed

SHARES = Context(0.25, 0.25)


def neighbours(*placed: Placed, shares: Context = SHARES) -> Neighbours:
    return Neighbours(members(placed, Belongings([b"/m"]), shares), shares)


def song(content: int, artist: str = "Ann", album: str = "Ode", folder: str = "/m/a") -> Placed:
    return Placed(f"{folder}/{content}.mp3".encode(), content, Origin(artist, "", album))


def path(placed: Placed) -> Path:
    return Path(placed.name.decode())


def test_means_are_equal_to_the_bit_in_whatever_order_they_are_heard() -> None:
    random = np.random.default_rng(0)
    songs = [song(n, f"Artist {n % 3}", f"Album {n % 7}") for n in range(500)]
    said = random.random((500, 20), np.float32) ** 8
    blended = []
    for _ in range(5):
        company = neighbours(*songs)
        for part in np.array_split(random.permutation(500), random.integers(1, 9)):
            company.hear(part.tolist(), said[part])
        blended.append(
            company.blend([path(placed) for placed in songs], said.astype(np.float64))[0]
        )
    for other in blended[1:]:
        np.testing.assert_array_equal(other, blended[0])
    same = [n for n in range(500) if n % 3 == 0]
    album = [n for n in same if n % 7 == 0]
    expected = 0.5 * said[0] + 0.25 * said[same].mean(0) + 0.25 * said[album].mean(0)
    assert blended[0][0] == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_who_is_alone_or_unknown_keeps_what_it_says() -> None:
    one, other = song(1), song(2, "Bob", "Elsewhere")
    company = neighbours(one, other)
    assert company.contents == []
    own = np.array([[0.5], [0.25], [0.125]])
    company.hear([], own[:0])
    blended, smoothed = company.blend([path(one), path(other), Path("/never.mp3")], own)
    assert blended.tolist() == own.tolist() and not smoothed.any()


def test_the_same_audio_speaks_once_and_a_number_that_is_none_not_at_all() -> None:
    twice = song(1, folder="/m/b")
    company = neighbours(song(1), twice, song(2), song(3))
    assert company.contents == [1, 2, 3]
    own = np.array([[0.0], [1.0], [np.nan]])
    company.hear([1, 2, 3], own)
    blended, smoothed = company.blend([path(twice), path(song(2))], own[:2])
    assert blended.tolist() == [[0.25], [0.75]] and smoothed.all()


@pytest.mark.parametrize(("count", "bound"), [(MOST_IN_FOLDER, True), (MOST_IN_FOLDER + 1, False)])
def test_a_large_folder_is_no_album_but_a_large_album_is(count: int, bound: bool) -> None:
    nameless = [song(n, "", "") for n in range(count)]
    assert bool(neighbours(*nameless).contents) is bound
    assert len(neighbours(*(song(n, "", "Ode") for n in range(count))).contents) == count


def test_a_share_of_nothing_binds_nobody() -> None:
    songs = [song(1), song(2, album="Other"), song(3, "Bob")]
    assert neighbours(*songs, shares=Context(0.5, 0)).contents == [1, 2]
    assert neighbours(*songs, shares=Context(0, 0.5)).contents == []


def test_numbers_are_found_where_they_are() -> None:
    among = np.array([2, 5, 9])
    assert find(among, np.array([5, 1, 9, 10, NOBODY])).tolist() == [1, -1, 2, -1, -1]
    assert find(among[:0], np.array([5])).tolist() == [-1]
    assert number(None) == NOBODY and number("Ann") >= 0
