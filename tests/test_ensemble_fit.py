"""Ensembles are fitted on validation, judged by other artists, and say what they said when fitted."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tagkit import metrics
from tagkit.cli.main import app
from tagkit.errors import DataError, UsageError
from tagkit.evaluation.predictions import Predictions
from tagkit.inference import ensemble
from tagkit.training import ensembles
from tagkit.training.combinations import FITTERS, Weighted
from tagkit.training.ensembles import Plan
from tagkit.training.evidence import Evidence, gather
from tagkit.vocab import CATEGORIES, canonical
from tagkit.weights.card import Card
from tests import library, media

TAGS = ("happy", "sad", "film", "piano")


def said(skill: Sequence[float], seed: int, outputs: Sequence[str] = TAGS) -> Predictions:
    """What a model says that is as right about each tag as ``skill`` (0: not at all) of 240 tracks, four
    an artist, two an album. The labels do not depend on the seed."""
    labels = np.random.default_rng(99).random((240, len(outputs))) < 0.3
    logits = np.random.default_rng(seed).standard_normal(labels.shape) + labels * np.array(skill)
    return Predictions(
        scores=1 / (1 + np.exp(-logits)),
        labels=labels,
        outputs=tuple(outputs),
        tags=tuple(map(canonical, outputs)),
        ids=tuple(f"t{n}" for n in range(240)),
        artists=tuple(f"artist {n // 4}" for n in range(240)),
        albums=tuple(f"album {n // 2}" for n in range(240)),
        name=f"model {seed}",
    )


def card(outputs: Sequence[str] = TAGS) -> Card:
    tags = tuple(map(canonical, outputs))
    return Card("m", "ds_cnn", {}, None, tags=tags, outputs=tuple(outputs))


def evidence(*skills: Sequence[float]) -> Evidence:
    return gather([card()] * len(skills), [said(skill, n) for n, skill in enumerate(skills)])


def pr_auc(found: Evidence, scores: np.ndarray) -> float:
    return metrics.macro(metrics.average_precision(found.labels, scores))


def votes(how: str, given: Evidence) -> dict[str, list[float]]:
    found = FITTERS[how](given)
    assert isinstance(found, Weighted)
    return {tag.name: found.votes[:, column].tolist() for column, tag in enumerate(given.tags)}


def test_the_better_model_gets_more_votes() -> None:
    found = votes("weights", evidence([3] * 4, [0] * 4))
    assert all(first > 2 * second for first, second in found.values())
    assert len({tuple(each) for each in found.values()}) == 1, "one weight a member"


def test_each_tag_may_trust_another_model() -> None:
    given = evidence([3, 3, 0, 0], [0, 0, 3, 3])
    found = votes("per-tag", given)
    assert all(found[name][0] > found[name][1] for name in ("happy", "sad"))
    assert all(found[name][1] > found[name][0] for name in ("film", "piano"))


def test_the_plain_mean_is_of_those_who_know_the_tag() -> None:
    some = said([1] * 4, 1).keep_tags([0, 1])
    given = gather([card(), card(TAGS[:2])], [said([1] * 4, 0), some])
    assert votes("mean", given) == {"happy": [1, 1], "sad": [1, 1], "film": [1, 0], "piano": [1, 0]}
    film = [tag.name for tag in given.tags].index("film")
    assert np.allclose(FITTERS["mean"](given)(given)[:, film], given.voices[0, :, film])
    assert votes("per-tag", given)["film"] == [1, 0], "nobody votes for who does not know"


def test_synonyms_are_one_tag_said_as_loudly_as_the_loudest() -> None:
    outputs = ("woman", "female voice", "happy", "sad")
    found = said([1] * 4, 0, outputs)
    given = gather([card(outputs)], [found])
    place = [tag.name for tag in given.tags].index("female vocals")
    assert np.array_equal(given.voices[0, :, place], found.scores[:, :2].max(1))
    assert np.array_equal(given.labels[:, place], found.labels[:, :2].any(1))


def test_members_are_matched_track_by_track() -> None:
    first, second = said([1] * 4, 0), said([1] * 4, 1).keep_tracks([5, 3, 7])
    given = gather([card()] * 2, [first, second])
    assert given.ids == ("t3", "t5", "t7")
    columns = [[tag.name for tag in given.tags].index(name) for name in TAGS]
    assert np.array_equal(given.voices[0][:, columns], first.scores[[3, 5, 7]])
    assert np.array_equal(given.voices[1][:, columns], second.scores[[1, 0, 2]])


def test_members_that_were_judged_differently_are_refused() -> None:
    first = said([1] * 4, 0)
    other = replace(first, labels=~first.labels)
    with pytest.raises(DataError, match="different labels of 'happy'"):
        gather([card()] * 2, [first, other])
    elsewhere = replace(first, ids=tuple(f"u{n}" for n in range(240)))
    with pytest.raises(DataError, match="no track in common"):
        gather([card()] * 2, [first, elsewhere])


def test_learning_by_heart_is_visible() -> None:
    """Models that know nothing: weights by tag look better where they were fitted, and nowhere else."""
    given = evidence(*[[0.0] * 4] * 4)
    plan = Plan("per-tag")
    mean = pr_auc(given, FITTERS["mean"](given)(given))
    inside = pr_auc(given, ensembles.fit(given, plan).combination(given))
    *_, judged = ensembles.out_of_fold(given, plan, "abcd")
    outside = metrics.macro(metrics.average_precision(judged.labels, judged.scores))
    assert inside > mean + 0.02
    assert outside < inside - 0.02


def test_no_artist_judges_what_was_fitted_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    given = evidence([1] * 4, [1] * 4)
    fitted_on: list[set[str]] = []
    spoke_of: list[set[str]] = []
    fitter = FITTERS["weights"]

    def spy(part: Evidence) -> object:
        fitted_on.append(set(part.artists))
        return fitter(part)

    monkeypatch.setitem(FITTERS, "weights", spy)
    for train, held in given.folds(5):
        spoke_of.append({given.artists[row] for row in held})
        assert not spoke_of[-1] & {given.artists[row] for row in train}
    ensembles.out_of_fold(given, Plan("weights"), "ab")
    assert [len(each) for each in fitted_on] == [48] * 5
    for artists, held_out in zip(fitted_on, spoke_of, strict=True):
        assert not artists & held_out
    assert set.union(*spoke_of) == set(given.artists)


def test_folds_of_different_scales_are_compared_by_rank() -> None:
    """Each fold's own weights put its scores on a scale of their own; ranks among all tracks do not."""
    given = evidence([2] * 4, [1] * 4)
    *_, judged = ensembles.out_of_fold(given, Plan("weights"), "ab")
    places = judged.scores * len(given.ids)
    assert np.allclose(places, np.round(places), atol=1e-3)
    tag = int(np.flatnonzero([tag.name == "happy" for tag in given.tags])[0])
    for _, held in given.folds(5):
        # Of every fold about half the tracks are in the upper half.
        assert 0.3 < (judged.scores[held, tag] > 0.5).mean() < 0.7


