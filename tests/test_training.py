"""A run goes on as if nothing had happened; it stops with words; what it keeps is the best."""

from __future__ import annotations

import dataclasses
import errno
import gc
import json
import math
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from tagkit import recipe
from tagkit.data import samplers
from tagkit.errors import RecipeError
from tagkit.recipe import Train
from tagkit.training import optimizers
from tagkit.training.batches import Batch, Batches, Slice, chance
from tagkit.training.hearing import predict
from tagkit.training.judging import thresholds
from tagkit.training.loop import Plan, fit
from tagkit.training.runs import Run

TAGS, TRACKS, LENGTH = 3, 12, 6
BRIEF = Train(epochs=4, batch=4, learning_rate=0.05)


@pytest.fixture(autouse=True)
def _no_state() -> Iterator[None]:
    """accelerate remembers the first precision of a process; here there are several."""
    AcceleratorState._reset_state(True)
    yield
    AcceleratorState._reset_state(True)


def features() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(0, 200, (2, 9 + n), dtype=np.uint8) for n in range(TRACKS)]


def targets() -> np.ndarray:
    return (np.arange(TRACKS)[:, None] % (2 + np.arange(TAGS)) == 0).astype(np.float32)


def batches(train: Train = BRIEF) -> Batches:
    def order(number: int) -> np.ndarray:
        return np.random.default_rng((train.seed, number)).permutation(TRACKS)

    return Batches(
        features(), targets(), length=LENGTH, order=order, batch=train.batch, seed=train.seed
    )


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(2 * LENGTH, 8),
        nn.BatchNorm1d(8),
        nn.Dropout(0.5),
        nn.Linear(8, TAGS),
    )


