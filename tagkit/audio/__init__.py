"""Audio files as the models hear them: mono float32 at one sample rate, whole or in windows.

Mono is the plain mean of the channels; samples are in [-1, 1] apart from overshoots of lossy codecs.
Resampling is soxr "HQ". :func:`read_windows` decodes only the windows it returns, and returns what
slices of :func:`read` would hold (to 1e-4: the resampler sees a margin around each window).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr

from tagkit.audio.decoder import FloatArray, Span, open_decoder
from tagkit.errors import AudioError

__all__ = ["AudioInfo", "FloatArray", "probe", "read", "read_windows", "window_starts"]

# Seconds of context on each side of a window, so that the resampler's filter does not see an edge.
MARGIN = 0.05


class AudioInfo(NamedTuple):
    """What a file holds: ``duration`` in seconds, native ``sample_rate`` in Hz, ``frames`` per channel."""

    duration: float
    sample_rate: int
    channels: int
    frames: int


def probe(path: str | Path) -> AudioInfo:
    """Return what ``path`` holds without decoding it all. Raises AudioError."""
    with open_decoder(Path(path)) as source:
        return AudioInfo(source.frames / source.rate, source.rate, source.channels, source.frames)


def read(path: str | Path, rate: int) -> FloatArray:
    """Return the whole file as mono float32 (samples,) at ``rate`` Hz. Raises AudioError."""
    with open_decoder(Path(path)) as source:
        (samples,) = source.spans([(0, source.frames)])
        return _resample(samples, source.rate, rate)


def window_starts(total: int, length: int, most: int = 16) -> list[int]:
    """Where to cut at most ``most`` windows of ``length`` from ``total`` samples.

    Spread evenly, the first at 0, the last ending at the track's end; as few as cover the track
    where that is fewer than ``most``. A track shorter than a window has one, at 0.
    """
    count = min(most, math.ceil(total / length))
    if count <= 1:
        return [0]
    return [round(i * (total - length) / (count - 1)) for i in range(count)]


def read_windows(
    path: str | Path, rate: int, length: int, most: int = 16
) -> tuple[FloatArray, float]:
    """Return windows (n, ``length``) of mono float32 at ``rate`` Hz, and the duration in seconds.

    The windows lie at :func:`window_starts` of the whole track; a track shorter than ``length`` is
    repeated until it fills one. Raises AudioError.
    """
    with open_decoder(Path(path)) as source:
        total = max(1, _resampled(source.frames, source.rate, rate))
        starts = window_starts(total, length, most)
        cuts = [
            _cut(start, min(length, total), source.rate, rate, source.frames) for start in starts
        ]
        windows = np.empty((len(starts), length), np.float32)
        for row, samples, (_, offset) in zip(
            windows, source.spans([span for span, _ in cuts]), cuts, strict=True
        ):
            heard = _resample(samples, source.rate, rate)[offset : offset + length]
            row[:] = np.resize(heard, length)
        return windows, source.frames / source.rate


def _cut(start: int, length: int, native: int, rate: int, frames: int) -> tuple[Span, int]:
    """The native span to decode for a window, and where the window begins in its resampled samples.

    The span begins on a point that both sample grids share, so that resampling it alone gives the
    samples that resampling everything would.
    """
    if native == rate:
        return (start, start + length), 0
    common = math.gcd(native, rate)
    up, down = rate // common, native // common
    step = max(0, (start - math.ceil(MARGIN * rate)) // up)
    stop = math.ceil((start + length) * native / rate + MARGIN * native)
    return (step * down, min(frames, stop)), start - step * up


def _resampled(frames: int, native: int, rate: int) -> int:
    """How many samples soxr makes of ``frames``."""
    return int(frames * rate / native + 0.5)


def _resample(samples: FloatArray, native: int, rate: int) -> FloatArray:
    if native == rate:
        return samples
    out: FloatArray = soxr.resample(samples, native, rate, quality="HQ")
    # One native sample can be less than half a sample at the lower rate.
    return out if len(out) else samples[:1]
