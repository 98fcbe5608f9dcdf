"""Artist and album smoothing: worked by hand, kept away from where it says nothing, fitted soundly."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from tagkit.errors import DataError
from tagkit.inference.context import Context, fit, smooth
from tagkit.vocab import Tag

HAPPY, PIANO, FILM, ROCK, CHOIR = (
    Tag("happy", "mood"),
    Tag("piano", "instrument"),
    Tag("film", "theme"),
    Tag("rock", "genre"),
    Tag("choir", "vocals"),
)


def one(values: list[float], artists: str, albums: str, context: Context) -> list[float]:
    """Smooth one mood; names are words, "-" for none."""
    names = [[name.replace("-", "") for name in words.split()] for words in (artists, albums)]
    found = smooth(np.array([values]).T, [HAPPY], *names, context)
    return [round(float(value), 6) for value in found[:, 0]]


def test_the_blend_worked_by_hand() -> None:
    # Ann: tracks .1 .3 .8, mean .4; her album x: .1 and .3, mean .2. Bob has one track.
    found = one([0.1, 0.3, 0.8, 0.5], "ann ann ann bob", "x x y x", Context(0.5, 0.3))
    wanted = [
        0.2 * 0.1 + 0.5 * 0.4 + 0.3 * 0.2,
        0.2 * 0.3 + 0.5 * 0.4 + 0.3 * 0.2,
        0.2 * 0.8 + 0.5 * 0.4 + 0.3 * 0.8,
        0.5,  # an album of the same name by another is another album
    ]
    assert found == [round(value, 6) for value in wanted]


def test_instruments_and_vocals_are_never_touched() -> None:
    tags = [HAPPY, PIANO, FILM, ROCK, CHOIR]
    given = np.array([[0.2] * 5, [0.6] * 5], np.float32)
    found = smooth(given, tags, ["a", "a"], ["", ""], Context(1, 0))
    assert np.allclose(found[:, [0, 2, 3]], 0.4)
    assert np.array_equal(found[:, [1, 4]], given[:, [1, 4]])
    assert found.dtype == np.float32
    assert given[0, 0] == np.float32(0.2), "what was given stays"


@pytest.mark.parametrize("artist", ["-", "VA", "Various", "v.a.", "[unknown]"])
def test_nobody_in_particular_binds_nothing(artist: str) -> None:
    both = f"{artist} {artist}"
    assert one([0.1, 0.9], both, "hits hits", Context(0.5, 0.5)) == [0.1, 0.9]


def test_various_artists_in_any_case_and_spacing() -> None:
    found = smooth(
        np.array([[0.1], [0.9]]),
        [HAPPY],
        ["Various  Artists", "VARIOUS ARTISTS "],
        ["", ""],
        Context(1, 0),
    )
    assert found.ravel().tolist() == [0.1, 0.9]


def test_an_unnamed_album_leaves_its_share_to_the_track() -> None:
    assert one([0.2, 0.6], "ann ann", "- -", Context(0.5, 0.5)) == [0.3, 0.5]
    assert one([0.2, 0.6], "ann ann", "untitled untitled", Context(0, 1)) == [0.2, 0.6]


def test_names_are_the_same_in_any_case() -> None:
    assert one([0.2, 0.6], "Ann ANN", "x X", Context(0, 1)) == [0.4, 0.4]


def test_shares_are_shares() -> None:
    for artist, album in ((-0.1, 0.5), (0.6, 0.6), (float("nan"), 0.1)):
        with pytest.raises(DataError, match="shares"):
            Context(artist, album)


def library(seed: int, shared: str) -> tuple[np.ndarray, np.ndarray, list[str], list[str]]:
    """600 tracks, ten an artist, five an album, whose truth is shared by the ``shared`` and scored
    with noise."""
    random = np.random.default_rng(seed)
    artist, album = np.arange(600) // 10, np.arange(600) // 5
    group = {"artist": artist, "album": album, "nobody": np.arange(600)}[shared]
    labels = random.random((600, 1))[group] < 0.3
    scores = np.clip(0.3 * labels + 0.3 + 0.2 * random.standard_normal((600, 1)), 0, 1)
    return scores, labels, [f"a{n}" for n in artist], [f"b{n}" for n in album]


@pytest.mark.parametrize("shared", ["artist", "album"])
def test_fitting_finds_who_shares(shared: str) -> None:
    scores, labels, artists, albums = library(0, shared)
    found = fit(scores, labels, [HAPPY], artists, albums)
    assert getattr(found.context, shared) == max(found.context.artist, found.context.album) >= 0.4
    assert found.pr_auc > found.alone + 0.1


def test_fitting_leaves_tracks_alone_where_neighbours_say_nothing() -> None:
    scores, labels, artists, albums = library(1, "nobody")
    found = fit(scores, labels, [HAPPY], artists, albums)
    assert found.context.own >= 0.7
    assert found.pr_auc < found.alone + 0.02


def test_of_equals_the_least_smoothing_wins() -> None:
    # Perfect scores: every grid point up to the half says the same, the first is the track alone.
    labels = np.array([[1], [0]] * 10, bool)
    found = fit(labels * 1.0, labels, [HAPPY], ["a"] * 20, ["b"] * 20)
    assert found.context == Context(0, 0)
    assert found.pr_auc == found.alone == 1.0


def test_what_cannot_be_fitted_is_said() -> None:
    scores, labels, artists, albums = library(2, "artist")
    with pytest.raises(DataError, match="no two tracks share an artist"):
        fit(scores, labels, [HAPPY], [""] * 600, albums)
    with pytest.raises(DataError, match="no track has a mood"):
        fit(scores, labels, [PIANO], artists, albums)


def test_smoothing_loads_no_network_library() -> None:
    code = "import sys, tagkit.inference.context; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