def prepare(batch: Batch, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    noise = torch.from_numpy(random.normal(0, 0.1, batch.inputs.shape).astype(np.float32))
    return batch.inputs.float() / 100 + noise, batch.targets


def plan(train: Train = BRIEF, **changes: Any) -> Plan:
    """Judged by the loss on all tracks."""
    heard = torch.from_numpy(np.stack([f[:, :LENGTH] for f in features()])).float() / 100
    wanted = torch.from_numpy(targets())

    def validate(judged: nn.Module) -> dict[str, float]:
        assert not judged.training
        with torch.inference_mode():
            return {"loss": float((judged(heard) - wanted).square().mean())}

    given = Plan(
        batches=batches(train),
        steps=3,
        prepare=prepare,
        loss=lambda found, wanted: (found - wanted).square().mean(),
        validate=validate,
        choose="loss",
        names=lambda row: f"track{row}.mp3",
    )
    return dataclasses.replace(given, **changes)


def begin(folder: Path, train: Train = BRIEF, *, resume: bool = False, data: str = "d") -> Run:
    settled = recipe.Recipe("small", "fcn", train=train)
    run = Run(folder, settled, {"name": data}, resume=resume)
    run.begin({"device": "cpu"})
    return run


def train(
    folder: Path,
    settings: Train = BRIEF,
    given: Plan | None = None,
    *,
    resume: bool = False,
    jobs: int = 0,
    model: nn.Module | None = None,
) -> nn.Module:
    model = model or network()
    accelerator = Accelerator(cpu=True, mixed_precision=settings.precision)
    run = begin(folder, settings, resume=resume)
    fit(
        model,
        given or plan(settings),
        settings,
        run,
        accelerator=accelerator,
        resume=resume,
        jobs=jobs,
    )
    return model


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def log(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


# batches


def test_a_pass_hears_every_track_once_and_passes_follow_each_other() -> None:
    rows = np.concatenate([batches().rows(Slice(step)) for step in range(6)])
    assert sorted(rows[:TRACKS]) == sorted(rows[TRACKS:]) == list(range(TRACKS))
    assert not np.array_equal(rows[:TRACKS], rows[TRACKS:])
    wide = batches(dataclasses.replace(BRIEF, batch=8))  # 12 tracks: a pass ends within a batch
    rows = np.concatenate([wide.rows(Slice(step)) for step in range(3)])
    assert sorted(rows[:TRACKS]) == sorted(rows[TRACKS:]) == list(range(TRACKS))


def test_slices_are_the_parts_of_one_and_the_same_batch() -> None:
    whole = batches()[Slice(5)]
    parts = [batches()[Slice(5, number, 2)] for number in range(2)]
    for name in Batch._fields:
        together = torch.cat([getattr(part, name) for part in parts])
        assert torch.equal(together, getattr(whole, name)), name


def test_chunks_start_anywhere_in_a_track_and_keep_its_targets() -> None:
    starts = set()
    for step in range(60):
        batch = batches()[Slice(step)]
        for chunk, row, wanted in zip(batch.inputs, batch.tracks, batch.targets, strict=True):
            track = features()[row]
            found = [
                s
                for s in range(track.shape[1] - LENGTH + 1)
                if (track[:, s : s + LENGTH] == chunk.numpy()).all()
            ]
            assert len(found) == 1 and np.array_equal(wanted, targets()[row])
            starts |= {(int(row), found[0])}
    assert {(0, 0), (0, 3)} <= starts  # of 9 frames, 6 at a time: the first and the last place


def test_batches_can_be_sent_to_a_process() -> None:
    sampler = samplers.build("class-aware", targets() > 0, seed=3)
    made = Batches(features(), targets(), length=LENGTH, order=sampler, batch=5, seed=0)
    sent = pickle.loads(pickle.dumps(made))
    for step in range(7):  # over the ends of passes
        assert all(
            torch.equal(a, b) for a, b in zip(made[Slice(step)], sent[Slice(step)], strict=True)
        )


def test_chance_differs_by_seed_purpose_and_number() -> None:
    keys = [
        (seed, purpose, *numbers)
        for seed in (0, 1)
        for purpose in ("place", "augment")
        for numbers in ((0,), (1,), (0, 1), (1, 0))
    ]
    drawn = {float(chance(*key).random()) for key in keys}  # type: ignore[arg-type]
    assert len(drawn) == len(keys)


# one run


def test_the_weights_with_the_best_figure_are_left_in_the_network(tmp_path: Path) -> None:
    figures = iter([0.5, 0.2, 0.9, 0.4])
    kept = []

    def validate(judged: nn.Module) -> dict[str, float]:
        kept.append({key: value.clone() for key, value in judged.state_dict().items()})
        return {"loss": next(figures)}

    model = train(tmp_path, given=plan(validate=validate))
    assert all(torch.equal(value, kept[1][key]) for key, value in model.state_dict().items())
    assert [entry["validation"]["loss"] for entry in log(tmp_path)] == [0.5, 0.2, 0.9, 0.4]
    assert [entry["step"] for entry in log(tmp_path)] == [3, 6, 9, 12]


def test_any_figure_but_the_loss_is_better_when_larger(tmp_path: Path) -> None:
    figures = iter([0.5, 0.2, 0.9, 0.4])
    given = plan(validate=lambda _: {"pr_auc": next(figures), "loss": 0.0}, choose="pr_auc")
    accelerator = Accelerator(cpu=True)
    best = fit(network(), given, BRIEF, begin(tmp_path), accelerator=accelerator)
    assert best["epoch"] == 3


def test_patience_ends_a_run_that_gets_no_better(tmp_path: Path) -> None:
    settings = dataclasses.replace(BRIEF, epochs=50, patience=3)
    figures = iter([0.5, 0.4, 0.4, 0.6, 0.5, 0.1])
    train(tmp_path, settings, plan(settings, validate=lambda _: {"loss": next(figures)}))
    assert len(log(tmp_path)) == 5


def test_equal_seeds_are_equal_results_and_workers_change_nothing(tmp_path: Path) -> None:
    one, again = train(tmp_path / "1"), train(tmp_path / "2", jobs=2)
    assert same(one, again) and log(tmp_path / "1") == log(tmp_path / "2")
    other = dataclasses.replace(BRIEF, seed=1)
    assert not same(one, train(tmp_path / "3", other))


def test_parts_of_a_batch_give_the_gradient_of_the_whole(tmp_path: Path) -> None:
    def bare() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(2 * LENGTH, TAGS))

    def still(batch: Batch, _: np.random.Generator) -> tuple[Tensor, Tensor]:
        return batch.inputs.float() / 100, batch.targets

    # Adam would not notice a gradient of another size.
    plain = dataclasses.replace(BRIEF, optimizer="sgd", momentum=0.0)
    whole = train(tmp_path / "1", plain, plan(plain, prepare=still), model=bare())
    settings = dataclasses.replace(plain, accumulate=4)
    parts = train(tmp_path / "2", settings, plan(settings, prepare=still), model=bare())
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    with pytest.raises(RecipeError, match=r"batch of 4 .* multiple of 3"):
        train(tmp_path / "3", dataclasses.replace(BRIEF, accumulate=3))


def test_a_gradient_is_clipped_to_its_largest_norm(tmp_path: Path) -> None:
    settings = Train(epochs=1, batch=4, optimizer="sgd", momentum=0.0, learning_rate=1.0, clip=0.01)
    before = network()
    after = train(tmp_path, settings, dataclasses.replace(plan(settings), steps=1))
    moved = sum(
        float((a - b).detach().square().sum())
        for a, b in zip(before.parameters(), after.parameters(), strict=True)
    )
    assert math.sqrt(moved) == pytest.approx(0.01, rel=1e-3)


def test_half_precision_trains_and_is_near_the_whole(tmp_path: Path) -> None:
    seen = []

    def loss(found: Tensor, wanted: Tensor) -> Tensor:
        seen.append(found.dtype)
        return (found - wanted).square().mean()

    train(tmp_path / "1")
    AcceleratorState._reset_state(True)
    settings = dataclasses.replace(BRIEF, precision="bf16")
    train(tmp_path / "2", settings, plan(settings, loss=loss))
    assert set(seen) == {torch.float32}  # the loss itself is computed in full
    one, other = log(tmp_path / "1")[-1], log(tmp_path / "2")[-1]
    assert one["loss"] != other["loss"] and one["loss"] == pytest.approx(other["loss"], rel=0.05)


# phases

PHASES = (
    {"epochs": 4, "optimizer": "adam", "learning_rate": 0.05},
    {"epochs": 4, "optimizer": "sgd", "learning_rate": 0.02, "nesterov": True},
)


def test_a_phase_starts_from_the_best_weights_with_its_own_optimizer(tmp_path: Path) -> None:
    settings = dataclasses.replace(BRIEF, phases=PHASES)
    figures = iter([0.5, 0.9, 0.8, 0.7])
    kept = []

    def validate(judged: nn.Module) -> dict[str, float]:
        kept.append({key: value.clone() for key, value in judged.state_dict().items()})
        return {"loss": next(figures)}

    class StoppedError(Exception):
        pass

    def until_the_third_epoch(batch: Batch, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        if len(kept) == 2:
            raise StoppedError
        return prepare(batch, random)

    model = network()
    with pytest.raises(StoppedError):
        given = plan(settings, validate=validate, prepare=until_the_third_epoch)
        train(tmp_path, settings, given, model=model)
    assert all(torch.equal(value, kept[0][key]) for key, value in model.state_dict().items())
    assert [entry["learning_rate"] for entry in log(tmp_path)] == [0.05, 0.05]
    train(tmp_path, settings, plan(settings), resume=True)
    assert [entry["learning_rate"] for entry in log(tmp_path)] == [0.05, 0.05, 0.02, 0.02]


# interruption


CYCLE = dataclasses.replace(BRIEF, schedule="onecycle", accumulate=2)
COSINE = dataclasses.replace(BRIEF, optimizer="nadam", schedule="cosine", warmup=4, clip=1.0)


@pytest.mark.parametrize(
    ("settings", "phases", "jobs"),
    [(CYCLE, (), 0), (CYCLE, PHASES, 0), (COSINE, (), 2), (COSINE, PHASES, 0)],
)
def test_a_resumed_run_is_the_uninterrupted_one(
    tmp_path: Path, settings: Train, phases: Any, jobs: int
) -> None:
    settings = dataclasses.replace(settings, phases=phases)
    whole = train(tmp_path / "whole", settings)
    # In the first epoch, the second, at the switch of phases, at the end.
    for stop in (5,) if jobs else (2, 4, 6, 11):
        folder = tmp_path / f"cut{stop}"
        calls = 0

        def interrupted(
            batch: Batch, random: np.random.Generator, stop: int = stop
        ) -> tuple[Tensor, Tensor]:
            nonlocal calls
            calls += 1
            if calls > stop * settings.accumulate:
                raise KeyboardInterrupt
            return prepare(batch, random)

        with pytest.raises(KeyboardInterrupt):
            train(folder, settings, plan(settings, prepare=interrupted), jobs=jobs)
        assert same(train(folder, settings, resume=True, jobs=jobs), whole), stop
        assert log(folder) == log(tmp_path / "whole")


@pytest.mark.parametrize("name", ["best.pt", "last.pt", "log.jsonl"])
@pytest.mark.parametrize("time", [1, 2, 3])
def test_a_kill_between_any_two_files_of_a_checkpoint_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, time: int
) -> None:
    settings = dataclasses.replace(BRIEF, phases=PHASES)
    whole = train(tmp_path / "whole", settings)
    plain = Run._write
    written = 0

    def killed(self: Run, target: str, data: Any) -> None:
        nonlocal written
        plain(self, target, data)
        written += target == name
        if written == time and target == name:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Run, "_write", killed)
        train(tmp_path / "cut", settings)
    (tmp_path / "cut" / ".last.pt.0a1b2c3d.part").write_bytes(b"torn")
    assert same(train(tmp_path / "cut", settings, resume=True), whole)
    assert log(tmp_path / "cut") == log(tmp_path / "whole")
    assert not list((tmp_path / "cut").glob(".*.part"))


