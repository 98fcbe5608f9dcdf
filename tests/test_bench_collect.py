"""What is collected to teach with: where excerpts lie, who is in which split, and noises from chance."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

sys.path.append(str(Path(__file__).parents[1] / "bench" / "weights"))

import collect
import debian
import excerpts
import noise
import not_music
import packages
import recorded
import reference
import rows
import splits
from packages import Package

from tests.shared import shared

RATE = excerpts.RATE


def test_a_short_piece_has_one_excerpt_from_its_middle() -> None:
    assert excerpts.starts(20) == []
    assert excerpts.starts(30) == [0]
    assert excerpts.starts(100) == [27.5]


def test_a_long_piece_has_two_excerpts_that_do_not_overlap() -> None:
    first, second = excerpts.starts(200)
    assert (first, second) == (27.5, 107.5)
    for seconds in (150, 400, 2000):
        first, second = excerpts.starts(seconds)
        assert first >= 0 and first + excerpts.SECONDS <= second
        assert second + excerpts.SECONDS <= seconds


def test_silence_is_left_out_and_loud_is_turned_down() -> None:
    samples = np.zeros(200 * RATE, np.float32)
    samples[100 * RATE :] = 2 * np.sin(np.arange(100 * RATE) / 5)
    (excerpt,) = excerpts.cut(samples)
    assert len(excerpt) == 45 * RATE
    assert np.abs(excerpt).max() == 1


def test_splits_are_the_same_each_time_and_about_as_large_as_asked() -> None:
    names = [f"piece {number}" for number in range(2000)]
    found = [splits.of_piece(name) for name in names]
    assert found == [splits.of_piece(name) for name in names]
    assert 90 < found.count("validation") < 160
    assert "test" not in found
    assert splits.of_piece("piece 0", test=True) == "test"


def test_file_names_of_pieces_differ_where_the_pieces_do() -> None:
    names = ["a/music/one two.ogg", "a/music/one-two.ogg", "b/music/one two.ogg"]
    slugs = {splits.slug(name) for name in names}
    assert len(slugs) == 3
    assert all(set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for slug in slugs)


def test_layers_are_one_piece_and_what_is_no_music_is_left_out(tmp_path: Path) -> None:
    for name in ("one/song.ogg", "one/guitar.ogg", "two/song.ogg", "sounds/click.ogg", "read.me"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    layered = Package("p", "rock", "MIT", leave_out="sounds/", layers=True)
    found = collect.pieces(layered, tmp_path)
    assert {name: len(paths) for name, paths in found.items()} == {"one": 2, "two": 1}
    plain = Package("p", "rock", "MIT", leave_out="sounds/")
    assert list(collect.pieces(plain, tmp_path)) == [
        "one/guitar.ogg",
        "one/song.ogg",
        "two/song.ogg",
    ]


def test_the_artist_is_as_the_table_says_then_the_tag_then_the_package(tmp_path: Path) -> None:
    tagged, bare = tmp_path / "tagged.ogg", tmp_path / "bare.ogg"
    for path, artist in ((tagged, "Tag"), (bare, "")):
        with soundfile.SoundFile(path, "w", RATE, 1, format="OGG") as file:
            if artist:
                file.artist = artist
            file.write(np.zeros(RATE))
    package = Package("p", "rock", "MIT", "All", artists=(("x-", "Table"),))
    assert collect.artist_of(package, "x-tagged.ogg", tagged) == "Table"
    assert collect.artist_of(package, "tagged.ogg", tagged) == "Tag"
    assert collect.artist_of(package, "bare.ogg", bare) == "All"
    assert collect.artist_of(package._replace(artist=""), "bare.ogg", bare) == "p"


def test_only_audio_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.ogg").touch()
    (tmp_path / "link.ogg").symlink_to(tmp_path / "a.ogg")
    (tmp_path / "picture.png").touch()
    assert [path.name for path in debian.audio_files(tmp_path)] == ["a.ogg"]


def test_rows_are_appended_and_never_changed(tmp_path: Path) -> None:
    path = tmp_path / "real.csv"
    first = rows.Row("a.flac", "train", "teachers", artist="A, the first")
    rows.Table(path).extend([first])
    table = rows.Table(path)
    table.extend([first._replace(split="test"), rows.Row("music/p/b.flac", "test", "nothing")])
    again = rows.Table(path)
    assert again.rows == table.rows
    assert [(row.path, row.split) for row in again.rows] == [
        ("a.flac", "train"),
        ("music/p/b.flac", "test"),
    ]
    assert again.rows[0] == first
    assert again.has_below("music/p/") and not again.has_below("music/q/")


@pytest.mark.parametrize("name", noise.MAKERS)
def test_noises_come_from_their_seed_alone_and_stay_within_full_scale(name: str) -> None:
    maker, length = noise.MAKERS[name], 12 * RATE
    samples = maker(np.random.default_rng(1), length)
    assert len(samples) == length
    assert np.isfinite(samples).all() and np.abs(samples).max() <= 1
    assert np.array_equal(samples, maker(np.random.default_rng(1), length))
    if name != "silence":
        assert not np.array_equal(samples, maker(np.random.default_rng(2), length))


def test_noise_has_the_colour_it_is_named_for() -> None:
    random = np.random.default_rng(0)
    for slope in (0, 1, 2):
        power = np.abs(np.fft.rfft(noise.coloured(random, 60 * RATE, slope))) ** 2
        hz = np.fft.rfftfreq(60 * RATE, 1 / RATE)
        low, high = (power[(hz > f) & (hz < 1.2 * f)].mean() for f in (200, 3200))
        assert 10 * np.log10(low / high) / 4 == pytest.approx(3 * slope, abs=0.3)


def test_names_are_given_once_and_a_voice_is_in_one_split() -> None:
    names = [package.name for package in packages.PACKAGES]
    assert len(set(names)) == len(names)
    sounds = list(not_music.sounds(Path()))
    assert len({sound.path for sound in sounds}) == len(sounds)
    for voice in (*recorded.SPEECH, *recorded.NATURE, *recorded.VOICES):
        assert len({sound.split for sound in sounds if sound.name == voice.name}) == 1
    assert {sound.split for sound in sounds} == {"train", "validation", "test"}


def test_emotifys_artists_are_in_one_split_and_only_training_artists_vote(tmp_path: Path) -> None:
    (tmp_path / "shared").symlink_to(shared("datasets").parent)
    found = [row for row in reference.reference_rows(tmp_path, set()) if row.source == "Emotify"]
    splits_of = {
        artist: {r.split for r in found if r.artist == artist}
        for artist in {r.artist for r in found}
    }
    assert all(len(where) == 1 for where in splits_of.values())
    counts = [sum(row.split == name for row in found) for name in ("train", "validation", "test")]
    assert counts == [231, 28, 141]
    for row in found:
        assert bool(row.votes) == (row.split != "test")
    assert "emotify calmness=0.625;" in next(
        row.votes for row in found if "classical-1.opus" in row.path
    )
