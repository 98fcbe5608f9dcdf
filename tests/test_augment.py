"""Augmentation does what it is called, to as many chunks as asked, from the generator alone."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tagkit import torchaudio_cpu
from tagkit.augment import Settings
from tagkit.augment.audio import (
    add_noise,
    audio_chain,
    biquad_response,
    echo,
    pitch_shift,
    room,
)
from tagkit.augment.image import image_chain
from tagkit.augment.mixing import blend, mixup
from tagkit.augment.settings import EFFECTS
from tagkit.errors import RecipeError

RATE = 16000


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def noise(batch: int = 3, samples: int = 6000) -> Tensor:
    return torch.from_numpy(0.2 * rng(9).standard_normal((batch, samples), dtype=np.float32))


def sines(*hertz: float, samples: int = 16000) -> Tensor:
    times = torch.arange(samples) / RATE
    return 0.5 * torch.sin(2 * torch.pi * torch.tensor(hertz)[:, None] * times)


def augmented(samples: Tensor, seed: int = 0, **table: Any) -> Tensor:
    return audio_chain(Settings(**table), RATE)(samples, rng(seed))


def level(samples: Tensor) -> Tensor:
    """dB of each chunk's middle, where no edge is."""
    middle = samples[:, samples.shape[1] // 4 : -samples.shape[1] // 4]
    return 10 * torch.log10(middle.square().mean(1))


# --- settings ---------------------------------------------------------------------------------------


def test_nothing_is_on_by_itself() -> None:
    assert not Settings().on_audio
    assert torch.equal(augmented(noise()), noise())
    images = -50 * torch.rand(2, 8, 9)
    assert torch.equal(image_chain(Settings())(images, rng()), images)


@pytest.mark.parametrize("effect", EFFECTS)
def test_audio_is_needed_for_each_effect_on_audio(effect: str) -> None:
    assert Settings(**{effect: 0.1}).on_audio
    assert not Settings(mixup=1.0, image_gain_db=6.0, time_masks=1, time_mask=3).on_audio


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"polarity": 1.5}, "augment.polarity is a probability, not 1.5"),
        ({"mixup_share": -0.1}, "augment.mixup_share is a probability"),
        ({"gain_db": [3.0, -3.0]}, "augment.gain_db.*the lower first"),
        ({"gain_db": [3.0]}, "augment.gain_db.*two numbers"),
        ({"gain_db": 6.0}, "augment.gain_db is 6.0"),
        ({"pitch_semitones": ["a", "b"]}, "augment.pitch_semitones"),
        ({"delay_ms": [0.0, 5.0]}, "augment.delay_ms.*within 1 and 10000"),
        ({"mixup": -1.0}, "augment.mixup is out of range"),
        ({"time_mask": -1}, "augment.time_mask is out of range"),
    ],
)
def test_settings_out_of_range_are_errors(table: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Settings(**table)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            {"low_pass": 1.0, "low_pass_hz": (4000.0, 8000.0)},
            "low_pass_hz.*half of the sample rate",
        ),
        ({"pitch": 1.0, "pitch_semitones": (-0.5, 0.5)}, "no whole semitone but 0"),
    ],
)
def test_what_this_audio_cannot_have_is_an_error(table: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        audio_chain(Settings(**table), RATE)


def test_settings_load_no_torch() -> None:
    code = "import sys, tagkit.augment; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# --- audio ------------------------------------------------------------------------------------------


def test_polarity_and_gain() -> None:
    assert torch.equal(augmented(noise(), polarity=1.0), -noise())
    quiet = augmented(noise(), gain=1.0, gain_db=(-20.0, -20.0))
    assert torch.allclose(quiet, 0.1 * noise())
    changes = augmented(noise(200, 50), gain=1.0).std(1) / noise(200, 50).std(1)
    assert 0.1 <= changes.min() < 0.15 and 0.8 < changes.max() <= 10 ** (-1 / 20)


@pytest.mark.parametrize("effect", EFFECTS)
def test_as_many_chunks_change_as_the_probability_says(effect: str) -> None:
    samples = noise(100, 2048)
    table = {effect: 0.3, "delay_ms": (5.0, 50.0), "reverb_seconds": (0.05, 0.1)}
    changed = (augmented(samples, **table) - samples).abs().amax(1) > 1e-5
    assert 15 <= int(changed.sum()) <= 45


@pytest.mark.parametrize("steps", [-12, -7, -1, 1, 2, 5, 12])
def test_pitch_shift_moves_a_tone_by_semitones(steps: int) -> None:
    shifted = pitch_shift(sines(440.0, 440.0), np.array([steps, 0]))
    assert torch.equal(shifted[1], sines(440.0)[0]) and shifted.shape == (2, 16000)
    spectrum = torch.fft.rfft(shifted[0] * torch.hann_window(16000)).abs()
    # 16,000 samples: a bin is a hertz. 10 cents are 1.3 Hz at 220 Hz, and 5 Hz at 880.
    assert 1200 * abs(np.log2(float(spectrum.argmax()) / 440) - steps / 12) < 10
    assert abs(level(shifted)[0] - level(sines(440.0))[0]) < 1


def test_an_echo_by_hand() -> None:
    samples = torch.tensor([[3.0, 0.0, -3.0, 0.0], [1.0, 2.0, 3.0, 4.0]])
    found = echo(samples, np.array([1, 0]))
    assert torch.allclose(found, torch.tensor([[2.0, 1.0, -2.0, -1.0], [1.0, 2.0, 3.0, 4.0]]))
    delayed = augmented(torch.eye(1, 4000), delay=1.0, delay_ms=(100.0, 100.0))
    assert delayed.nonzero()[:, 1].tolist() == [0, 1600]


@pytest.mark.parametrize("high", [False, True])
def test_filters_are_torchaudios_biquads(high: bool) -> None:
    functional = torchaudio_cpu.load().functional
    biquad = functional.highpass_biquad if high else functional.lowpass_biquad
    samples = noise(2, 600)
    cutoffs = np.array([700.0, 3000.0])
    response = biquad_response(cutoffs / RATE, 2400, high=high)
    found = torch.fft.irfft(torch.fft.rfft(samples.double(), n=2400) * response, n=2400)[:, :600]
    for row, cutoff in enumerate(cutoffs):
        wanted = biquad(samples[row].double(), RATE, cutoff, Q=0.5**0.5)
        assert (found[row] - wanted).abs().max() < 1e-5


def test_filters_turn_down_their_side() -> None:
    samples = sines(100.0, 1000.0, 6000.0)
    low = level(augmented(samples, low_pass=1.0, low_pass_hz=(1000.0, 1000.0))) - level(samples)
    high = level(augmented(samples, high_pass=1.0, high_pass_hz=(1000.0, 1000.0))) - level(samples)
    # 3 dB at the cutoff, 12 dB an octave beyond it
    assert abs(low[0]) < 0.1 and abs(low[1] + 3.01) < 0.1 and low[2] < -30
    assert abs(high[2]) < 0.1 and abs(high[1] + 3.01) < 0.1 and -41 < high[0] < -39


def test_a_room_dies_away_as_told() -> None:
    (tail,) = room(np.array([0.5]), RATE, rng())
    assert float(tail.square().sum()) == pytest.approx(1, abs=1e-5)
    assert float(tail[0]) ** 2 == pytest.approx(0.5)  # the sound itself, and as much tail
    early, late = level(tail[None, 1:801]), level(tail[None, 7201:8001])
    # 7,200 samples of 8,000 later it has fallen by nine tenths of 60 dB
    assert float(early - late) == pytest.approx(54, abs=1.5)


def test_reverberation_is_convolution_with_a_room() -> None:
    click = torch.zeros(1, 12000)
    click[0, 100] = 0.9
    found = augmented(click, reverb=1.0, reverb_seconds=(0.2, 0.2))
    assert found[0, :100].abs().max() < 1e-6
    assert float(found[0, 100]) == pytest.approx(0.9 * 0.5**0.5, rel=1e-4)
    tail = found[0, 101:3301].square().sum()
    assert float(tail) == pytest.approx(0.81 * 0.5, rel=1e-3)
    assert found[0, 3302:].abs().max() < 1e-6


@pytest.mark.parametrize("effect", ["reverb", "low_pass", "high_pass"])
def test_what_rings_on_past_the_end_does_not_come_round(effect: str) -> None:
    click = torch.zeros(1, 12000)
    click[0, 11990] = 0.9
    assert augmented(click, **{effect: 1.0})[0, :11990].abs().max() < 1e-6


def test_noise_is_as_far_below_as_told() -> None:
    samples = torch.cat([noise(2, 16000), torch.zeros(1, 16000)])
    found = add_noise(samples, np.array([20.0, np.inf, 20.0]), rng())
    assert torch.equal(found[1:], samples[1:])  # not chosen; silence stays silence
    ratio = samples[0].square().sum() / (found[0] - samples[0]).square().sum()
    assert float(10 * torch.log10(ratio)) == pytest.approx(20, abs=0.01)


ALL = dict.fromkeys(EFFECTS, 0.5)


def test_the_generator_decides_alone_and_the_input_stays() -> None:
    samples = noise(4, 5000)
    before = samples.clone()
    first = augmented(samples, **ALL)
    torch.manual_seed(5)
    assert torch.equal(augmented(samples, **ALL), first)
    assert not torch.equal(augmented(samples, seed=1, **ALL), first)
    assert torch.equal(samples, before)


probability = st.sampled_from([0.0, 0.5, 1.0])


@settings(max_examples=25, deadline=None)
@given(
    st.fixed_dictionaries(dict.fromkeys(EFFECTS, probability)),
    st.sampled_from([0.0, 1e-4, 0.3, 1.0]),
    st.integers(1, 4),
    st.integers(1025, 4000),
    st.integers(0, 99),
)
def test_any_chain_keeps_shape_and_bounds(
    table: dict[str, float], peak: float, batch: int, samples: int, seed: int
) -> None:
    given = peak * noise(batch, samples).clamp(-1, 1)
    found = augmented(given, seed, **table, gain_db=(-20.0, 20.0), noise_snr_db=(0.0, 20.0))
    assert found.shape == given.shape and found.dtype == torch.float32
    assert bool(torch.isfinite(found).all())
    assert found.abs().max() <= 1 + 1e-6


# --- images -----------------------------------------------------------------------------------------


def test_gain_moves_a_whole_image_and_silence_stays_the_floor() -> None:
    images = torch.full((50, 4, 5), -30.0)
    images[:, 0] = -100.0
    moved = image_chain(Settings(image_gain_db=6.0))(images, rng())
    gains = moved[:, 1, 0] + 30
    assert torch.allclose(moved[:, 1:], gains[:, None, None] - 30)
    assert moved.min() == -100.0
    assert -6 <= gains.min() < -4 and 4 < gains.max() <= 6


@pytest.mark.parametrize(
    ("table", "axis"),
    [
        ({"band_mask": 5}, 1),
        ({"frequency_masks": 1, "frequency_mask": 5}, 1),
        ({"time_masks": 1, "time_mask": 5}, 2),
    ],
)
def test_a_mask_is_one_span_of_the_mean(table: dict[str, int], axis: int) -> None:
    images = torch.from_numpy(rng(3).uniform(-80, 0, (60, 20, 30)).astype(np.float32))
    before = images.clone()
    masked = image_chain(Settings(**table))(images, rng())
    assert torch.equal(images, before)
    widths = set()
    for image, found in zip(images, masked, strict=True):
        changed = (found != image).all(2 - axis).nonzero().flatten()
        widths.add(len(changed))
        if len(changed):
            assert changed[-1] - changed[0] + 1 == len(changed)  # one span
            assert torch.allclose(found.index_select(axis - 1, changed), image.mean())
        assert int((found != image).sum()) == len(changed) * image.shape[2 - axis]
    assert widths == {0, 1, 2, 3, 4, 5}


def test_masks_wider_than_the_image_are_no_trouble() -> None:
    table = {"time_masks": 3, "time_mask": 900, "frequency_masks": 2, "frequency_mask": 900}
    found = image_chain(Settings(**table))(-50 * torch.rand(4, 6, 7), rng())
    assert found.shape == (4, 6, 7) and bool(torch.isfinite(found).all())


# --- mixing -----------------------------------------------------------------------------------------


def test_blending_by_hand() -> None:
    kept = torch.tensor([0.25, 1.0])
    mine, others = torch.tensor([[0.4, -0.8], [1.0, 2.0]]), torch.tensor([[0.8, 0.0], [9.0, 9.0]])
    found = blend(mine, others, kept, "linear")
    assert torch.allclose(found, torch.tensor([[0.7, -0.2], [1.0, 2.0]]))
    # a quarter of 0 dB and three of -10 dB: 10 log10(.25 + .075); silence is no sound at all
    loud, quiet = torch.tensor([[[0.0, -100.0]]]), torch.tensor([[[-10.0, -100.0]]])
    found = blend(loud, quiet, kept[:1], "power")
    assert torch.allclose(found, torch.tensor([[[-4.8812, -96.9897]]]), atol=1e-3)


def test_chunks_are_mixed_within_the_batch_with_their_own_shares() -> None:
    inputs, targets = 10 * torch.eye(40), torch.eye(40)
    mixed, wanted = mixup(inputs, targets, alpha=1.0, share=0.5, random=rng(), domain="linear")
    assert torch.allclose(mixed, 10 * wanted)  # what is heard is what is asked for
    assert torch.allclose(wanted.sum(1), torch.ones(40))
    whole = (wanted.amax(1) > 1 - 1e-6).sum()
    assert 12 <= int(whole) <= 28
    assert len(set(wanted.amax(1).tolist())) > 10
    assert torch.equal(inputs, 10 * torch.eye(40))
    same, _ = mixup(inputs, targets, alpha=1.0, share=0.0, random=rng(), domain="linear")
    assert torch.equal(same, inputs)


def test_images_change_as_the_first_students_were_trained() -> None:
    """Mixed in power, gain, one band: draw by draw as the code was that trained the bundles that ship,
    but for the partners, which were drawn apart."""
    images = rng(1).uniform(-90, 0, (8, 20, 30)).astype(np.float32)
    labels = rng(2).normal(size=(8, 3)).astype(np.float32)
    random = rng(5)
    order = random.permutation(8)
    share = random.beta(2.0, 2.0, 8).astype(np.float32)
    share[random.random(8) > 0.3] = 1.0
    kept = share[:, None, None]
    wanted = kept * 10 ** (images / 10) + (1 - kept) * 10 ** (images[order] / 10)
    wanted = 10 * np.log10(wanted + 1e-10)
    wanted += random.uniform(-6.0, 6.0, 8).astype(np.float32)[:, None, None]
    for image in wanted:
        width = random.integers(0, 13)
        low = random.integers(0, 20 - width + 1)
        image[low : low + width] = image.mean()
    again = rng(5)
    found, targets = mixup(
        torch.from_numpy(images),
        torch.from_numpy(labels),
        alpha=2.0,
        share=0.3,
        random=again,
        domain="power",
    )
    found = image_chain(Settings(image_gain_db=6.0, band_mask=12))(found, again)
    assert np.allclose(found, np.maximum(wanted, -100), atol=1e-4)
    share = share[:, None]
    assert np.allclose(targets, share * labels + (1 - share) * labels[order], atol=1e-6)