def test_a_mean_of_few_artists_needs_no_folds() -> None:
    given = replace(evidence([1] * 4, [1] * 4), artists=("a", "b") * 120)
    assert len(ensembles.out_of_fold(given, Plan("mean"), "ab")) == 3


def test_context_is_judged_out_of_fold_too_and_named() -> None:
    given = evidence([2] * 4, [1] * 4)
    found = ensembles.out_of_fold(given, Plan("weights", context=True), ["one", "two"])
    assert [each.name for each in found] == [
        "mean",
        "one",
        "two",
        "weights, fitted",
        "weights + context, fitted (uses other tracks by the artist)",
    ]


def test_too_few_artists_are_said() -> None:
    given = replace(evidence([1] * 4, [1] * 4), artists=("a", "b") * 120)
    with pytest.raises(DataError, match="2 artists cannot be split into 5 folds"):
        ensembles.out_of_fold(given, Plan(), "ab")


def test_a_combiner_learns_from_two_artists_too() -> None:
    given = replace(evidence([2] * 4, [1] * 4), artists=("a", "b") * 120)
    assert FITTERS["learned"](given)(given).shape == (240, 4)


def test_learning_needs_members_that_speak_the_datasets_tags() -> None:
    given = gather([card(), card((*TAGS, "rock"))], [said([1] * 4, 0), said([1] * 4, 1)])
    with pytest.raises(DataError, match="outputs are the dataset's tags"):
        FITTERS["learned"](given)


