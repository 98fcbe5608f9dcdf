"""Evaluation hears what tagging hears, and asks each tag of the output that means it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tagkit import models
from tagkit.data.dataset import Dataset, Track
from tagkit.errors import DataError, TagkitError, UsageError
from tagkit.evaluation.matching import judge
from tagkit.evaluation.predict import predict
from tagkit.features import LogMel
from tagkit.inference import ensemble
from tagkit.inference.context import Context, smooth
from tagkit.inference.listening import Ears
from tagkit.inference.pipeline import Analyser, Task
from tagkit.vocab import VOCABULARIES, canonical
from tagkit.weights import bundle
from tagkit.weights.card import Card
from tests import library, media


def dataset(root: Path, outputs: tuple[str, ...], names: list[str], kind: str = "audio") -> Dataset:
    tracks = tuple(
        Track(f"id {n}", name, "test", frozenset(outputs[n % 2 : n % 2 + 1]), f"artist {n // 2}")
        for n, name in enumerate(names)
    )
    return Dataset("made", root, outputs, tuple(map(canonical, outputs)), tracks, kind)


def fill(folder: Path, count: int) -> list[str]:
    for seed in range(count):
        media.make(folder / f"{seed}.flac", "flac", seconds=1.5, seed=seed)
    return [f"{seed}.flac" for seed in range(count)]


def heard(model: Path, paths: list[Path], windows: int = 16) -> np.ndarray:
    """What the pipeline says: (tracks, outputs)."""
    loaded = bundle.load(model)
    (name,) = ensemble.load([str(model)]).model_ids(windows)
    analyser = Analyser(Ears([loaded], windows=windows))
    found = analyser.analyse(Task(path, [name]) for path in paths)
    return np.stack([analysis.results[name].probabilities for analysis in found])


def test_scores_are_what_the_pipeline_hears(model: Path, music: Path) -> None:
    given = dataset(music, ("piano", "happy"), fill(music, 3))
    found = predict([str(model)], given, device="cpu", windows=4)
    outputs = heard(model, [music / track.path for track in given.tracks], 4)
    columns = [library.TAGS.index(name) for name in given.outputs]
    assert np.array_equal(found.scores, outputs[:, columns])
    assert np.array_equal(found.labels, given.labels)
    assert found.ids == ("id 0", "id 1", "id 2")
    assert found.artists == ("artist 0", "artist 0", "artist 1")
    assert found.thresholds is not None and (found.thresholds == 0).all()


def test_a_file_that_cannot_be_heard_is_told_and_left_out(model: Path, music: Path) -> None:
    names = fill(music, 2)
    (music / "broken.mp3").write_bytes(b"no sound")
    told: list[TagkitError | None] = []
    given = dataset(music, ("piano", "happy"), [names[0], "broken.mp3", names[1]])
    found = predict([str(model)], given, device="cpu", on_track=told.append)
    assert found.ids == ("id 0", "id 2")
    assert [error and Path(error.path or "").name for error in told] == [None, "broken.mp3", None]
    with pytest.raises(DataError, match="none of the 1 tracks"):
        predict([str(model)], given.keep(given.tracks[1:2]), device="cpu")
    with pytest.raises(DataError, match="no track"):
        predict([str(model)], given.keep(()), device="cpu")


SYNONYMS = ("vocal", "vocals", "voice", "piano")


def voices(folder: Path, name: str, tags: tuple[str, ...], seed: int) -> Path:
    return library.small_model(folder / f"{name}.safetensors", tags, thresholds=None, seed=seed)


def test_synonyms_stay_apart_where_the_model_has_the_datasets_spellings(tmp_path: Path) -> None:
    model = ensemble.load([str(voices(tmp_path, "a", (*SYNONYMS, "rock"), 0))])
    said = np.random.default_rng(0).random((2, 5)).astype(np.float32)
    given = dataset(tmp_path, SYNONYMS, ["x", "y"])
    found = judge(model, [said], given)
    assert np.array_equal(found.scores, said[:, :4])
    assert found.tags[0] == found.tags[1] == found.tags[2] == canonical("vocals")
    assert found.thresholds is None
    # A model with one of the words answers for all three; the loudest of its own speaks.
    other = ensemble.load([str(voices(tmp_path, "b", ("voice", "singing", "rock"), 0))])
    found = judge(other, [said[:, :3]], given)
    assert found.outputs == SYNONYMS[:3]
    for column in range(3):
        assert np.array_equal(found.scores[:, column], said[:, :2].max(1))


def test_a_tag_that_no_model_knows_is_left_out(tmp_path: Path, model: Path) -> None:
    chosen = ensemble.load([str(model)])
    said = np.random.default_rng(0).random((2, len(library.TAGS))).astype(np.float32)
    found = judge(chosen, [said], dataset(tmp_path, ("rock", "piano"), ["x", "y"]))
    assert found.outputs == ("piano",)
    assert np.array_equal(found.scores[:, 0], said[:, library.TAGS.index("piano")])
    assert found.labels[:, 0].tolist() == [False, True]
    with pytest.raises(DataError, match="none of the tags of made"):
        predict([str(model)], dataset(tmp_path, ("rock", "jazz"), ["x"]))


def test_members_are_combined_as_in_tagging(tmp_path: Path) -> None:
    tags = ("piano", "happy", "rock")
    for number, name in enumerate("ab"):
        library.small_model(
            tmp_path / f"{name}.safetensors", tags, thresholds=(0.2, 0.4, 0.6), seed=number
        )
    (tmp_path / "e.toml").write_text(
        'members = ["a", "b"]\nweights = [3, 1]\ncombine = "logit-mean"\n'
        "[thresholds]\nhappy = 0.9\n[tag_weights]\nrock = [0, 1]\n"
    )
    chosen = ensemble.load([str(tmp_path / "e.toml")])
    said = [np.random.default_rng(n).random((3, 3)).astype(np.float32) for n in range(2)]
    joint = ensemble.combine(chosen, said)
    given = dataset(tmp_path, tags, ["x", "y", "z"])
    for asked in (given, replace(given, outputs=("Piano", "HAPPY", "genre---rock"))):
        found = judge(chosen, said, replace(asked, tracks=()).keep(
            track._replace(tags=frozenset()) for track in given.tracks
        ))  # fmt: skip
        for column, tag in enumerate(given.tags):
            place = chosen.tags.index(tag)
            np.testing.assert_allclose(found.scores[:, column], joint[:, place], rtol=1e-6)
            assert found.thresholds is not None
            assert found.thresholds[column] == chosen.thresholds[place]


def test_a_learned_combination_answers_by_its_combiners_spelling(tmp_path: Path) -> None:
    voices(tmp_path, "a", SYNONYMS, 0)
    torch.manual_seed(0)
    combiner = models.build("combiner", 4, inputs=4, hidden=(8, 8)).eval()
    card = Card(
        name="c",
        architecture="combiner",
        arguments={"inputs": 4, "hidden": [8, 8]},
        front_end=None,
        tags=tuple(map(canonical, SYNONYMS)),
        outputs=SYNONYMS,
        thresholds=(0.1, 0.2, 0.3, 0.4),
    )
    bundle.save(tmp_path / "c.safetensors", card, combiner, None)
    (tmp_path / "e.toml").write_text('members = ["a"]\ncombine = "learned"\ncombiner = "c"\n')
    chosen = ensemble.load([str(tmp_path / "e.toml")])
    said = np.random.default_rng(0).random((2, 4)).astype(np.float32)
    found = judge(chosen, [said], dataset(tmp_path, SYNONYMS, ["x", "y"]))
    with torch.inference_mode():
        expected = torch.sigmoid(combiner(torch.from_numpy(said))).numpy()
    np.testing.assert_allclose(found.scores, expected, rtol=1e-5)
    assert found.thresholds is not None
    np.testing.assert_allclose(found.thresholds, card.thresholds)


def test_context_is_asked_for_and_said(tmp_path: Path, model: Path, music: Path) -> None:
    given = dataset(music, ("piano", "happy"), fill(music, 4))
    (tmp_path / "e.toml").write_text(
        f'members = ["{model.name}"]\n[context]\nartist = 0.5\nalbum = 0.0\n'
        "[context.thresholds]\nhappy = 0.7\n"
    )
    plain, smoothed = (
        predict([str(tmp_path / "e.toml")], given, device="cpu", context=context)
        for context in (False, True)
    )
    expected = smooth(plain.scores, plain.tags, plain.artists, plain.albums, Context(0.5, 0.0))
    np.testing.assert_allclose(smoothed.scores, expected, rtol=1e-6)
    assert np.array_equal(smoothed.scores[:, 0], plain.scores[:, 0])  # an instrument
    assert not np.array_equal(smoothed.scores[:, 1], plain.scores[:, 1])
    assert "uses other tracks by the artist" in smoothed.name
    assert plain.thresholds is not None and smoothed.thresholds is not None
    assert plain.thresholds.tolist() == [0, 0]
    assert smoothed.thresholds.tolist() == [0, np.float32(0.7)]
    with pytest.raises(UsageError, match="no context"):
        predict([str(model)], given, device="cpu", context=True)


def test_official_mels_are_heard_as_images(tmp_path: Path) -> None:
    """The VGG baseline on mel-spectrograms says what it says of the same sound, but for half decibels."""
    front_end = models.entry("mtg_vgg").front_end
    assert front_end is not None
    torch.manual_seed(0)
    names = VOCABULARIES["jamendo-moodtheme56"][:3]
    vgg = models.build("mtg_vgg", 3, channels=4).eval()
    card = Card(
        name="vgg",
        architecture="mtg_vgg",
        arguments={"channels": 4},
        front_end=front_end,
        tags=tuple(map(canonical, names)),
        outputs=names,
    )
    model = tmp_path / "vgg.safetensors"
    bundle.save(model, card, vgg, LogMel(front_end))
    mels = tmp_path / "mels"
    mels.mkdir()
    random = np.random.default_rng(0)
    images = [
        random.uniform(-60, 0, (96, 2 * front_end.frames)).astype(np.float32) for _ in range(2)
    ]
    for number, image in enumerate(images):
        np.save(mels / f"{number}.npy", image)
    (mels / "bad.npy").write_bytes(b"no array")
    told: list[TagkitError | None] = []
    found = predict(
        [str(model)],
        dataset(mels, names, ["0.npy", "bad.npy", "1.npy"], kind="mel"),
        device="cpu",
        windows=2,
        cache=tmp_path / "cache",
        on_track=told.append,
    )
    assert [error is None for error in told] == [True, False, True]
    frames = front_end.frames
    for row, image in enumerate(images):
        chunks = torch.from_numpy(np.stack([image[:, :frames], image[:, -frames:]]))
        with torch.inference_mode():
            expected = torch.sigmoid(vgg(chunks)).mean(0).numpy()
        np.testing.assert_allclose(found.scores[row], expected, atol=0.01)
    raw = library.small_model(tmp_path / "other.safetensors")
    with pytest.raises(TagkitError, match="16000 Hz"):
        predict([str(raw)], dataset(mels, ("happy",), ["0.npy"], "mel"), cache=tmp_path / "cache")
