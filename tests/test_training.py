"""A student learns from its teachers; a run resumes as if nothing had happened; mistakes are named."""

from __future__ import annotations

import csv
import dataclasses
import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from tagkit import models, recipe
from tagkit.cli.main import app
from tagkit.data.cache import Cache, decibel
from tagkit.data.manifest import Item, read_manifest
from tagkit.errors import RecipeError
from tagkit.front_end import FrontEnd
from tagkit.losses import logit_matching
from tagkit.metrics import rank_correlation
from tagkit.recipe import Train
from tagkit.training import distill
from tagkit.training.loop import Plan, fit
from tagkit.training.teachers import Teachers, gather
from tagkit.vocab import canonical
from tagkit.weights import bundle
from tests import library, media

TAGS = tuple(canonical(name) for name in ("happy", "sad", "piano"))


def tracks(seed: int, count: int) -> distill.Tracks:
    """Images with 0 to 2 loud bands; a tag is a loud band, so it can be learned."""
    random = np.random.default_rng(seed)
    loud = random.random((count, len(TAGS))) < 0.4
    mels = []
    for row in loud:
        image = random.integers(60, 90, (96, 400))
        for position in np.flatnonzero(row):
            image[20 + 20 * position : 30 + 20 * position] += 60
        mels.append(torch.from_numpy(image.astype(np.uint8)))
    noise = random.uniform(0, 0.05, loud.shape)
    return distill.Tracks(mels, np.where(loud, 0.9 - noise, 0.02 + noise).astype(np.float32))


def small(**train: object) -> recipe.Recipe:
    settings = {"steps": 60, "batch": 16, "warmup": 10, "validate_every": 20, **train}
    return recipe.Recipe("small", "mel_tcn", arguments={"channels": 16}, train=Train(**settings))


@pytest.fixture(scope="module")
def data() -> dict[str, distill.Tracks]:
    return {"train": tracks(0, 40), "validation": tracks(1, 16), "test": tracks(2, 24)}


def test_a_student_learns_what_its_teachers_say(
    data: dict[str, distill.Tracks], tmp_path: Path
) -> None:
    student = distill.distill(small(), TAGS, data, tmp_path)
    assert np.nanmean(student.agreement) > 0.6
    told = student.card.scores["rank correlation with the mean of the teachers, mean over tags"]
    assert told["test tracks"] == pytest.approx(np.nanmean(student.agreement), abs=1e-4)
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [20, 40, 60]


def test_thresholds_give_as_many_tags_as_the_recipe_says(
    data: dict[str, distill.Tracks], tmp_path: Path
) -> None:
    settings = dataclasses.replace(small(steps=20), tags_per_track={"mood": 0.5})
    student = distill.distill(settings, TAGS, data, tmp_path)
    both = distill.Tracks(
        [*data["train"].mels, *data["validation"].mels],
        np.concatenate([data["train"].targets, data["validation"].targets]),
    )
    found = distill.predict(student.model, both, 188)
    assert student.card.thresholds is not None
    given = (found >= np.array(student.card.thresholds)).mean(0)
    assert given[:2].sum() == pytest.approx(0.5, abs=0.05)
    # piano: the recipe is silent on instruments, so as often as the teachers expect, to one in three
    assert given[2] == pytest.approx(min(both.targets[:, 2].mean(), 1 / 3), abs=0.03)


