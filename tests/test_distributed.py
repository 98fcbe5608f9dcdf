"""Two processes that share a batch do what one does with all of it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from tagkit.cli.main import app
from tagkit.recipe import Recipe, Train
from tagkit.training import devices
from tagkit.training.batches import Batches
from tagkit.training.hearing import shared_predict
from tagkit.training.loop import Plan, fit
from tagkit.training.runs import Run
from tests import forked, library, tones


def learn(folder: Path) -> None:
    """Train a network without BatchNorm, which on CPUs each process does for its own slice."""
    accelerator = devices.accelerator("cpu", "no")
    train = Train(epochs=3, batch=8, learning_rate=0.05, clip=1.0)
    random = np.random.default_rng(0)
    tracks = [random.integers(0, 200, (2, 9), dtype=np.uint8) for _ in range(13)]
    labels = random.integers(0, 2, (13, 3)).astype(np.float32)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), Watched(12), nn.Linear(12, 8), nn.GELU(), nn.Linear(8, 3))

    def validate(judged: nn.Module) -> dict[str, float]:
        found = shared_predict(
            lambda stored: judged(stored.float() / 100),
            tracks,
            accelerator,
            length=6,
            windows=2,
            batch=3,
        )
        return {"loss": float(np.square(found - labels).mean())}

    plan = Plan(
        batches=Batches(
            tracks,
            labels,
            length=6,
            order=lambda number: np.random.default_rng(number).permutation(13),
            batch=8,
            seed=0,
        ),
        steps=4,
        prepare=lambda batch, _: (batch.inputs.float() / 100, batch.targets),
        loss=nn.functional.binary_cross_entropy_with_logits,
        validate=validate,
        choose="loss",
    )
    run = Run(folder, Recipe("small", "fcn", train=train), {})
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        run.begin({})
    accelerator.wait_for_everyone()
    fit(network, plan, train, run, accelerator=accelerator)
    accelerator.end_training()


class Watched(nn.Module):
    """Keeps running statistics of what goes through, and changes nothing."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(channels, affine=False)

    def forward(self, heard: Tensor) -> Tensor:
        self.norm(heard)
        return heard


def together(home: Path, *command: object) -> subprocess.CompletedProcess[str]:
    """Run a command as two processes that share one batch."""
    # The "--" is for torchrun's own parser, which would take --run for an abbreviation of --run-path.
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone"]
    launch += ["-m"] if command[0] == "tagkit" else []
    return subprocess.run(
        [*launch, "--", *map(str, command)],
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=300,
    )


def environment(home: Path) -> dict[str, str]:
    return library.environment(home) | {"PYTHONPATH": str(Path(__file__).parents[1])}


def log(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def test_figures_and_running_means_are_those_of_one_process(tmp_path: Path, home: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    world = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    two = [
        forked.Started(
            home,
            learn,
            tmp_path / "two",
            environment={**world, "RANK": rank, "LOCAL_RANK": rank},
        )
        for rank in "01"
    ]
    one = forked.Started(home, learn, tmp_path / "one")
    for started in (*two, one):
        done = started.wait()
        assert done.returncode == 0, done.stderr
    for a, b in zip(log(tmp_path / "one"), log(tmp_path / "two"), strict=True):
        # float32 sums in another order
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-5)
        assert a["validation"] == pytest.approx(b["validation"], rel=1e-5)
    last = [torch.load(tmp_path / name / "last.pt", weights_only=True) for name in ("one", "two")]
    torch.testing.assert_close(*(state["model"]["1.norm.running_mean"] for state in last))


def test_the_command_under_torchrun_is_the_command(tmp_path: Path, home: Path) -> None:
    """With BatchNorm, two processes normalise their halves: as one process does with two parts."""
    data = tones.write(tmp_path / "data").root
    recipe = tmp_path / "r.toml"
    recipe.write_text(tones.RECIPE)
    arguments = ["train", recipe, "--data", data, "--cache", tmp_path / "cache", "--jobs", 0]
    two = together(home, "tagkit", *arguments, "--run", tmp_path / "two")
    assert two.returncode == 0, two.stderr
    said = json.loads(two.stdout)  # once, though there are two
    assert "on 2 × cpu" in two.stderr and two.stderr.count("epoch 3/3") == 1
    parts = ("--set", "train.accumulate=2")
    single = [*arguments, *parts, "--run", tmp_path / "one"]
    one = CliRunner().invoke(app, list(map(str, single)))
    assert one.exit_code == 0, one.output
    for a, b in zip(log(tmp_path / "one"), log(tmp_path / "two"), strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-4)
    # Running statistics are a mean over processes and not a sequence: near, but not the same.
    assert said["test"]["loss"] == pytest.approx(json.loads(one.stdout)["test"]["loss"], rel=0.05)
