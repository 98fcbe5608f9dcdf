"""``tagkit train`` as a person runs it: from a folder to a bundle that tags, whatever happens between."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import mutagen.flac
import pytest
import soundfile
from typer.testing import CliRunner

from tagkit.cli.main import app
from tagkit.weights import bundle
from tests import forked, tones


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tones.write(tmp_path_factory.mktemp("tones")).root


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all runs: they hear the same."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def given(tmp_path: Path, dataset: Path, cache: Path) -> list[str]:
    recipe = tmp_path / "r.toml"
    recipe.write_text(tones.RECIPE)
    return ["train", str(recipe), "--data", str(dataset), "--cache", str(cache), "--jobs", "0"]


def train(*arguments: object) -> Any:
    return CliRunner().invoke(app, list(map(str, arguments)))


def tensors(path: Path) -> bytes:
    return path.read_bytes()[int.from_bytes(path.read_bytes()[:8], "little") + 8 :]


def test_a_trained_bundle_knows_how_good_it_is_and_tags(
    given: list[str], tmp_path: Path, home: Path, dataset: Path
) -> None:
    done = train(*given, "--run", tmp_path / "run", "--set", "train.epochs=12")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    path = Path(said["bundle"])
    assert path == tmp_path / "run" / "tones.safetensors"
    assert said["test"]["roc_auc"] > 0.8
    card = bundle.read_card(path)
    assert card.scores["test"]["macro ROC-AUC"] == pytest.approx(said["test"]["roc_auc"], abs=1e-4)
    assert card.scores["tracks"] == tones.SPLITS
    assert card.thresholds is not None and len(card.thresholds) == len(tones.TONES)
    for word in (
        "train 24, validation 8, test 8",
        "parameters",
        "12 epochs of 3 steps",
        "epoch 12/12",
        f"--model {path}",
    ):
        assert word in done.stderr
    tagged = forked.tagkit(home, "tag", dataset / "test0.wav", "--model", path, "--all-tags").wait()
    assert tagged.returncode == 0, tagged.stderr
    assert set(json.loads(tagged.stdout)["probabilities"]) == set(tones.TONES)


def test_killed_or_interrupted_the_result_is_that_of_one_run(
    given: list[str], tmp_path: Path, home: Path
) -> None:
    settings = ("--set", "train.epochs=16", "--set", "augment.mixup=1.0")
    # A process of its own, too: pytest's may compute with another number of threads, and round otherwise.
    whole = forked.tagkit(home, *given, *settings, "--run", tmp_path / "whole").wait()
    assert whole.returncode == 0, whole.stderr
    cut = tmp_path / "cut"
    given[-1] = "2"  # processes that read: they end with the one that trains
    for blow in (signal.SIGKILL, signal.SIGINT):
        before = _epochs(cut)
        started = forked.tagkit(home, *given, *settings, "--run", cut, "--resume")
        deadline = time.monotonic() + 60
        while _epochs(cut) < before + 2 and time.monotonic() < deadline:
            time.sleep(0.005)
        assert started.process.pid is not None
        os.kill(started.process.pid, blow)
        done = started.wait()
        assert before + 2 <= _epochs(cut) < 16 and not done.stdout
        if blow == signal.SIGINT:
            assert done.returncode == 130 and "everything finished is kept" in done.stderr
        else:
            assert done.returncode == -signal.SIGKILL
    done = forked.tagkit(home, *given, *settings, "--run", cut, "--resume").wait()
    assert done.returncode == 0, done.stderr
    assert tensors(cut / "tones.safetensors") == tensors(tmp_path / "whole" / "tones.safetensors")
    assert json.loads(done.stdout)["test"] == json.loads(whole.stdout)["test"]
    assert not list(cut.glob(".*.part"))


def _epochs(run: Path) -> int:
    log = run / "log.jsonl"
    return len(log.read_text().splitlines()) if log.exists() else 0


def test_a_full_disk_ends_in_words_and_leaves_nothing_half_written(
    given: list[str], tmp_path: Path, home: Path
) -> None:
    run = tmp_path / "run"
    done = forked.tagkit(home, *given, "--run", run, largest_file=20_000).wait()
    assert done.returncode != 0
    assert "best.pt" in done.stderr and "cannot be written" in done.stderr
    assert "--resume" in done.stderr and "Traceback" not in done.stderr and not done.stdout
    for kind in ("*.pt", "*.safetensors", ".*.part"):
        assert not list(run.glob(kind))
    again = train(*given, "--run", run, "--resume")
    assert again.exit_code == 0, again.output


def test_a_run_is_not_overwritten_without_being_asked(given: list[str], tmp_path: Path) -> None:
    assert train(*given, "--run", tmp_path / "run").exit_code == 0
    again = train(*given, "--run", tmp_path / "run")
    assert again.exit_code != 0 and "not empty" in again.stderr and "--resume" in again.stderr
    other = train(*given, "--run", tmp_path / "run", "--resume", "--set", "train.seed=9")
    assert other.exit_code != 0 and "train.seed" in other.stderr


def test_a_file_that_cannot_be_heard_is_named_counted_and_left_out(
    given: list[str], tmp_path: Path
) -> None:
    tones.write(tmp_path / "data")
    (tmp_path / "data" / "train3.wav").write_bytes(b"RIFF")
    given[3] = str(tmp_path / "data")
    done = train(*given, "--run", tmp_path / "run", "--set", "train.epochs=1")
    assert done.exit_code == 1, done.output
    assert (tmp_path / "run" / "tones.safetensors").is_file()
    assert "train3.wav" in done.stderr and "1 of 40 tracks" in done.stderr
    assert "train 23," in done.stderr


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        (["train.epoch=1"], "train.epochs"),
        (["architecture=fnc"], "did you mean fcn"),
        (["architecture=combiner"], "tagkit ensemble fit"),
        (["arguments.chanels=4"], "chanels"),
        (["front_end.mels=4"], "n_mels"),
        (["front_end.chunk_samples=0"], "out of range"),
        (["loss.name=bcee"], "did you mean bce"),
        (["train.sampler=class_aware"], "class-aware"),
        (["train.precision=fp16"], "train.precision"),
        (["train.start_from=nowhere"], "nowhere"),
        (["train.batch=9", "train.accumulate=2"], "multiple of 2"),
        (["train.batch=1"], "raise train.batch"),
        (["train.optimizer=sgd", "train.momentum=0", "train.nesterov=true"], "train.momentum"),
        (["name=No Name"], "name"),
    ],
)
def test_what_cannot_be_trained_is_said_before_any_listening(
    given: list[str], tmp_path: Path, settings: list[str], word: str
) -> None:
    options = [part for setting in settings for part in ("--set", setting)]
    done = train(*given, *options, "--run", tmp_path / "run", "--cache", tmp_path / "cache")
    assert done.exit_code != 0, done.output
    assert word in done.stderr.replace("\n", " ") and not done.stdout
    assert not list(tmp_path.glob("cache/**/*.npy"))


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "--data"),
        (["--data", "x", "--from-library", "y"], "--data"),
        (["--data", "x", "--manifest", "y"], "--teacher"),
        (["--data", "x", "--teacher", "y"], "--manifest"),
        (["--data", "nowhere"], "nowhere"),
    ],
)
def test_a_command_that_says_too_little_or_too_much_is_told(
    tmp_path: Path, arguments: list[str], word: str
) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text(tones.RECIPE)
    done = train("train", recipe, *arguments, "--run", tmp_path / "run")
    assert done.exit_code != 0 and word in done.stderr


@pytest.mark.parametrize("split", ["train", "validation"])
def test_an_empty_split_is_named(given: list[str], tmp_path: Path, split: str) -> None:
    given[3] = str(tones.write(tmp_path / "data", {**tones.SPLITS, split: 0}).root)
    done = train(*given, "--run", tmp_path / "run")
    assert done.exit_code != 0 and split in done.stderr and "empty" in done.stderr


def test_validation_tracks_that_cannot_choose_are_told_before_any_listening(
    given: list[str], tmp_path: Path
) -> None:
    manifest = tones.write(tmp_path / "data").root / "manifest.csv"
    rows = [line.split(",") for line in manifest.read_text().splitlines()]
    lines = [",".join((p, "" if split == "validation" else t, split)) for p, t, split in rows]
    manifest.write_text("\n".join(lines))
    given[3] = str(manifest)
    run = ("--run", tmp_path / "run", "--cache", tmp_path / "cache")
    done = train(*given, *run)
    assert done.exit_code == 1 and "pr_auc" in done.stderr and not done.stdout, done.output
    assert not (tmp_path / "cache").exists()
    done = train(*given, *run, "--set", "train.choose=loss", "--set", "train.epochs=1")
    assert done.exit_code == 0, done.output


def test_a_bundle_that_has_no_place_is_told_before_any_listening(
    given: list[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    run = ("--run", tmp_path / "run", "--cache", tmp_path / "cache", "--out")
    done = train(*given, *run, tmp_path / "file" / "x.safetensors")
    assert done.exit_code == 2 and "--out" in done.stderr
    assert not (tmp_path / "cache").exists() and not (tmp_path / "run").exists()
    done = train(*given, *run, tmp_path / "new" / "x.safetensors", "--set", "train.epochs=1")
    assert done.exit_code == 0 and (tmp_path / "new" / "x.safetensors").is_file(), done.output


@pytest.mark.parametrize("architecture", ["svm", "popularity"])
def test_what_is_fitted_trains_by_the_same_command(
    given: list[str], tmp_path: Path, architecture: str
) -> None:
    settings = ("--set", f"architecture={architecture}", "--set", "arguments={}")
    done = train(*given, *settings, "--run", tmp_path / "run")
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)["test"]
    assert figures["roc_auc"] > 0.9 if architecture == "svm" else figures["roc_auc"] == 0.5
    assert bundle.load(tmp_path / "run" / "tones.safetensors").card.architecture == architecture


def test_audio_is_changed_before_it_becomes_an_image(given: list[str], tmp_path: Path) -> None:
    settings = (
        "--set",
        "augment.polarity=0.5",
        "--set",
        "augment.gain=0.5",
        "--set",
        "train.epochs=1",
    )
    done = train(*given, *settings, "--run", tmp_path / "run", "--cache", tmp_path / "cache")
    assert done.exit_code == 0, done.output
    assert [folder.name[:5] for folder in (tmp_path / "cache").iterdir()] == ["audio"]


def test_another_datasets_tracks_are_trained_on_and_not_judged_by(
    given: list[str], tmp_path: Path
) -> None:
    more = tones.write(tmp_path / "more", {"train": 5, "test": 7}, seed=1).root
    done = train(*given, "--also", more, "--run", tmp_path / "run", "--set", "train.epochs=1")
    assert done.exit_code == 0, done.output
    assert "train 29, validation 8, test 8" in done.stderr


def test_a_librarys_own_moods_are_learned_from(given: list[str], tmp_path: Path) -> None:
    made = tones.write(tmp_path / "data", {"train": 30})
    music = tmp_path / "music"
    music.mkdir()
    for number, track in enumerate(made.tracks):
        sound, rate = soundfile.read(made.root / track.path)
        path = music / f"{number}.flac"
        soundfile.write(path, sound, rate)
        tags = mutagen.flac.FLAC(path)
        tags["mood"] = sorted(track.tags & {"happy", "sad"}) or ["calm"]
        tags["artist"] = f"artist {number % 15}"
        tags.save()
    given[2:4] = ["--from-library", str(music)]
    done = train(*given, "--run", tmp_path / "run", "--set", "train.epochs=1", "--field", "MOOD")
    assert done.exit_code == 0, done.output
    card = bundle.read_card(tmp_path / "run" / "tones.safetensors")
    assert {"happy", "sad"} <= {tag.name for tag in card.tags if tag.category == "mood"}


def test_low_layers_start_from_a_bundle(given: list[str], tmp_path: Path) -> None:
    assert train(*given, "--run", tmp_path / "first", "--set", "train.epochs=1").exit_code == 0
    first = tmp_path / "first" / "tones.safetensors"
    start = ("--set", f"train.start_from={first}")
    still = ("--set", "train.learning_rate=0", "--set", "train.seed=5", "--set", "train.epochs=1")
    done = train(*given, *start, *still, "--run", tmp_path / "second")
    assert done.exit_code == 0, done.output
    assert f"tensors from {first}: " in done.stderr
    old = bundle.load(first).model.state_dict()
    new = bundle.load(tmp_path / "second" / "tones.safetensors").model.state_dict()
    learned = [key for key, value in old.items() if key.endswith("weight") and value.ndim > 1]
    same = [key for key in learned if old[key].equal(new[key])]
    assert same == learned[:-1]  # all but the last layer
    for layers, word in (
        ("['nolayer']", "no module 'nolayer'"),
        ("['" + learned[-1].split(".")[0] + "']", ""),
    ):
        chosen = ("--set", f"train.start_layers={layers}", "--set", "arguments.dense=9")
        wrong = train(*given, *start, *chosen, "--run", tmp_path / "third")
        assert wrong.exit_code != 0 and word in wrong.stderr


def test_recipes_are_listed_and_printed(tmp_path: Path) -> None:
    listed = CliRunner().invoke(app, ["recipes"])
    rows = [line.split("\t") for line in listed.stdout.splitlines()]
    assert listed.exit_code == 0 and {len(row) for row in rows} == {5}
    assert ["student_ds_cnn", "ds_cnn"] in [row[:2] for row in rows]
    shown = CliRunner().invoke(app, ["recipes", "student_ds_cnn"])
    (tmp_path / "mine.toml").write_text(shown.stdout)
    again = CliRunner().invoke(app, ["recipes", str(tmp_path / "mine.toml"), "--resolved"])
    assert again.exit_code == 0 and "momentum = 0.9" in again.stdout
    assert CliRunner().invoke(app, ["recipes", "no_such"]).exit_code != 0