def test_a_resumed_run_is_the_uninterrupted_one(
    data: dict[str, distill.Tracks], tmp_path: Path
) -> None:
    whole = distill.distill(small(), TAGS, data, tmp_path / "whole")

    class KilledError(Exception):
        pass

    model = models.build("mel_tcn", 3, channels=16)
    logits = distill._logits(data["train"].targets)
    batches = distill._Batches(data["train"].mels, logits, 188, small().train)
    seen: list[int] = []

    def until_31(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        if step == 31:
            raise KilledError
        seen.append(step)
        return batches(step)

    torch.manual_seed(0)
    model = models.build("mel_tcn", 3, channels=16)
    spread = logits.std(0).clamp_min(0.05)
    plan = Plan(
        batch=until_31,
        loss=lambda a, b: logit_matching(a, b, spread=spread),
        validate=lambda m: float(np.nanmean(distill.agreement(m, data["validation"], 188))),
    )
    with pytest.raises(KilledError):
        fit(model, plan, small().train, tmp_path / "cut")
    assert seen[-1] == 30
    resumed = distill.distill(small(), TAGS, data, tmp_path / "cut", resume=True)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


def plain(validate: float = 0.0) -> Plan:
    return Plan(
        batch=lambda _: (torch.zeros(2, 96, 188), torch.zeros(2, 3)),
        loss=lambda a, b: (a - b).square().mean(),
        validate=lambda _: validate,
    )


def student(channels: int = 8) -> models.TagModel:
    return models.build("mel_tcn", 3, channels=channels)


BRIEF = Train(steps=2, batch=2, validate_every=1, warmup=1)


def test_a_validation_that_is_no_number_stops_with_the_step(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="validation figure is no number at step 1"):
        fit(student(), plain(float("nan")), BRIEF, tmp_path)


def test_a_full_disk_leaves_the_last_checkpoint_whole_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(student(), plain(), BRIEF, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.pt")}
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RecipeError, match=r"best\.pt.*No space left.*--resume"):
        fit(student(), plain(1.0), BRIEF, tmp_path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.suffix != ".jsonl"} == before


def full(_fd: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("damage", "word"), [("cut", "cannot be read"), ("another", "another model")]
)
def test_a_checkpoint_that_does_not_fit_is_named(tmp_path: Path, damage: str, word: str) -> None:
    fit(student(), plain(), BRIEF, tmp_path)
    last = tmp_path / "last.pt"
    if damage == "cut":
        last.write_bytes(last.read_bytes()[:1000])
    model = student(16 if damage == "another" else 8)
    with pytest.raises(RecipeError, match=word) as caught:
        fit(model, plain(), BRIEF, tmp_path, resume=True)
    assert caught.value.path == str(last) and "--resume" in (caught.value.hint or "")


def test_a_cache_file_that_is_damaged_is_made_again_and_never_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    media.make(tmp_path / "a.wav", "wav", seconds=0.5)
    cache = Cache(tmp_path / "cache", tmp_path, FrontEnd(48000))
    whole = cache.get("a.wav", [], lambda *_: {})
    (place,) = cache.folder.iterdir()
    for damaged in (b"", b"PK", place.read_bytes()[:500]):
        place.write_bytes(damaged)
        assert np.array_equal(cache.get("a.wav", [], lambda *_: {}).mel, whole.mel)
    before = place.read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RecipeError, match=r"No space left.*free some space"):
        cache.get("a.wav", ["t"], lambda *_: {"t": np.zeros(2, np.float32)})
    assert list(cache.folder.iterdir()) == [place] and place.read_bytes() == before


