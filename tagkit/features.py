"""Front ends: from samples to the image a network sees.

Every published model here hears a log-mel spectrogram::

    samples (batch, n) ─ STFT ─▶ power (batch, bins, frames) ─ filter bank ─▶ 10·log10 ─▶ dB (batch, mels, frames)

in one of two dialects. *torchaudio's* (16 kHz, HTK mel without area normalisation, periodic Hann,
reflected ends), which minzwon/sota-music-tagging-models and its descendants use, and *Essentia's*
(12 kHz, Slaney mel with area normalisation, symmetric Hann, ends padded with zeros), which the MTG-Jamendo
baseline was trained on. :class:`~tagkit.front_end.FrontEnd` says which; :class:`LogMel` computes it.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from tagkit.front_end import FrontEnd

#: Power below this is silence: -100 dB. No ceiling relative to the loudest bin (torchaudio's ``top_db``) is applied.
AMIN = 1e-10


def _hz_to_mel(hz: np.ndarray, scale: str) -> np.ndarray:
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + hz / 700.0)
    # Slaney's Auditory Toolbox: linear below 1 kHz (3 mel per 200 Hz), logarithmic above.
    return np.where(
        hz < 1000.0,
        hz * 3.0 / 200.0,
        15.0 + np.log(np.maximum(hz, 1e-9) / 1000.0) * 27.0 / np.log(6.4),
    )


def _mel_to_hz(mel: np.ndarray, scale: str) -> np.ndarray:
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    return np.where(
        mel < 15.0, mel * 200.0 / 3.0, 1000.0 * np.exp((mel - 15.0) * np.log(6.4) / 27.0)
    )


def mel_filter_bank(front_end: FrontEnd) -> Tensor:
    """Return triangular filters, float32 ``(n_fft/2 + 1, n_mels)``; columns rise in frequency.

    With 128 HTK mels on 257 bins the first filter lies between two bins and stays empty, a constant
    -100 dB, in the reference too.
    """
    bins = np.linspace(0.0, front_end.sample_rate / 2, front_end.n_fft // 2 + 1)
    ends = _hz_to_mel(np.array([front_end.f_min, front_end.f_max]), front_end.mel)
    corners = _mel_to_hz(np.linspace(ends[0], ends[1], front_end.n_mels + 2), front_end.mel)
    rising = (bins[:, None] - corners[None, :-2]) / np.diff(corners)[None, :-1]
    falling = (corners[None, 2:] - bins[:, None]) / np.diff(corners)[None, 1:]
    filters = np.maximum(0.0, np.minimum(rising, falling))
    if front_end.area_norm:
        filters *= 2.0 / (corners[2:] - corners[:-2])
    return torch.from_numpy(filters.astype(np.float32))


class Waveform(nn.Module):
    """Samples ``(batch, samples)`` as they are, for models that begin with their own filters."""

    def __init__(self, front_end: FrontEnd) -> None:
        super().__init__()
        self.front_end = front_end

    def forward(self, samples: Tensor) -> Tensor:
        return samples


class LogMel(nn.Module):
    """``(batch, samples)`` float32 in [-1, 1] → dB ``(batch, n_mels, frames)``.

    ``filter_bank``: a published checkpoint's own, where it differs from ours by rounding.
    The buffers ``window`` and ``mel_fb`` belong to a bundle, so that a model hears exactly what it was trained on.
    """

    window: Tensor
    mel_fb: Tensor

    def __init__(self, front_end: FrontEnd, filter_bank: Tensor | None = None) -> None:
        super().__init__()
        self.front_end = front_end
        hann = torch.hann_window(front_end.n_fft, periodic=front_end.window == "periodic")
        self.register_buffer("window", hann)
        self.register_buffer(
            "mel_fb", mel_filter_bank(front_end) if filter_bank is None else filter_bank
        )

    def forward(self, samples: Tensor) -> Tensor:
        spec = self.front_end
        half = spec.n_fft // 2
        if spec.padding == "reflect":
            padded = nn.functional.pad(samples[:, None], (half, half), mode="reflect")[:, 0]
        else:
            frames = math.ceil(samples.shape[-1] / spec.hop) + 1
            tail = max(0, (frames - 1) * spec.hop + spec.n_fft - half - samples.shape[-1])
            padded = nn.functional.pad(samples, (half, tail))
        spectrum = torch.stft(
            padded, spec.n_fft, spec.hop, window=self.window, center=False, return_complex=True
        )
        power = spectrum.real.square() + spectrum.imag.square()
        mel = (power.transpose(1, 2) @ self.mel_fb).transpose(1, 2)
        return 10.0 * torch.log10(mel.clamp_min(AMIN))


FrontEndModule: TypeAlias = LogMel | Waveform


def build(front_end: FrontEnd) -> FrontEndModule:
    """Return what computes a front end."""
    return LogMel(front_end) if front_end.n_mels else Waveform(front_end)