def test_a_finished_run_that_is_resumed_does_nothing_more(tmp_path: Path) -> None:
    whole = train(tmp_path)
    before = (tmp_path / "last.pt").read_bytes()
    assert same(train(tmp_path, resume=True), whole)
    assert (tmp_path / "last.pt").read_bytes() == before


# the run folder


def test_a_run_folder_tells_all_there_is_to_know(tmp_path: Path) -> None:
    train(tmp_path)
    text = (tmp_path / "recipe.toml").read_text()
    assert recipe.parse(text, tmp_path) == recipe.Recipe("small", "fcn", train=BRIEF)
    assert json.loads((tmp_path / "environment.json").read_text()) == [{"device": "cpu"}]
    train(tmp_path, resume=True)
    assert len(json.loads((tmp_path / "environment.json").read_text())) == 2
    assert list((tmp_path / "tensorboard").glob("events*"))


def test_a_run_folder_is_never_overwritten(tmp_path: Path) -> None:
    train(tmp_path)
    with pytest.raises(RecipeError, match=r"not empty.*--resume.*--run"):
        begin(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(RecipeError, match="no folder"):
        begin(tmp_path / "file")
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.doc").write_text("")
    with pytest.raises(RecipeError, match="no run folder"):
        begin(foreign, resume=True)


def test_a_run_goes_on_with_the_same_recipe_and_data_only(tmp_path: Path) -> None:
    train(tmp_path)
    with pytest.raises(RecipeError, match=r"another recipe; different: train\.epochs, train\.seed"):
        begin(tmp_path, dataclasses.replace(BRIEF, epochs=9, seed=3), resume=True)
    with pytest.raises(RecipeError, match="other data"):
        begin(tmp_path, resume=True, data="another")


def test_a_run_that_goes_on_for_longer_is_the_one_that_was_that_long(tmp_path: Path) -> None:
    longer = dataclasses.replace(BRIEF, epochs=7, patience=5)
    whole = train(tmp_path / "whole", longer)
    train(tmp_path / "cut")
    assert same(train(tmp_path / "cut", longer, resume=True), whole)
    assert log(tmp_path / "cut") == log(tmp_path / "whole")
    for name, laid_out in (("phases", {"phases": PHASES}), ("cosine", {"schedule": "cosine"})):
        settings = dataclasses.replace(BRIEF, **laid_out)
        begin(tmp_path / name, settings)
        with pytest.raises(RecipeError, match=r"over its 4 epochs.*train\.start_from"):
            begin(tmp_path / name, dataclasses.replace(settings, epochs=7), resume=True)


def test_two_processes_do_not_train_in_one_folder(tmp_path: Path) -> None:
    hold = "import fcntl, sys; file = open(sys.argv[1], 'r+'); fcntl.lockf(file, fcntl.LOCK_EX)"
    command = [sys.executable, "-c", f"{hold}; print(flush=True); sys.stdin.read()"]
    other = tmp_path / "other"
    begin(other)
    gc.collect()  # that run's hold ends with it
    with subprocess.Popen(
        [*command, str(other / ".lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        process.stdout.readline()
        with pytest.raises(RecipeError, match="another process"):
            begin(other, resume=True)
        process.stdin.close()
    begin(other, resume=True)


def test_a_folder_that_cannot_be_written_and_names_in_no_encoding(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecipeError, match=r"cannot be written.*make it writable"):
        begin(tmp_path / "file" / "run")
    begin(tmp_path / "run", data="a\udcff")
    begin(tmp_path / "run", data="a\udcff", resume=True)
    with pytest.raises(RecipeError, match="other data"):
        begin(tmp_path / "run", data="a\udcfe", resume=True)


@pytest.mark.parametrize(
    ("damage", "word"), [("cut", "cannot be read"), ("other", "another network")]
)
def test_a_checkpoint_that_does_not_fit_is_named(tmp_path: Path, damage: str, word: str) -> None:
    train(tmp_path)
    last = tmp_path / "last.pt"
    if damage == "cut":
        last.write_bytes(last.read_bytes()[:1000])
    other = nn.Sequential(nn.Flatten(), nn.Linear(2 * LENGTH, TAGS))
    with pytest.raises(RecipeError, match=word) as caught:
        train(tmp_path, resume=True, model=other)
    assert caught.value.path == str(last) and "--resume" in (caught.value.hint or "")


def test_a_full_disk_leaves_the_last_checkpoint_whole_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class StoppedError(Exception):
        pass

    whole = train(tmp_path / "whole")
    fsync, calls = os.fsync, 0

    def full(fd: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 3 + 3 + 1:  # recipe, data, environment; an epoch's best, last, log; a best
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(RecipeError, match=r"last\.pt.*No space left.*--resume"):
            train(tmp_path / "full")
    assert len(log(tmp_path / "full")) == 1
    assert same(train(tmp_path / "full", resume=True), whole)


# what stops a run


def test_a_loss_that_is_no_number_stops_with_step_epoch_and_tracks(tmp_path: Path) -> None:
    def broken(batch: Batch, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        inputs, wanted = prepare(batch, random)
        return inputs * torch.where(batch.tracks == 7, torch.nan, 1.0)[:, None, None], wanted

    step = next(s for s in range(3, 6) if 7 in batches().rows(Slice(s)))
    settled = dataclasses.replace(
        plan(), prepare=lambda b, r: (broken if heard(b) else prepare)(b, r)
    )
    passes = iter(range(99))

    def heard(_: Batch) -> bool:
        return next(passes) >= 3  # not in the first epoch

    with pytest.raises(RecipeError, match=rf"nan at step {step}, in epoch 2, on .*track\d+\.mp3"):
        train(tmp_path, given=settled)
    note = json.loads((tmp_path / "no-number.json").read_text())
    assert note["tracks"] == [f"track{row}.mp3" for row in batches().rows(Slice(step))]
    assert "track7.mp3" in note["tracks"]
    assert len(log(tmp_path)) == 1  # and the first epoch is kept


def test_a_deciding_figure_that_is_no_number_stops_with_the_epoch(tmp_path: Path) -> None:
    given = plan(validate=lambda _: {"loss": math.nan, "pr_auc": 1.0})
    with pytest.raises(RecipeError, match="loss is nan after epoch 1"):
        train(tmp_path, given=given)


# optimizers


def test_schedules_by_hand() -> None:
    def rates(steps: int, **settings: Any) -> list[float]:
        chosen = Train(learning_rate=1.0, optimizer="sgd", **settings)
        made = optimizers.optimizer([nn.Parameter(torch.zeros(1))], chosen)
        schedule = optimizers.schedule(made, chosen, steps)
        found = []
        for _ in range(steps):
            found.append(made.param_groups[0]["lr"])
            made.step()
            schedule.step()
        return found

    assert rates(3) == [1.0, 1.0, 1.0]
    assert rates(4, schedule="constant", warmup=2) == [0.5, 1.0, 1.0, 1.0]
    # two steps up, then (1 + cos(π k/4)) / 2
    cosine = [0.5, 1.0, 1.0, 0.8535534, 0.5, 0.1464466]
    assert rates(6, schedule="cosine", warmup=2) == pytest.approx(cosine)
    # torch's: from 1/25 up to 1 over a fifth of the updates, down to 1/25e4 at the last
    cycle = rates(10, schedule="onecycle", pct_start=0.2)
    assert cycle[0] == pytest.approx(1 / 25) and cycle[-1] == pytest.approx(1 / 25e4)
    assert cycle[1] == 1.0 and cycle[1:] == sorted(cycle[1:], reverse=True)
    assert rates(1, schedule="onecycle") and rates(2, schedule="onecycle")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("sgd", "SGD"), ("adam", "Adam"), ("nadam", "NAdam"), ("adamw", "AdamW")],
)
def test_optimizers_by_name_take_the_recipes_settings(name: Any, kind: str) -> None:
    settings = Train(
        optimizer=name, learning_rate=0.5, weight_decay=0.25, momentum=0.8, nesterov=True
    )
    made = optimizers.optimizer([nn.Parameter(torch.zeros(1))], settings)
    group = made.param_groups[0]
    assert (type(made).__name__, group["lr"], group["weight_decay"]) == (kind, 0.5, 0.25)
    if name == "sgd":
        assert (group["momentum"], group["nesterov"]) == (0.8, True)


# judging


def test_a_track_is_the_mean_probability_of_its_windows() -> None:
    tracks = [np.array([[0, 0, 2, 2]]), np.array([[1, 1]]), np.array([[0, 0, 0, 0, 4, 4]])]

    def judge(stored: Tensor) -> Tensor:
        assert stored.shape[0] <= 2 and stored.shape[1:] == (1, 2)
        return torch.stack([stored.float().mean((1, 2)), torch.zeros(len(stored))], 1)

    found = predict(judge, tracks, length=2, windows=2, batch=2, device=torch.device("cpu"))
    sigmoid = [1 / (1 + math.exp(-x)) for x in range(5)]
    assert found[:, 0] == pytest.approx(
        [(sigmoid[0] + sigmoid[2]) / 2, sigmoid[1], (sigmoid[0] + sigmoid[4]) / 2]
    )
    assert found[:, 1] == pytest.approx(0.5)


def test_thresholds_are_where_f1_is_best_and_a_half_where_nothing_is_known() -> None:
    labels = np.array([[1, 0], [1, 0], [0, 0]], bool)
    scores = np.array([[0.9, 0.9], [0.6, 0.1], [0.2, 0.2]], np.float32)
    assert thresholds(labels, scores) == (pytest.approx(0.6), 0.5)
