"""Effects on audio, drawn anew for every chunk.

In this order: pitch shift, gain and polarity, delay, filters and reverberation, drive, noise, codec. Afterwards
a chunk is turned down where it became louder than full scale (or than it was, if that is more).

Two of torchaudio's functions are used with care, because without its extension they take what a
network takes, or far more (16 chunks of 3 s at 16 kHz, one core): its biquads run sample by sample in
Python, 750 ms; here the same biquads' frequency responses are multiplied onto the spectrum, 10 ms. Its
pitch shift resamples by the ratio of two whole numbers of hertz, for one semitone 15101 to 16000, which
is 14 s for a single chunk; here the ratio is a small fraction within 4 cents of a semitone, 7 ms.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tagkit import torchaudio_cpu
from tagkit.augment import codec
from tagkit.augment.settings import Range, Settings
from tagkit.errors import RecipeError

#: (batch, samples) float32, changed to the same shape.
AudioChain: TypeAlias = Callable[[Tensor, np.random.Generator], Tensor]

#: How loud the repetition of a delay is.
ECHO = 0.5
FILTERS = ("high_pass", "low_pass", "reverb")
#: Seconds until the filters' ringing is below -60 dB, at 20 Hz, the lowest that settings allow.
RINGING = 0.1


def audio_chain(settings: Settings, sample_rate: int) -> AudioChain:
    """Return ``chain(samples (batch, n) float32 in [-1, 1], random)`` with the effects of ``settings``.

    Raises RecipeError for what cannot be done at ``sample_rate`` Hz.
    """
    for name in ("low_pass", "high_pass"):
        if getattr(settings, name) and getattr(settings, f"{name}_hz")[1] >= sample_rate / 2:
            raise RecipeError(
                f"augment.{name}_hz is {getattr(settings, f'{name}_hz')}: beyond half of the sample rate",
                hint=f"the audio has {sample_rate} samples a second",
            )
    if settings.codec and sample_rate != codec.RATE:
        raise RecipeError(f"augment.codec needs audio of {codec.RATE} Hz, not {sample_rate}")
    if not settings.on_audio:
        return lambda samples, _: samples
    steps = _semitones(settings.pitch_semitones) if settings.pitch else np.zeros(1, np.int64)

    def chain(samples: Tensor, random: np.random.Generator) -> Tensor:
        draw = _Draw(len(samples), random)
        found = samples
        if settings.pitch:
            found = pitch_shift(found, np.where(draw.chosen(settings.pitch), draw.of(steps), 0))
        if settings.gain:
            level = 10 ** (draw.between(settings.gain_db) / 20)
            found = found * _column(np.where(draw.chosen(settings.gain), level, 1.0), found)
        if settings.polarity:
            found = found * _column(np.where(draw.chosen(settings.polarity), -1.0, 1.0), found)
        if settings.delay:
            lengths = draw.between(settings.delay_ms) * sample_rate / 1000
            found = echo(found, np.where(draw.chosen(settings.delay), lengths, 0).astype(np.int64))
        if any(getattr(settings, name) for name in FILTERS):
            found = _filtered(found, settings, sample_rate, draw)
        if settings.drive:
            found = driven(
                found, np.where(draw.chosen(settings.drive), draw.between(settings.drive_db), 0)
            )
        if settings.noise:
            ratio = np.where(
                draw.chosen(settings.noise), draw.between(settings.noise_snr_db), np.inf
            )
            found = add_noise(found, ratio, random)
        found = _limited(found, samples)
        if settings.codec:
            found = _limited(_coded(found, draw.chosen(settings.codec), random), samples)
        return found

    return chain


class _Draw:
    """The strengths that a batch gets."""

    def __init__(self, batch: int, random: np.random.Generator) -> None:
        self.batch, self.random = batch, random

    def chosen(self, probability: float) -> NDArray[np.bool_]:
        return self.random.random(self.batch) < probability

    def between(self, ends: Range, count: int | None = None) -> NDArray[np.float64]:
        return self.random.uniform(*ends, self.batch if count is None else count)

    def of(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        return self.random.choice(values, self.batch)


def _semitones(ends: Range) -> NDArray[np.int64]:
    """The whole semitones of a range; 0 is none."""
    steps = np.arange(math.ceil(ends[0]), math.floor(ends[1]) + 1)
    if not steps.any():
        raise RecipeError(
            f"augment.pitch_semitones is {ends}, and holds no whole semitone but 0",
            hint="as pitch_semitones = [-2, 2]",
        )
    found: NDArray[np.int64] = steps[steps != 0]
    return found


def pitch_shift(samples: Tensor, steps: NDArray[np.int64]) -> Tensor:
    """Shift each chunk by its number of semitones, within 4 cents, at the same length and level.

    Phase vocoder (windows of 1,024 samples) and resampling, by torchaudio. The vocoder sets bins of one
    partial against each other and so takes 1 to 5 dB from music; they are given back.
    """
    functional = torchaudio_cpu.load().functional
    shifted = samples.clone()
    for step in np.unique(steps[steps != 0]):
        ratio = Fraction(2 ** (int(step) / 12)).limit_denominator(32)
        rows = torch.from_numpy(np.flatnonzero(steps == step)).to(samples.device)
        # torchaudio resamples from int(rate · 2^(n/12)) to rate: these two are ratio's halves, and the
        # millionth of a semitone keeps int() from missing the first by rounding.
        found = functional.pitch_shift(
            samples[rows], ratio.denominator, 12 * math.log2(ratio) + 1e-6, n_fft=1024
        )
        shifted[rows] = found * (_rms(samples[rows]) / _rms(found).clamp_min(1e-9))
    return shifted


def _rms(samples: Tensor) -> Tensor:
    return samples.square().mean(1, keepdim=True).sqrt()


def echo(samples: Tensor, lengths: NDArray[np.int64]) -> Tensor:
    """Add each chunk to itself ``lengths`` samples later at half the level; not louder than before."""
    found = samples.clone()
    for row, length in enumerate(lengths):
        if 0 < length < samples.shape[1]:
            found[row, length:] += ECHO * samples[row, :-length]
            found[row] /= 1 + ECHO
    return found


def _filtered(samples: Tensor, settings: Settings, sample_rate: int, draw: _Draw) -> Tensor:
    """High-pass, low-pass and reverberation, by one multiplication of the spectra of those who get any."""
    chosen = {name: draw.chosen(getattr(settings, name)) for name in FILTERS}
    rows = np.flatnonzero(np.any([*chosen.values()], axis=0))
    if not len(rows):
        return samples
    longest = max(RINGING, settings.reverb_seconds[1] if settings.reverb else 0.0)
    size = _fast_length(samples.shape[1] + math.ceil(longest * sample_rate))
    spectrum = torch.fft.rfft(samples[rows], n=size)
    for name in FILTERS:
        mine = np.flatnonzero(chosen[name][rows])
        if not len(mine):
            continue
        if name == "reverb":
            tails = room(draw.between(settings.reverb_seconds, len(mine)), sample_rate, draw.random)
            response = torch.fft.rfft(tails, n=size)
        else:
            cutoffs = draw.between(getattr(settings, f"{name}_hz"), len(mine)) / sample_rate
            response = biquad_response(cutoffs, size, high=name == "high_pass")
        spectrum[mine] *= response.to(spectrum)
    found = samples.clone()
    found[rows] = torch.fft.irfft(spectrum, n=size)[:, : samples.shape[1]]
    return found


def _fast_length(length: int) -> int:
    from scipy.fft import next_fast_len

    return int(next_fast_len(length, real=True))


def biquad_response(cutoffs: NDArray[np.float64], size: int, *, high: bool) -> Tensor:
    """Frequency responses (filters, size // 2 + 1) of second-order Butterworth filters.

    ``cutoffs``: fractions of the sample rate. As torchaudio's ``lowpass_biquad`` and
    ``highpass_biquad`` with Q = 1/√2: Bristow-Johnson, "Cookbook formulae for audio EQ".
    """
    turn = 2 * np.pi * cutoffs[:, None]
    cosine, alpha = np.cos(turn), np.sin(turn) / math.sqrt(2)
    z = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)
    edge = 1 + cosine if high else 1 - cosine
    above = edge / 2 * (1 - z if high else 1 + z) ** 2
    return torch.from_numpy(above / ((1 + alpha) - 2 * cosine * z + (1 - alpha) * z**2))


def room(seconds: NDArray[np.float64], sample_rate: int, random: np.random.Generator) -> Tensor:
    """Impulse responses (rooms, n) float32 of unit energy: the sound itself, and equally strong a
    tail of noise that has fallen by 60 dB after ``seconds``."""
    times = np.arange(math.ceil(seconds.max(initial=0.0) * sample_rate) + 1) / sample_rate
    tails = random.standard_normal((len(seconds), len(times))) * 10 ** (
        -3 * times / seconds[:, None]
    )
    tails[:, 0] = 0
    tails /= np.sqrt(np.square(tails).sum(1, keepdims=True) + 1e-12)
    tails[:, 0] = 1
    return torch.from_numpy((tails / math.sqrt(2)).astype(np.float32))


def add_noise(samples: Tensor, ratio: NDArray[np.float64], random: np.random.Generator) -> Tensor:
    """Add white noise, ``ratio`` dB below each chunk; infinity leaves a chunk as it is."""
    rows = np.flatnonzero(np.isfinite(ratio))
    hiss = random.standard_normal((len(rows), samples.shape[1]), dtype=np.float32)
    found = samples.clone()
    found[rows] = torchaudio_cpu.load().functional.add_noise(
        samples[rows],
        torch.from_numpy(hiss).to(samples),
        torch.from_numpy(ratio[rows]).to(samples),
    )
    return found


def driven(samples: Tensor, decibels: NDArray[np.float64]) -> Tensor:
    """Drive each chunk by so many dB into a soft limiter, x → tanh(g·x) / tanh(g) of its peak; 0 dB leaves
    it as it is. Its peak stays, what is quieter comes up: what mastering for loudness does."""
    peak = samples.abs().amax(1, keepdim=True).clamp_min(1e-9)
    gain = _column(10 ** (decibels / 20), samples)
    pressed = torch.tanh(gain * samples / peak) / torch.tanh(gain) * peak
    return torch.where(gain > 1, pressed, samples)


def _coded(samples: Tensor, chosen: NDArray[np.bool_], random: np.random.Generator) -> Tensor:
    found = samples.clone()
    for row in np.flatnonzero(chosen):
        drawn = codec.CODECS[random.integers(len(codec.CODECS))]
        kbps = int(random.choice(drawn.kbps))
        peak = float(samples[row].abs().max().clamp_min(1.0))
        heard = codec.through((samples[row] / peak).cpu().numpy(), codec.RATE, drawn, kbps)
        found[row] = torch.from_numpy(heard).to(samples) * peak
    return found


def _limited(samples: Tensor, before: Tensor) -> Tensor:
    """Turn down each chunk that is louder than full scale and than it was before."""
    limit = before.abs().amax(1, keepdim=True).clamp_min(1.0)
    return samples * (limit / samples.abs().amax(1, keepdim=True).clamp_min(1e-9)).clamp_max(1.0)


def _column(values: NDArray[np.float64], like: Tensor) -> Tensor:
    return torch.from_numpy(values)[:, None].to(like)
