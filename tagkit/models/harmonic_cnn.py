"""Harmonic CNN: Won, Chun, Nieto, Serra, "Data-driven harmonic filters for audio representation learning",
ICASSP 2020, as in minzwon/sota-music-tagging-models (5 s at 16 kHz).

Triangular filters of learnable width stand at 128 half-semitone steps from C1 and at their first six harmonics;
a 2-D CNN sees the harmonics as channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tagkit.features import AMIN
from tagkit.models.base import TagModel
from tagkit.models.blocks import ConvBlock

SAMPLE_RATE, N_FFT, HOP = 16000, 512, 256
HARMONICS, LEVELS = 6, 128
LOWEST = 24  # C1 as a MIDI note: 32.70 Hz
#: The equivalent rectangular bandwidth of hearing, ALPHA · f + BETA Hz: Glasberg & Moore, 1990.
ALPHA, BETA = 0.1079, 24.7


class Spectrum(nn.Module):
    """Samples ``(b, n)`` → power ``(b, 257, frames)``."""

    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(N_FFT))

    def forward(self, samples: Tensor) -> Tensor:
        spectrum = torch.stft(
            samples, N_FFT, HOP, window=self.window, pad_mode="reflect", return_complex=True
        )
        return spectrum.real.square() + spectrum.imag.square()


class HarmonicFilters(nn.Module):
    """Samples ``(b, n)`` → dB ``(b, 6, 128, frames)``; ``bw_Q`` divides the bandwidth of every filter."""

    def __init__(self) -> None:
        super().__init__()
        self.bw_Q = nn.Parameter(torch.ones(1))
        self.spec = Spectrum()

    def centres(self) -> Tensor:
        """``(768,)`` Hz: the levels of the first harmonic, then of the second …"""
        notes = LOWEST + torch.arange(LEVELS, device=self.bw_Q.device) / 2
        first = 440.0 * 2.0 ** ((notes - 69) / 12)
        harmonics = torch.arange(1, HARMONICS + 1, device=self.bw_Q.device)
        return (harmonics[:, None] * first).flatten()

    def filters(self) -> Tensor:
        """``(257, 768)``."""
        centres = self.centres()
        bandwidth = (ALPHA * centres + BETA) / self.bw_Q
        bins = torch.linspace(0, SAMPLE_RATE / 2, N_FFT // 2 + 1, device=centres.device)
        distance = (bins[:, None] - centres).abs() * 2 / bandwidth
        return F.relu(1 - distance)

    def forward(self, samples: Tensor) -> Tensor:
        bands = (self.spec(samples).transpose(1, 2) @ self.filters()).transpose(1, 2)
        decibel = 10.0 * torch.log10(bands.clamp_min(AMIN))
        return decibel.reshape(samples.shape[0], HARMONICS, LEVELS, -1)


class PooledResBlock(nn.Module):
    """Two 3×3 convolutions with a shortcut, then max pooling; channels are kept (``Res_2d_mp``)."""

    def __init__(self, channels: int, pool: tuple[int, int] = (2, 2)) -> None:
        super().__init__()
        self.pool = pool
        self.conv_1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn_1 = nn.BatchNorm2d(channels)
        self.conv_2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn_2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn_2(self.conv_2(F.relu(self.bn_1(self.conv_1(x)))))
        return F.max_pool2d(F.relu(x + out), self.pool)


class HarmonicCNN(TagModel):
    """Samples ``(batch, 80000)`` → logits ``(batch, tags)``; embedding of 256 dims."""

    def __init__(self, tags: int, channels: int = 128) -> None:
        super().__init__()
        self.hstft = HarmonicFilters()
        self.hstft_bn = nn.BatchNorm2d(HARMONICS)
        self.layer1 = ConvBlock(HARMONICS, channels, (2, 2))
        self.layer2 = PooledResBlock(channels)
        self.layer3 = PooledResBlock(channels)
        self.layer4 = PooledResBlock(channels)
        self.layer5 = ConvBlock(channels, channels * 2, (2, 2))
        self.layer6 = PooledResBlock(channels * 2, (2, 3))
        self.layer7 = PooledResBlock(channels * 2, (2, 3))
        self.dense1 = nn.Linear(channels * 2, channels * 2)
        self.bn = nn.BatchNorm1d(channels * 2)
        self.dropout = nn.Dropout(0.5)
        self.dense2 = nn.Linear(channels * 2, tags)

    def embed(self, x: Tensor) -> Tensor:
        x = self.hstft_bn(self.hstft(x))
        for number in range(1, 8):
            x = getattr(self, f"layer{number}")(x)
        x = x.squeeze(2).amax(-1)
        return F.relu(self.bn(self.dense1(x)))

    def head(self, x: Tensor) -> Tensor:
        logits: Tensor = self.dense2(self.dropout(x))
        return logits
