"""The benches of training and of the lightweight models run, and their tables say what was measured."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState

from tagkit import models

sys.path.append(str(Path(__file__).parents[1] / "bench"))

import light_features
import light_models
import machine
import training
import training_apart
import training_data

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    threads = torch.get_num_threads()
    AcceleratorState._reset_state(True)
    yield
    AcceleratorState._reset_state(True)
    torch.set_num_threads(threads)


def test_training_is_measured_three_ways(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(tmp_path), "--device", "cpu", "--recipe", "short_chunk_rescnn", "sample_cnn"]
    arguments += ["--tracks", "8", "--track-seconds", "4", "--rounds", "1", "--seconds", "0.01"]
    arguments += [
        "--set",
        "arguments.channels=4",
        "train.batch=4",
        "--out",
        str(tmp_path / "a.txt"),
    ]
    training.main(arguments)
    said = capsys.readouterr().out
    assert said == (tmp_path / "a.txt").read_text()
    lines = [line.split() for line in said.splitlines() if line]
    rows = [line for line in lines if line[0] in ("short_chunk_rescnn", "sample_cnn")]
    assert len(rows) == 4  # one of shares, one of parts
    figures = [float(figure) for figure in rows[0][2:] if figure not in ("held", "MISSED")]
    assert rows[0][1] == "4" and len(figures) == 6 and min(figures) > 0
    assert all(float(part) >= 0 for part in rows[2][1:]) and len(rows[2]) == 1 + 6


def row(of_batch: float) -> training.Row:
    parts = training_apart.Apart(0.001, 0.002, 0.1, 0.2, 0.01, 0.003)
    return training.Row("light_1", 32, 1.8, 2.0, 2.1, of_batch, 0.95, 0.85, parts)


def test_a_bar_that_is_missed_is_said() -> None:
    assert "held" in training.table([row(0.9)]) and "MISSED" not in training.table([row(0.9)])
    assert "MISSED" in training.table([row(0.89)])


def test_the_dataset_has_what_is_learned_and_what_is_judged(tmp_path: Path) -> None:
    made = training_data.dataset(tmp_path, 5, 0.5)
    assert [track.split for track in made.tracks] == ["train"] * 3 + ["validation"] * 2
    assert made.split("validation").labels.any(0).all()
    assert all((tmp_path / track.path).exists() for track in made.tracks)
    sound = training_data.sound(3, 2.0)
    assert len(sound) == 32_000 and 0.05 < abs(sound).max() <= 1


def test_features_are_what_the_models_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(light_features, "DIFFERENT", 2)
    given = light_features.features(3)
    for name, inputs in (("light_1", given.images), ("light_3", given.samples)):
        front = models.entry(name).front_end
        assert front is not None
        shape = (front.n_mels, front.frames) if front.n_mels else (front.frames,)
        assert inputs.shape == (3, *shape) and inputs.dtype == torch.float32
    assert not torch.equal(given.samples[0], given.samples[2])


def test_the_lightweight_models_are_timed_and_stand_beside_the_paper(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    build = models.build

    def tiny(name: str, tags: int, **arguments: object) -> models.TagModel:
        return build(name, tags, **({"channels": 4} if name in light_models.NAMES else arguments))

    monkeypatch.setattr(models, "build", tiny)
    arguments = ["--clips", "3", "--device", "cpu", "--batch", "2", "--threads", "1"]
    arguments += ["--ways", "fp32", "bf16", "--out", str(tmp_path / "a.txt")]
    light_models.main(arguments)
    said = capsys.readouterr().out
    assert said == (tmp_path / "a.txt").read_text() and "3 clips" in said
    paper, *rows = said.splitlines()[-3:]
    assert paper.split()[-6:] == ["0.48", "1.76", "9.03", "-", "2.07", "10.61"]
    for line, way in zip(rows, ("fp32, 1 thread(s)", "bf16, 1 thread(s)"), strict=True):
        assert line.startswith(way)
        one, two, three, combiner, pair, every = map(float, line.split()[-7:-1])
        assert pair == pytest.approx(one + two + combiner, rel=0.02)
        assert every == pytest.approx(pair + three, rel=0.02)


def test_a_peak_is_what_was_there_at_once() -> None:
    with machine.Peak(CPU) as peak:
        held = torch.ones(25_000_000)
        del held
    if sys.platform == "linux":
        assert 80e6 < peak.bytes < 400e6


def test_a_gpus_figures_are_kept_apart(tmp_path: Path) -> None:
    machine.publish("cpu\n", tmp_path / "a.txt", CPU)
    machine.publish("gpu\n", tmp_path / "a.txt", torch.device("cuda"))
    assert (tmp_path / "a.txt").read_text() == "cpu\n"
    assert (tmp_path / "a-cuda.txt").read_text() == "gpu\n"