def test_a_learned_combiner_learns_what_a_mean_cannot() -> None:
    """A member that says the opposite of the truth is worth as much as one that says it."""
    given = evidence([4] * 4, [-4] * 4)
    scores = FITTERS["learned"](given)(given)
    assert pr_auc(given, scores) > pr_auc(given, FITTERS["mean"](given)(given)) + 0.3


def members(folder: Path) -> list[str]:
    names = [folder / "a.safetensors", folder / "b.safetensors"]
    for seed, path in enumerate(names):
        library.small_model(path, TAGS, thresholds=None, seed=seed)
    return [str(name) for name in names]


@pytest.mark.parametrize("how", list(FITTERS))
def test_the_file_says_what_was_fitted(tmp_path: Path, how: str) -> None:
    names = members(tmp_path)
    heard = [said([3, 3, 0, 0], 0), said([0, 0, 3, 3], 1)]
    given = gather([m.card for m in ensembles.members(names).members], heard)
    fitted = ensembles.fit(given, Plan(how, context=True))
    folder = tmp_path / "other"
    folder.mkdir()
    ensembles.write(folder / "e.toml", names, given, fitted, "made by a test")
    loaded = ensemble.load([str(folder / "e.toml")])
    assert loaded.tags == tuple(
        sorted(given.tags, key=lambda tag: (CATEGORIES.index(tag.category), tag))
    )
    columns = [given.tags.index(tag) for tag in loaded.tags]
    found = ensemble.combine(loaded, [each.scores for each in heard])
    assert np.allclose(found, fitted.combination(given)[:, columns], atol=1e-5)
    wanted = [fitted.thresholds[tag.name] for tag in loaded.tags]
    assert np.allclose(loaded.thresholds, wanted, atol=1e-6)
    assert loaded.context is not None
    assert fitted.context is not None
    assert loaded.context.artist == pytest.approx(fitted.context.artist)
    smoothed = [fitted.context_thresholds[tag.name] for tag in loaded.tags]
    assert np.allclose(loaded.context_thresholds, smoothed, atol=1e-6)


def test_a_threshold_gives_the_tag_to_the_track_it_was_fitted_on() -> None:
    given = evidence([3] * 4, [3] * 4)
    fitted = ensembles.fit(given, Plan("mean"))
    scores = fitted.combination(given)
    exact = metrics.per_tag_thresholds(given.labels, scores)
    for tag, column, threshold in zip(given.tags, scores.T, exact, strict=True):
        assert (column >= fitted.thresholds[tag.name]).sum() == (column >= threshold).sum()


