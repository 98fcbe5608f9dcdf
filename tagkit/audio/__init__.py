"""Audio files as the models hear them: mono float32 at one sample rate, whole or in windows.

Mono is the plain mean of the channels, in [-1, 1] apart from overshoots of lossy codecs. Resampling
is soxr "HQ". :func:`read_windows` decodes only what it returns, and returns what slices of
:func:`read` hold.

A file is known by its content, never by its name. A truncated or damaged one is heard as far as it
decodes; samples that are no numbers are silence. What cannot be heard at all raises AudioError, and
what cannot be read PassingError.
"""

from __future__ import annotations

import contextlib
import math
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

import av
import numpy as np
import soundfile
import soxr

from tagkit.audio.decoder import Decoder, FloatArray
from tagkit.audio.libav import LibavDecoder
from tagkit.audio.sndfile import SndfileDecoder
from tagkit.audio.stream import require_readable
from tagkit.errors import AudioError, PassingError

__all__ = ["AudioInfo", "FloatArray", "probe", "read", "read_windows", "window_starts"]

T = TypeVar("T")

LIBRARY_ERRORS = (soundfile.SoundFileError, av.FFmpegError)

# Seconds of sound on each side of a window, so that the resampler's filter does not see an edge:
# with these, 8 to 352.8 kHz come out the same but for rounding (6e-7); with half of them, to 2e-5.
MARGIN = 0.02

# Windows closer than this many seconds are decoded in one go: seeking between them costs more.
GAP = 0.5

# Samples at a file's own rate that are resampled at once; of 192 kHz, more do not fit in memory.
BLOCK = 1 << 22


class AudioInfo(NamedTuple):
    """What a file holds: ``duration`` in seconds, ``sample_rate`` in Hz, ``frames`` a channel."""

    duration: float
    sample_rate: int
    channels: int
    frames: int


def probe(path: str | os.PathLike[str]) -> AudioInfo:
    """Return what ``path`` holds, counted rather than believed. Raises AudioError."""
    return _listen(
        path, lambda file: AudioInfo(file.frames / file.rate, file.rate, file.channels, file.frames)
    )


def read(path: str | os.PathLike[str], rate: int) -> FloatArray:
    """Return the whole file as mono float32 (samples,) at ``rate`` Hz. Raises AudioError."""
    return _listen(path, lambda file: _resampled_span(file, 0, file.frames, rate))


def window_starts(total: int, length: int, most: int = 16) -> list[int]:
    """Where to cut at most ``most`` windows of ``length`` from ``total`` samples.

    Evenly spread, the first at 0, the last ending at the track's end; no more than cover the track.
    A track shorter than a window has one, at 0.
    """
    count = min(most, math.ceil(total / length))
    if count <= 1:
        return [0]
    return [round(i * (total - length) / (count - 1)) for i in range(count)]


def read_windows(
    path: str | os.PathLike[str], rate: int, length: int, most: int = 16
) -> tuple[FloatArray, float]:
    """Return windows (n, ``length``) of mono float32 at ``rate`` Hz, and the duration in seconds.

    The windows lie at :func:`window_starts` of the whole track. A track shorter than ``length`` is
    repeated until it fills one. Raises AudioError.
    """

    def work(file: Decoder) -> tuple[FloatArray, float]:
        total = _resampled(file.frames, file.rate, rate)
        starts = window_starts(total, length, most)
        windows = np.empty((len(starts), length), np.float32)
        for first, last in _neighbours(starts, length, round(GAP * rate)):
            heard = _hear(file, starts[first], min(starts[last] + length, total), rate)
            for row in range(first, last + 1):
                offset = starts[row] - starts[first]
                window = heard[offset : offset + length]
                windows[row] = window if len(window) == length else np.resize(window, length)
        return windows, file.frames / file.rate

    return _listen(path, work)


def _listen(path: str | os.PathLike[str], work: Callable[[Decoder], T]) -> T:
    """Do ``work`` with libsndfile, or where that gives up, at once or half way, with FFmpeg.

    The one border where the libraries' exceptions become AudioError.
    """
    path = Path(path)
    _check(path)
    for decoder in (SndfileDecoder, LibavDecoder):
        try:
            with contextlib.closing(decoder(path)) as file:
                return work(file)
        except PassingError:
            raise
        except (AudioError, OSError, ValueError, MemoryError, *LIBRARY_ERRORS) as error:
            failure = error
    require_readable(path)
    if isinstance(failure, MemoryError):
        reason = "cannot be decoded: it takes too much memory"
    elif isinstance(failure, AudioError):
        reason = failure.message
    else:
        reason = f"cannot be decoded: {getattr(failure, 'strerror', None) or failure}"
    hint = "try it in a player: if that fails too, it is damaged"
    raise AudioError(reason, path=path, hint=hint) from failure


def _check(path: Path) -> None:
    """Raise AudioError where no decoder need be asked, or would hang if it were; PassingError where the
    file is not there to be read: a drive may be unplugged."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise AudioError("is not a file", path=path, hint="give an audio file")
        path.open("rb").close()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "check that it is there and that you may read it"
        raise PassingError(f"cannot be opened: {reason}", path=path, hint=hint) from error
    if status.st_size == 0:
        raise AudioError("is empty", path=path, hint="restore it from a backup, or delete it")


def _neighbours(starts: list[int], length: int, gap: int) -> Iterator[tuple[int, int]]:
    """Group windows that nearly touch: the first and the last index of each group."""
    first = 0
    for i in range(1, len(starts) + 1):
        if i == len(starts) or starts[i] > starts[i - 1] + length + gap:
            yield first, i - 1
            first = i


def _hear(file: Decoder, start: int, stop: int, rate: int) -> FloatArray:
    """Return samples ``start`` to ``stop`` of the file at ``rate``, decoding little more than them.

    Decoding begins at a point that the grids of both rates share, so that what is resampled alone
    falls on the samples that resampling everything gives.
    """
    if file.rate == rate:
        return file.span(start, stop)
    common = math.gcd(file.rate, rate)
    up, down = rate // common, file.rate // common
    step = max(0, (start - math.ceil(MARGIN * rate)) // up)
    end = math.ceil(stop * file.rate / rate + MARGIN * file.rate)
    samples = _resampled_span(file, step * down, min(end, file.frames), rate)
    return samples[start - step * up : stop - step * up]


def _resampled(frames: int, native: int, rate: int) -> int:
    """How many samples :func:`_resample` makes of ``frames``."""
    return max(1, int(frames * rate / native + 0.5))


def _resampled_span(file: Decoder, start: int, stop: int, rate: int) -> FloatArray:
    """Return the samples ``start`` to ``stop`` at ``rate``, a block at a time: to the bit what
    resampling all of them at once gives."""
    if file.rate == rate or stop - start <= BLOCK:
        return _resample(file.span(start, stop), file.rate, rate)
    stream = soxr.ResampleStream(file.rate, rate, 1, dtype="float32", quality="HQ")
    return np.concatenate(
        [
            stream.resample_chunk(file.span(at, min(at + BLOCK, stop)), last=at + BLOCK >= stop)
            for at in range(start, stop, BLOCK)
        ]
    )


def _resample(samples: FloatArray, native: int, rate: int) -> FloatArray:
    if native == rate:
        return samples
    out: FloatArray = soxr.resample(samples, native, rate, quality="HQ")
    return out if len(out) else samples[:1]  # less than half a sample at the new rate is still one
