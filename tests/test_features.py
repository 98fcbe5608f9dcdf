"""The front ends equal the published ones: filter banks, windows and whole images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tagkit.errors import WeightsError
from tagkit.features import LogMel, build, mel_filter_bank
from tagkit.front_end import FrontEnd
from tagkit.models import CATALOGUE
from tests import reference


@pytest.mark.parametrize("mels", [96, 128])
def test_log_mel_equals_torchaudios(mels: int) -> None:
    golden = reference.golden("mel_golden")
    front_end = FrontEnd(48000, n_mels=mels)
    bank = mel_filter_bank(front_end).numpy()
    # The published banks were computed in float32 throughout.
    assert np.abs(bank - golden[f"mel{mels}_fb"]).max() < 2e-5
    log_mel = LogMel(front_end, torch.from_numpy(golden[f"mel{mels}_fb"]))
    assert np.array_equal(log_mel.window.numpy(), golden["window"])
    samples = reference.piece("Kevin_MacLeod_-_Vibe_Ace", 16000)[80000:128000]
    found = log_mel(torch.from_numpy(samples)[None])[0].numpy()
    wanted = golden[f"mel{mels}_db_vibeace_80000_48000"]
    assert found.shape == wanted.shape == (mels, front_end.frames)
    assert np.abs(found - wanted).max() < 2e-3  # dB


def test_the_empty_first_band_of_128_is_kept() -> None:
    image = LogMel(FrontEnd(59049, n_mels=128))(torch.from_numpy(reference.noise(59049)))
    assert torch.all(image[0, 0] == -100.0)
    assert torch.all(image[0, 1:] > -100.0)


def test_the_mtg_front_end_equals_essentias() -> None:
    probe = reference.golden("mtg_essentia_mel_probe")
    front_end = CATALOGUE["mtg_vgg"].front_end
    assert front_end is not None
    found = LogMel(front_end)(torch.from_numpy(probe["x"])[None])[0].numpy()
    # The probe is 20·log10, as MTG's script writes; the models hear 10·log10.
    assert found.shape == probe["mel"].shape
    assert np.abs(2 * found - probe["mel"]).max() < 5e-3
    silent = LogMel(front_end)(torch.zeros(1, 12000))
    assert torch.all(silent == -100.0)


@pytest.mark.parametrize("name", [n for n, row in CATALOGUE.items() if row.front_end])
def test_frames_says_what_a_chunk_becomes(name: str) -> None:
    front_end = CATALOGUE[name].front_end
    assert front_end is not None
    image = build(front_end)(torch.zeros(1, front_end.chunk_samples))
    assert image.shape == (1, *filter(None, (front_end.n_mels, front_end.frames)))


@pytest.mark.parametrize(
    "wrong", [{"hop": 0}, {"mel": "bark"}, {"f_max": 9000.0}, {"n_fft": 1 << 20}]
)
def test_impossible_front_ends_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(WeightsError, match="front end"):
        FrontEnd(48000, **wrong)  # type: ignore[arg-type]


def test_the_harmonic_filters_are_the_published_ones() -> None:
    from tagkit.models.harmonic_cnn import HarmonicFilters

    golden = reference.golden("mel_golden")
    filters = HarmonicFilters()
    samples = reference.piece("Kevin_MacLeod_-_Vibe_Ace", 16000)[80000:160000]
    with torch.inference_mode():
        assert np.abs(filters.centres().numpy() - golden["hstft_f0"]).max() < 1e-3
        found = filters(torch.from_numpy(samples)[None])[0].numpy()
    assert np.abs(found - golden["hstft_db_vibeace_80000_80000"]).max() < 5e-3