def test_members_are_two_different_bundles(tmp_path: Path) -> None:
    first, second = members(tmp_path)
    with pytest.raises(UsageError, match="at least two"):
        ensembles.members([first])
    with pytest.raises(UsageError, match="at least two"):
        ensembles.members([first, second, first])
    toml = tmp_path / "e.toml"
    toml.write_text('members = ["a", "b"]')
    with pytest.raises(UsageError, match="cannot be a member"):
        ensembles.members([first, str(toml)])


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A manifest of twelve validation tracks by six artists, and two test tracks."""
    folder = tmp_path / "Music"
    folder.mkdir()
    rows = ["path,tags,split,artist,album"]
    for n in range(14):
        path = media.make(folder / f"{n}.wav", "wav", seconds=1.0, seed=n)
        tags = ";".join(TAGS[k] for k in range(4) if (n >> k) & 1) or "happy"
        rows.append(f"{path.name},{tags},{'validation' if n < 12 else 'test'},artist {n // 2},x")
    (folder / "manifest.csv").write_text("\n".join(rows))
    return folder


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(home: Path) -> Run:
    del home  # the environment of a user of their own

    def start(*arguments: object) -> tuple[int, str, str]:
        done = CliRunner().invoke(app, [str(argument) for argument in arguments])
        return done.exit_code, done.stdout, done.stderr

    return start


def test_fit_listen_tag_and_eval(tmp_path: Path, music: Path, run: Run) -> None:
    """From bundles and a folder to an ensemble that tags and is evaluated."""
    names, out = members(tmp_path), tmp_path / "ens.toml"
    options = ["--data", music, "--out", out, "--folds", 3, "--resamples", 20]
    code, text, errors = run(
        "ensemble", "fit", *names, *options, "--combine", "per-tag", "--context", "--format", "json"
    )
    assert code == 0, errors
    judged = [model["model"] for model in json.loads(text)["models"]]
    assert judged[:4] == ["mean", "a", "b", "per-tag, fitted"]
    assert "12 tracks" in errors
    says = tomllib.loads(out.read_text())
    assert says["members"] == ["a.safetensors", "b.safetensors"]
    assert set(says["tag_weights"]) == set(TAGS)
    assert {"artist", "album", "thresholds"} == set(says["context"])
    assert "12 validation tracks" in out.read_text()
    code, text, errors = run("tag", music, "--model", out, "--format", "jsonl")
    assert code == 0, errors
    assert len(text.splitlines()) == 14
    code, text, errors = run(
        "eval", "--model", out, "--data", music, "--resamples", 0, "--format", "json"
    )
    assert code == 0, errors


def test_a_file_is_decoded_once_for_all_members(tmp_path: Path, music: Path, run: Run) -> None:
    (music / "3.wav").write_bytes(b"")
    options = ["--data", music, "--out", tmp_path / "e.toml", "--folds", 3, "--resamples", 0]
    code, _, errors = run("ensemble", "fit", *members(tmp_path), *options)
    assert code == 1
    assert errors.count("failed: ") == 1
    assert "11 tracks" in errors


def test_nothing_is_fitted_on_test(tmp_path: Path, music: Path, run: Run) -> None:
    names, out = members(tmp_path), tmp_path / "ens.toml"
    code, _, errors = run(
        "ensemble", "fit", *names, "--data", music, "--out", out, "--split", "test"
    )
    assert (code, out.exists()) == (2, False)
    assert "test split" in errors
    told = said([1] * 4, 0).keep_tracks(range(2))
    by_id, by_split = replace(told, ids=("12.wav", "13.wav")), replace(told, split="test")
    for given, source in ((by_id, ["--data", music]), (by_split, [])):
        given.save(tmp_path / "said.npz")
        both = ["--predictions", tmp_path / "said.npz"] * 2
        code, _, errors = run("ensemble", "fit", *names, *source, "--out", out, *both)
        assert (code, out.exists()) == (2, False)
        assert "speaks of test tracks" in errors


def test_saved_predictions_are_not_heard_again(tmp_path: Path, run: Run) -> None:
    names, out = members(tmp_path), tmp_path / "ens.toml"
    both: list[object] = []
    for seed in range(2):
        replace(said([2 * seed] * 4, seed), name="ab"[seed]).save(tmp_path / f"{seed}.npz")
        both += ["--predictions", tmp_path / f"{seed}.npz"]
    fit = ["ensemble", "fit", *names, "--out", out, "--resamples", 20]
    code, text, errors = run(*fit, *both)
    assert code == 0, errors
    assert "weights, fitted" in text
    low, high = tomllib.loads(out.read_text())["weights"]
    assert low < high
    assert "micro" not in text, "ranks of different tags are compared"
    code, _, errors = run(*fit, *both[2:], *both[:2])
    assert code == 2
    assert "1.npz: is what b says, not a" in errors
    code, _, errors = run(*fit, *both[:2])
    assert code == 2
    assert "1 predictions of 2 models" in errors
    code, _, errors = run(*fit)
    assert code == 2
    assert "nothing to fit on" in errors
