"""Listening: front ends are shared, only what is wanted is heard, and a bad file is a value."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tagkit import audio
from tagkit.audio.workers import Workers
from tagkit.errors import UsageError, WeightsError
from tagkit.features import LogMel
from tagkit.inference.ensemble import model_id
from tagkit.inference.listening import Ears, pick_device
from tagkit.inference.pipeline import Analyser, Task
from tagkit.weights import bundle
from tests import library, media


@pytest.fixture
def bundles(tmp_path: Path) -> list[bundle.Bundle]:
    paths = [library.small_model(tmp_path / f"{n}.safetensors", seed=n) for n in range(2)]
    return [bundle.load(path) for path in paths]


def ids(bundles: list[bundle.Bundle], windows: int = 16) -> list[str]:
    return [model_id(b.fingerprint, windows) for b in bundles]


def test_members_with_equal_front_ends_share_their_computation(
    bundles: list[bundle.Bundle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = media.make(tmp_path / "a.wav", "wav", seconds=3.0)
    ears = Ears(bundles)  # whose networks may be tried once, apart
    calls = {"mel": 0, "decode": 0}
    forward, read = LogMel.forward, audio.read_windows

    def counted(self: LogMel, samples: torch.Tensor) -> torch.Tensor:
        calls["mel"] += 1
        return forward(self, samples)

    def decoded(*arguments: object) -> object:
        calls["decode"] += 1
        return read(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(LogMel, "forward", counted)
    monkeypatch.setattr(audio, "read_windows", decoded)
    (found,) = Analyser(ears).analyse([Task(path, ids(bundles))])
    assert set(found.results) == set(ids(bundles))
    assert calls == {"mel": 1, "decode": 1}


def test_another_filter_bank_is_another_front_end(bundles: list[bundle.Bundle]) -> None:
    assert len(Ears(bundles).groups) == 1
    assert bundles[1].front_end is not None
    bundles[1].front_end.mel_fb[3, 3] += 1e-6
    assert len(Ears(bundles).groups) == 2


def test_what_is_heard_is_the_mean_over_windows_of_the_whole_track(
    bundles: list[bundle.Bundle], tmp_path: Path
) -> None:
    path = media.make(tmp_path / "a.flac", "flac", seconds=5.0)
    (one,) = bundles[:1]
    (found,) = Analyser(Ears([one], windows=4)).analyse([Task(path, ids([one], 4))])
    samples = audio.read(path, 16000)
    starts = [0, 24000, 48000, len(samples) - 8000]
    assert audio.window_starts(len(samples), 8000, 4) == starts
    chunks = torch.from_numpy(np.stack([samples[s : s + 8000] for s in starts]))
    assert one.front_end is not None
    with torch.inference_mode():
        image = one.front_end(chunks)
        wanted = torch.sigmoid(one.model(image)).mean(0).numpy()
        embedded = one.model.embed(image).mean(0).numpy()
    heard = found.results[ids([one], 4)[0]]
    assert np.abs(heard.probabilities - wanted).max() < 1e-3
    assert np.abs(heard.embedding - embedded).max() < 1e-2
    assert found.duration == pytest.approx(5.0)


def test_only_the_models_asked_for_listen(bundles: list[bundle.Bundle], tmp_path: Path) -> None:
    path = media.make(tmp_path / "a.wav", "wav")
    (found,) = Analyser(Ears(bundles)).analyse([Task(path, ids(bundles)[1:])])
    assert list(found.results) == ids(bundles)[1:]


def test_results_come_in_order_and_a_bad_file_is_a_value(
    bundles: list[bundle.Bundle], tmp_path: Path
) -> None:
    paths = [media.make(tmp_path / f"{n}.wav", "wav", seconds=n % 3 + 0.1) for n in range(9)]
    paths[4].write_bytes(b"no audio at all")
    paths.append(tmp_path / "gone.flac")
    with Workers(3, 16) as workers:
        analyser = Analyser(Ears(bundles), workers)
        found = list(analyser.analyse(Task(path, ids(bundles)) for path in paths))
    assert [analysis.path for analysis in found] == paths
    assert [bool(analysis.error) for analysis in found] == [n in (4, 9) for n in range(10)]
    assert not found[4].results


def test_decoding_runs_only_a_little_ahead(bundles: list[bundle.Bundle], tmp_path: Path) -> None:
    path = media.make(tmp_path / "a.wav", "wav", seconds=0.5)
    taken = 0

    def tasks() -> object:
        nonlocal taken
        while True:
            taken += 1
            yield Task(path, ids(bundles))

    with Workers(2, 16) as workers:
        listening = Analyser(Ears(bundles), workers).analyse(tasks())  # type: ignore[arg-type]
        for _ in range(10):
            next(listening)
        listening.close()
    assert taken <= 10 + 2 * 2


def test_a_combiner_is_no_listener(bundles: list[bundle.Bundle]) -> None:
    bundles[1].front_end = None
    with pytest.raises(WeightsError, match="combines models"):
        Ears(bundles)


def test_devices() -> None:
    assert pick_device("cpu").type == "cpu"
    assert pick_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(UsageError, match="no device"):
        pick_device("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="no usable cuda"):
            pick_device("cuda")
