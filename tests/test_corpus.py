"""The corpus is what it says: known tags, other artists in other splits, readable in every layout."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tagkit.data import manifest, mtat, mtg_jamendo
from tagkit.data.dataset import Dataset
from tagkit.vocab import canonical
from tests import corpus
from tests.corpus_sound import INSTRUMENTS, RATE, note

PIECES = corpus.compose(200)
FEW = corpus.compose(20)
SILENCE = {piece.number: b"" for piece in PIECES}  # the readers look at lists, not at audio


def test_a_piece_has_three_to_six_instruments_and_at_most_one_mood() -> None:
    moods = {mood.name for mood in corpus.MOODS}
    for piece in PIECES:
        assert 3 <= len(piece.tags - moods) <= 6
        assert len(piece.tags & moods) <= 1


def test_tags_are_neither_common_nor_missing() -> None:
    for split in corpus.SHARES:
        pieces = [piece for piece in PIECES if piece.split == split]
        assert corpus.popularity(pieces) < 0.3
        if split != "validation":
            assert all(sum(tag in piece.tags for piece in pieces) >= 2 for tag in corpus.TAGS)


def test_an_artist_is_in_one_split() -> None:
    assert len({(piece.artist, piece.split) for piece in PIECES}) == 50
    assert {piece.split for piece in PIECES} == set(corpus.SHARES)


def test_the_seed_decides_everything() -> None:
    assert corpus.compose(20) == FEW
    assert corpus.compose(20, seed=1) != FEW
    first, again, other = (corpus.render(piece, 1.0) for piece in (FEW[0], FEW[0], FEW[1]))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.abs(first).max() <= 1.0


def test_every_note_sounds_and_ends() -> None:
    for place, instrument in enumerate(INSTRUMENTS):
        sound = note(place, instrument.low)
        assert np.isfinite(sound).all()
        assert np.sqrt(np.mean(sound[: int(0.4 * RATE)] ** 2)) == pytest.approx(0.1, rel=1e-3)
        assert abs(sound[-1]) < 0.01


def test_an_energetic_piece_is_louder_than_a_calm_one() -> None:
    loud, quiet = (
        np.mean([np.std(corpus.render(p, 2.0)) for p in PIECES if p.mood.name == mood][:10])
        for mood in ("energetic", "calm")
    )
    assert loud > 2 * quiet


def test_the_mp3_is_the_piece() -> None:
    samples, rate = soundfile.read(io.BytesIO(corpus.mp3(FEW[0], 3.0)), dtype="float32")
    wanted = corpus.render(FEW[0], 3.0)
    assert (rate, samples.ndim) == (RATE, 1)
    assert abs(len(samples) - len(wanted)) < 3000
    assert np.std(samples) == pytest.approx(np.std(wanted), rel=0.1)


def _as_written(dataset: Dataset, spellings: dict[str, str]) -> dict[str, tuple[str, set[str]]]:
    """Path → split and the corpus's own tags."""
    back = {spelling: name for name, spelling in spellings.items()}
    return {
        track.path: (track.split, {back[tag] for tag in track.tags}) for track in dataset.tracks
    }


@pytest.mark.parametrize("split", ["folders", "won"])
def test_magnatagatune_is_read_as_written(tmp_path: Path, split: str) -> None:
    dataset = mtat.read(corpus.write_mtat(tmp_path, PIECES, SILENCE), split=split)
    known = {tag for tag, spelling in corpus.MTAT.items() if spelling in dataset.outputs}
    assert len(known) >= 8
    found = _as_written(dataset, corpus.MTAT)
    wanted = [(piece.split, piece.tags & known) for piece in PIECES]
    if split == "won":  # which leaves out clips without a tag
        wanted = [entry for entry in wanted if entry[1]]
    assert sorted((s, sorted(t)) for s, t in found.values()) == sorted(
        (s, sorted(t)) for s, t in wanted
    )
    artists = {(track.artist, track.split) for track in dataset.tracks}
    assert len(artists) == 50


def test_jamendo_is_read_as_written(tmp_path: Path) -> None:
    root = corpus.write_jamendo(tmp_path, PIECES, SILENCE)
    found = _as_written(mtg_jamendo.read(root, tags="all"), corpus.JAMENDO)
    assert list(found.values()) == [(piece.split, set(piece.tags)) for piece in PIECES]
    moods = mtg_jamendo.read(root, tags="moodtheme")
    assert len(moods.outputs) == 4
    assert len(moods.tracks) == sum(piece.mood.name != "" for piece in PIECES)


def test_a_manifest_is_read_as_written(tmp_path: Path) -> None:
    dataset = manifest.read(corpus.write_manifest(tmp_path, PIECES, SILENCE))
    found = _as_written(dataset, {tag: canonical(tag).name for tag in corpus.TAGS})
    assert list(found.values()) == [(piece.split, set(piece.tags)) for piece in PIECES]
    assert len({(track.artist, track.split) for track in dataset.tracks}) == 50
