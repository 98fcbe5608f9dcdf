"""``tagkit eval`` on datasets, on arrays and on saved predictions; what is wrong with them is one line."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from tagkit.cli.eval import _spread
from tagkit.cli.main import app
from tagkit.evaluation.predictions import load
from tagkit.evaluation.scores import Settings, score
from tagkit.library.containers import open_tags
from tests import library, media
from tests.evaluation import made_up

pytestmark = pytest.mark.usefixtures("home")


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["eval", *map(str, arguments)])


@pytest.fixture
def arrays(tmp_path: Path) -> Path:
    """A folder with scores and labels of test and validation tracks, tags, artists and counts."""
    for split, given in (("test", made_up()), ("validation", made_up(seed=1))):
        np.save(tmp_path / f"{split}.npy", given.scores)
        np.save(tmp_path / f"{split}-labels.npy", given.labels.astype(int))
    (tmp_path / "tags.txt").write_text("\n".join(made_up().outputs) + "\n")
    (tmp_path / "artists.txt").write_text("\n".join(made_up().artists) + "\n")
    (tmp_path / "counts.txt").write_text("900\n300\n200\n100\n10\n")
    return tmp_path


def options(folder: Path, **changed: object) -> Sequence[object]:
    given = {
        "predictions": folder / "test.npy",
        "labels": folder / "test-labels.npy",
        "tags": folder / "tags.txt",
        "resamples": 20,
    } | changed
    pairs = [(f"--{name.replace('_', '-')}", value) for name, value in given.items()]
    return [part for pair in pairs if pair[1] is not None for part in pair]


def test_arrays_with_everything_beside_them(arrays: Path) -> None:
    done = call(
        *options(
            arrays,
            validation_predictions=arrays / "validation.npy",
            validation_labels=arrays / "validation-labels.npy",
            artists=arrays / "artists.txt",
            train_counts=arrays / "counts.txt",
            format="json",
        )
    )
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    expected = score(made_up(), made_up(seed=1), Settings(resamples=20))
    for name, of in expected.figures.items():
        assert found["figures"][name]["value"] == pytest.approx(of.value)
        assert found["figures"][name]["low"] == pytest.approx(of.low)
    assert [group["name"] for group in found["groups"]][:3] == ["head", "middle", "tail"]
    assert [decision["thresholds"] for decision in found["decisions"]] == [
        "youden",
        "f1",
        "per-tag",
    ]
    assert "20 resamples of 40 artists" in done.stderr


def test_the_table_and_the_csv(arrays: Path) -> None:
    table = call(*options(arrays))
    assert table.exit_code == 0 and "no validation predictions" in table.stderr
    assert "PR-AUC macro" in table.stdout and "rock" in table.stdout
    rows = list(csv.reader(io.StringIO(call(*options(arrays, format="csv")).stdout)))
    assert rows[0][:4] == ["scope", "name", "figure", "value"]
    assert {row[0] for row in rows[1:]} == {"overall", "category", "tag"}


def test_logits_are_said_to_be_some(arrays: Path) -> None:
    scores = np.load(arrays / "test.npy").astype(np.float64)
    np.save(arrays / "logits.npy", np.log(scores / (1 - scores)))
    refused = call(*options(arrays, predictions=arrays / "logits.npy"))
    assert refused.exit_code == 1 and "--logits" in refused.stderr
    plain, done = (
        json.loads(call(*given, "--format", "json").stdout)["figures"]
        for given in (
            options(arrays),
            [*options(arrays, predictions=arrays / "logits.npy"), "--logits"],
        )
    )
    for name, of in plain.items():
        assert done[name]["value"] == pytest.approx(of["value"], abs=1e-6), name


def test_saved_predictions_need_nothing_beside_them(arrays: Path) -> None:
    saved = arrays / "saved.npz"
    first = call(*options(arrays, artists=arrays / "artists.txt", save=saved, format="json"))
    again = call("--predictions", saved, "--resamples", 20, "--format", "json")
    assert first.exit_code == again.exit_code == 0
    assert json.loads(again.stdout) == json.loads(first.stdout)


def test_a_report_is_written_or_refused_before_anything_is_done(arrays: Path) -> None:
    done = call(*options(arrays, report=arrays / "report.html"))
    assert done.exit_code == 0 and (arrays / "report.html").read_text().startswith("<!doctype")
    for bad in (arrays, arrays / "absent" / "report.html"):
        refused = call(*options(arrays, report=bad))
        assert refused.exit_code == 2 and refused.stdout == ""


def cut(array: np.ndarray, folder: Path) -> Path:
    np.save(folder / "bad.npy", array)
    return folder / "bad.npy"


@pytest.mark.parametrize(
    ("option", "make", "says"),
    [
        ("predictions", lambda f: cut(np.full((120, 5), np.nan), f), "no finite numbers"),
        ("predictions", lambda f: cut(np.zeros((120, 4)), f), "4 columns, but there are 5 tags"),
        ("predictions", lambda f: cut(np.zeros((3, 5)), f), "3 × 5 scores, but 120 × 5 labels"),
        ("predictions", lambda f: cut(np.zeros(()), f), "tracks × tags"),
        ("predictions", lambda f: cut(np.array([None] * 5), f), "pickled objects"),
        ("predictions", lambda f: f / "tags.txt", "no plain array"),
        ("predictions", lambda f: f / "absent.npy", "No such file"),
        ("labels", lambda f: cut(np.full((120, 5), 2), f), "0 and 1"),
        ("labels", lambda f: cut(np.zeros((120, 5)), f), "nothing can be measured"),
        ("labels", lambda _: None, "--labels"),
        ("tags", lambda _: None, "--tags"),
        ("artists", lambda f: f / "tags.txt", "5 lines for 120 tracks"),
        ("train_counts", lambda f: f / "tags.txt", "whole number"),
        ("train_counts", lambda f: f / "artists.txt", "whole number"),
        ("validation_labels", lambda f: f / "test-labels.npy", "labels without predictions"),
        ("validation_predictions", lambda f: f / "test.npy", "--labels"),
        ("model", lambda _: "anything", "--model"),
        ("format", lambda _: "xml", "table, json, csv"),
        ("split", lambda _: "dev", "train, validation, test"),
        ("head", lambda _: 3, "tail"),
    ],
)
def test_bad_input_is_one_line(arrays: Path, option: str, make: object, says: str) -> None:
    assert callable(make)
    done = call(*options(arrays, **{option: make(arrays)}))
    assert done.exit_code in (1, 2) and done.stdout == ""
    assert says in done.stderr and "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr


def test_the_same_array_is_no_validation(arrays: Path) -> None:
    done = call(
        *options(
            arrays,
            validation_predictions=arrays / "test.npy",
            validation_labels=arrays / "test-labels.npy",
        )
    )
    assert done.exit_code == 1 and "the ones to score" in done.stderr


def test_nothing_to_evaluate_is_usage() -> None:
    for arguments in ((), ("--model", "x")):
        done = call(*arguments)
        assert done.exit_code == 2 and "--predictions" in done.stderr
    assert call("--data", ".", "--from-library", ".").exit_code == 2
    assert call("--from-library", ".").exit_code == 2


def test_compare_takes_names_as_they_come() -> None:
    spread = ["--compare", "a", "--compare", "b", "--compare", "c", "--head", "3"]
    assert _spread(["--compare", "a", "b", "c", "--head", "3"], "--compare") == spread
    assert _spread(["--compare", "a", "--compare", "b", "c", "--head", "3"], "--compare") == spread
    assert _spread(["--compare"], "--compare") == ["--compare"]
    assert _spread(["--head", "3"], "--compare") == ["--head", "3"]


def test_models_side_by_side(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.npz" for name in ("good", "better")]
    for path, signal in zip(paths, (1.0, 1.5), strict=True):
        made_up(signal=signal).save(path)
    done = call("--compare", *paths, "--resamples", 50, "--format", "json")
    assert done.exit_code == 0, done.stderr
    good, better = json.loads(done.stdout)["models"]
    assert (good["model"], good["differences"]) == ("model-1", {})
    assert better["differences"]["roc_auc_macro"]["better"] == 1.0
    table = call("--compare", *paths, "--resamples", 50)
    assert "model-1.5" in table.stdout and "100.0%" in table.stdout
    rows = call("--compare", *paths, "--resamples", 50, "--format", "csv").stdout.splitlines()
    assert rows[0].startswith("model,figure,value") and len(rows) == 9
    assert call("--compare", paths[0]).exit_code == 1
    assert call("--compare", "a-model", paths[0]).exit_code == 2
    assert call("--compare", *paths, "--save", tmp_path / "x.npz").exit_code == 2


def dataset(folder: Path, count: int = 12) -> Path:
    """A manifest of short noises; the last test file is no sound."""
    lines = ["path,tags,split,artist"]
    for number in range(count):
        split = ("train", "validation", "test")[number % 3]
        tags = ("happy", "piano;sad", "")[number // 3 % 3]
        name = f"{number}.flac"
        media.make(folder / name, "flac", seconds=1.0, seed=number)
        lines.append(f"{name},{tags},{split},artist {number}")
    (folder / "broken.mp3").write_bytes(b"no sound")
    lines.append("broken.mp3,happy,test,artist 0")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_a_model_on_a_dataset(tmp_path: Path, music: Path) -> None:
    model = library.small_model(tmp_path / "m.safetensors", thresholds=[0.5] * len(library.TAGS))
    saved = tmp_path / "saved.npz"
    done = call(
        *("--model", model, "--data", dataset(music), "--device", "cpu", "--resamples", 10),
        *("--save", saved, "--format", "json"),
    )
    assert done.exit_code == 1  # a file failed
    assert done.stderr.count("broken.mp3") == 1 and "could not be heard: 1" in done.stderr
    found = json.loads(done.stdout)
    assert found["tracks"] == 4 and {tag["output"] for tag in found["tags"]} == {
        "happy",
        "piano",
        "sad",
    }
    cuts = [decision["thresholds"] for decision in found["decisions"]]
    assert cuts == ["youden", "f1", "per-tag", "own"]
    counts = {tag["output"]: tag["train_count"] for tag in found["tags"]}
    assert counts == {"happy": 2, "piano": 1, "sad": 1}
    assert (
        load(saved).ids == tuple(track for track in load(saved).ids) and len(load(saved).ids) == 4
    )
    quick = call(
        *("--model", model, "--data", music, "--device", "cpu", "--resamples", 0),
        *("--no-validation", "--split", "validation", "--format", "json"),
    )
    assert quick.exit_code == 0, quick.stderr
    assert [d["thresholds"] for d in json.loads(quick.stdout)["decisions"]] == ["own"]


def test_models_are_compared_on_a_dataset(tmp_path: Path, music: Path) -> None:
    one, two = (library.small_model(tmp_path / f"{n}.safetensors", seed=n) for n in (1, 2))
    folder = dataset(music)
    (folder / "broken.mp3").unlink()
    done = call(
        *("--compare", one, two, "--data", folder, "--device", "cpu", "--resamples", 10),
        *("--format", "json"),
    )
    assert done.exit_code == 0, done.stderr
    assert [model["model"] for model in json.loads(done.stdout)["models"]] == ["1", "2"]


def test_a_librarys_own_tags(tmp_path: Path, music: Path) -> None:
    model = library.small_model(tmp_path / "m.safetensors", thresholds=None)
    for number in range(30):
        folder = music / f"artist {number}"
        folder.mkdir()
        path = media.make(folder / "song.flac", "flac", seconds=0.6, seed=number)
        tags = open_tags(path)
        tags.set("mood", ["happy", "my own"] if number % 2 else ["sad"])
        tags.save()
    done = call(
        *("--from-library", music, "--field", "MOOD", "--model", model, "--device", "cpu"),
        *("--resamples", 0, "--split", "train", "--no-validation", "--format", "json"),
    )
    assert done.exit_code == 0, done.stderr
    assert "1 of 3 tags are none of its own" in done.stderr
    found = json.loads(done.stdout)
    assert [tag["output"] for tag in found["tags"]] == ["happy", "sad"]
    assert found["tracks"] == 24 and not found["decisions"]


def test_reproduce_hangs_below() -> None:
    done = call("reproduce", "--help")
    assert done.exit_code == 0 and "published" in done.stdout


def test_a_reader_that_has_enough_is_no_failure(tmp_path: Path) -> None:
    made_up().save(saved := tmp_path / "a.npz")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "tagkit", "eval", "--resamples=0", f"--predictions={saved}"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writer)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_is_fitted_on_the_test_split(tmp_path: Path) -> None:
    made_up().save(tmp_path / "a.npz")
    made_up(seed=1, split="test").save(tmp_path / "b.npz")
    options = ("--predictions", tmp_path / "a.npz", "--validation-predictions", tmp_path / "b.npz")
    done = call(*options)
    assert done.exit_code == 2
    assert "b.npz: speaks of test tracks" in done.stderr


def test_what_is_saved_can_be_read_again_and_a_full_disk_costs_no_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up().save(tmp_path / "a.npz")
    options = ("--predictions", tmp_path / "a.npz", "--resamples", 0, "--save")
    done = call(*options, tmp_path / "b.predictions")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "should end in .npz" in done.stderr

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    done = call(*options, tmp_path / "b.npz")
    assert done.exit_code == 1
    assert "b.npz: cannot be written: No space left" in done.stderr
    assert "PR-AUC macro" in done.stdout
    assert not (tmp_path / "b.npz").exists()


def test_lists_may_come_from_windows(arrays: Path) -> None:
    for name in ("tags.txt", "artists.txt", "counts.txt"):
        lines = (arrays / name).read_text()
        (arrays / name).write_bytes(b"\xef\xbb\xbf" + lines.replace("\n", "\r\n").encode())
    files = {"artists": arrays / "artists.txt", "train_counts": arrays / "counts.txt"}
    done = call(*options(arrays, **files))
    assert done.exit_code == 0, done.stderr
    assert "resamples of 40 artists" in done.stderr


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("tags.txt", "happy\nsad\nfilm\npiano\nhappy\n", "tags.txt: the tag 'happy' is there 2"),
        ("tags.txt", None, "tags.txt: cannot be read as a list of tags: No such file"),
        ("counts.txt", "900\n300\n200\n100\n-1\n", "counts.txt: .*-1 is below 0"),
        ("artists.txt", None, "artists.txt: cannot be read as text: No such file"),
    ],
)
def test_a_list_that_is_wrong_is_named(
    arrays: Path, name: str, text: str | None, says: str
) -> None:
    if text is None:
        (arrays / name).unlink()
    else:
        (arrays / name).write_text(text)
    files = {"artists": arrays / "artists.txt", "train_counts": arrays / "counts.txt"}
    done = call(*options(arrays, **files))
    assert (done.exit_code, done.stdout) == (1, "")
    assert re.search(says, done.stderr), done.stderr


def test_an_empty_split_says_which_are_not(music: Path, model: Path) -> None:
    (music / "a.wav").touch()
    (music / "manifest.csv").write_text("path,tags,split\na.wav,happy,validation\n")
    done = call("--model", model, "--data", music)
    assert done.exit_code == 1
    assert "no track in the split test (validation has 1: choose with --split)" in done.stderr