def test_a_split_without_usable_tracks_says_why(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    cache = Cache(tmp_path / "cache", tmp_path, FrontEnd(48000))
    teachers = Teachers([str(library.small_model(tmp_path / "t.safetensors"))], "cpu")
    with pytest.raises(RecipeError, match=r"'train' has 0 usable.*1 files failed.*a\.wav"):
        gather([Item("a.wav", "train")], cache, teachers)


def test_a_loss_that_is_no_number_stops_with_the_step(tmp_path: Path) -> None:
    plan = Plan(
        batch=lambda step: (
            (torch.full((2, 96, 188), float("nan") if step == 3 else 0.0),) * 1
            + (torch.zeros(2, 3),)
        ),
        loss=lambda a, b: (a - b).square().mean(),
        validate=lambda _: 0.0,
    )
    with pytest.raises(RecipeError, match="at step 3"):
        fit(models.build("mel_tcn", 3, channels=16), plan, Train(steps=9, batch=2), tmp_path)


def test_logit_matching_by_hand() -> None:
    found = torch.tensor([[1.0, 2.0], [3.0, -1.0]])
    wanted = torch.tensor([[0.0, 2.0], [1.0, 1.0]])
    # ((1/1)², 0, (2/1)², (−2/2)²) → mean 6 / 4
    assert logit_matching(found, wanted, spread=torch.tensor([1.0, 2.0])) == 1.5


def test_rank_correlation_by_hand() -> None:
    a = np.array([[1.0, 1.0, 5.0], [2.0, 1.0, 5.0], [3.0, 2.0, 5.0]])
    b = np.array([[10.0, 1.0, 1.0], [30.0, 2.0, 2.0], [20.0, 3.0, 3.0]])
    found = rank_correlation(a, b)
    # ranks 1 2 3 and 1 3 2: 1 − 6·2/(3·8) = .5; ties 1.5 1.5 3 against 1 2 3: 1.5/√(1.5·2) = .8660
    assert found[:2] == pytest.approx([0.5, 0.8660254])
    assert np.isnan(found[2])


def test_the_cache_computes_once_and_survives_a_torn_write(tmp_path: Path) -> None:
    media.make(tmp_path / "a.wav", "wav", seconds=1.0)
    calls: list[list[str]] = []

    def listen(_: Path, wanted: object) -> dict[str, np.ndarray]:
        calls.append(list(wanted))  # type: ignore[call-overload]
        return {name: np.zeros(3, np.float32) for name in calls[-1]}

    cache = Cache(tmp_path / "cache", tmp_path, FrontEnd(8000))
    first = cache.get("a.wav", ["x"], listen)
    second = cache.get("a.wav", ["x", "y"], listen)
    assert calls == [["x"], ["y"]]
    assert np.array_equal(first.mel, second.mel) and set(second.teachers) == {"x", "y"}
    assert first.mel.shape == (96, 16000 // 256 + 1)
    assert decibel(torch.tensor([0, 200], dtype=torch.uint8)).tolist() == [-100.0, 0.0]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("path,split\na.wav,training\n", "line 2: split is 'training'"),
        ("path,split\nmissing.wav,train\n", "line 2: missing.wav"),
        ("file,split\na.wav,train\n", "columns"),
        ("", "columns"),
    ],
)
def test_wrong_manifests_are_named_by_line(tmp_path: Path, text: str, word: str) -> None:
    media.make(tmp_path / "a.wav", "wav", seconds=0.1)
    manifest = tmp_path / "m.csv"
    manifest.write_text(text)
    with pytest.raises(RecipeError, match=word):
        read_manifest(manifest, tmp_path)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('name = "x"\narchitecture = "fcn"\ncolour = 1', "unknown key colour"),
        ('name = "x"\narchitecture = "fcn"\n[train]\nstep = 1', "did you mean train.steps"),
        ('name = "x"\narchitecture = "fcn"\n[train]\nsteps = "many"', "train.steps must be int"),
        ('name = "x"', "incomplete"),
        ("name = ", "cannot be read"),
    ],
)
def test_wrong_recipes_are_errors(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=word):
        recipe.load(str(path))


def test_every_shipped_recipe_loads() -> None:
    assert recipe.names()
    for name in recipe.names():
        assert models.entry(recipe.load(name).architecture)
    with pytest.raises(RecipeError, match="student_ds_cnn"):
        recipe.load("student_ds_cn")


def test_the_train_command_makes_a_bundle_that_tags(tmp_path: Path) -> None:
    music = tmp_path / "music"
    music.mkdir()
    lines = []
    for seed in range(9):
        path = media.make(music / f"{seed}.wav", "wav", seconds=1.0, seed=seed)
        lines.append((path.name, ("train", "validation", "test")[seed % 3]))
    with (tmp_path / "m.csv").open("w", newline="") as out:
        csv.writer(out).writerows([("path", "split"), *lines])
    (music / "0.wav").write_bytes(b"RIFF")  # a file that cannot be read is left out, by name
    (tmp_path / "r.toml").write_text(
        'name = "mine"\narchitecture = "ds_cnn"\n[arguments]\nstem = 4\ndense = 8\n'
        "[train]\nsteps = 4\nbatch = 2\nvalidate_every = 2\nwarmup = 1\n"
    )
    teacher = library.small_model(tmp_path / "teacher.safetensors")
    arguments = ["train", tmp_path / "r.toml", "--data", music, "--manifest", tmp_path / "m.csv"]
    arguments += ["--teacher", teacher, "--out", tmp_path / "mine.safetensors"]
    arguments += ["--cache", tmp_path / "cache", "--run", tmp_path / "runs"]
    done = CliRunner().invoke(app, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    assert "left out" in done.stderr and "0.wav" in done.stderr
    card = bundle.read_card(tmp_path / "mine.safetensors")
    assert {tag.name for tag in card.tags} == {canonical(name).name for name in library.TAGS}
    store = ["--store", str(tmp_path / "s.sqlite"), "--all-tags"]
    model = ["--model", str(tmp_path / "mine.safetensors")]
    tagged = CliRunner().invoke(app, ["tag", str(music / "1.wav"), *model, *store])
    assert tagged.exit_code == 0, tagged.output
    assert len(json.loads(tagged.stdout)["probabilities"]) == len(library.TAGS)
