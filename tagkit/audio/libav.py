"""Decode with FFmpeg's libraries through PyAV: MP3, AAC, ALAC, WMA, APE, WavPack, Musepack, DSD ...

Where a container's timestamps count single samples, a span is sought, with enough packets before it
for the codec to settle, and every decoded frame goes where its timestamp says. Where they do not
(Matroska and WMA: milliseconds), only decoding from the beginning tells which sample is which.

A sought span equals the whole to the bit, but for AAC with noise substitution: where the encoder
wrote "noise" in place of samples, the decoder makes its own, and each time another.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tagkit.audio.decoder import FloatArray, mono
from tagkit.errors import AudioError

# What FFmpeg may take a file for: audio, and video that has audio. Without the list a picture would
# pass for a medium, and a playlist could make FFmpeg open other files.
FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dts,eac3,flac,flv,iff,matroska,mov,mp3,mpc,mpc8,"
    "mpeg,mpegts,ogg,oma,rm,shn,tak,tta,voc,w64,wav,wv"
)
OPTIONS = {"protocol_whitelist": "file", "format_whitelist": FORMATS}

# Where seeking was measured to be exact. (Not in Ogg: timestamps after a seek are guesses.)
SOUGHT = {"aac", "ape", "dsf", "flac", "iff", "mov,mp4,m4a,3gp,3g2,mj2", "mp3", "tta", "wv"}

# Seconds decoded and dropped before a sought span. An MP3 frame may begin 511 bytes back, which is
# nine of the smallest frames at 32 kHz and above, and 255 bytes back below, which is 23.
PREROLL = 0.3
PREROLL_LOW_RATE = 0.7

# A file that cannot be sought is decoded once to count it, and kept from that if it is no longer
# than this many samples (12 minutes at 44.1 kHz, 128 MiB); a longer one is decoded again.
KEPT = 1 << 25

# Seconds after which timestamps are rather broken than true, and samples are counted instead.
LONGEST = 100 * 3600

BLOCK = 1 << 16  # samples turned into mono at once: NumPy's calls cost more than a frame's 1152


class LibavDecoder:
    """An open file; see ``decoder.Decoder``. Raises AudioError, OSError, ValueError or PyAV's own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open()
        try:
            self._measure()
        except BaseException:
            self.close()
            raise

    def _measure(self) -> None:
        first = next(self._frames, None)
        if first is None or not first.sample_rate:
            raise AudioError("there is no sound in it that can be decoded", path=self._path)
        self.rate: int = first.sample_rate
        self.channels: int = first.layout.nb_channels
        self._origin = first.pts or 0
        self._tick = (self._stream.time_base or Fraction(0)) * self.rate  # in samples
        self._preroll = round((PREROLL if self.rate >= 32000 else PREROLL_LOW_RATE) * self.rate)
        self._kept: FloatArray | None = None
        self._sought = (
            self._container.format.name in SOUGHT
            and first.pts is not None
            and self._tick.numerator == 1
        )
        self.frames = self._find_end() if self._sought else 0
        if not 0 < self.frames < LONGEST * self.rate:
            self._sought = False
            self.frames = self._count()

    def span(self, start: int, stop: int) -> FloatArray:
        if self._kept is not None:
            return self._kept[start:stop]
        if self._sought:
            self._seek(start - self._preroll)
        elif start < self._at:
            self._reopen()
        out = np.zeros(stop - start, np.float32)  # where packets are lost, silence
        for at, block in self._blocks(stop):
            first, last = max(at, start), min(at + len(block), stop)
            if first < last:
                out[first - start : last - start] = block[first - at : last - at]
        return out

    def close(self) -> None:
        self._container.close()

    # -- the container

    def _open(self) -> None:
        # "file:" because of a bare name with a colon FFmpeg takes the first half for a protocol.
        self._container = av.open(f"file:{self._path}", options=OPTIONS, metadata_errors="ignore")
        stream = self._container.streams.best("audio")
        if stream is None or stream.codec_context is None:
            raise AudioError("there is no sound in it that can be decoded", path=self._path)
        stream.codec_context.thread_count = 1  # files are decoded side by side already
        self._stream = stream
        self._frames = self._decode()
        self._at = 0

    def _reopen(self) -> None:
        self._container.close()
        self._open()

    def _seek(self, position: int) -> None:
        """Go to the last packet that begins at or before the sample ``position``."""
        pts = self._origin + int(max(0, position) / self._tick)
        self._container.seek(pts, stream=self._stream)
        self._frames = self._decode()

    def _decode(self) -> Iterator[av.AudioFrame]:
        """Decode from here to the end. A packet that is broken is left out."""
        with contextlib.suppress(av.FFmpegError):
            for packet in self._container.demux(self._stream):
                with contextlib.suppress(av.FFmpegError):
                    yield from packet.decode()

    def _blocks(self, stop: float) -> Iterator[tuple[int, FloatArray]]:
        """Decode until the sample ``stop``: positions, and the mono samples that begin there."""
        batch: list[FloatArray] = []
        begin = self._at
        for frame in self._frames:
            at = self._at
            if self._sought and frame.pts is not None:
                at = round((frame.pts - self._origin) * self._tick)
            samples = _planar(frame)
            if batch and (at != self._at or len(samples) != len(batch[0]) or at - begin > BLOCK):
                yield begin, mono(np.concatenate(batch, axis=1).T)
                batch = []
            if not batch:
                begin = at
            batch.append(samples)
            self._at = at + frame.samples
            if self._at >= stop:
                break
        if batch:
            yield begin, mono(np.concatenate(batch, axis=1).T)

    # -- how long it is

    def _find_end(self) -> int:
        """The end of the last frame that decodes, by timestamps; 0 where seeking does not find it.

        A header's duration is only where to begin looking: it may be an estimate, or a lie.
        """
        duration = self._stream.duration
        with contextlib.suppress(av.FFmpegError):
            end = self._end_after(int(duration * self._tick)) if duration else 0
            return end or self._end_after(self._last_packet())
        return 0

    def _end_after(self, position: int) -> int:
        with contextlib.suppress(av.FFmpegError):
            self._seek(position - self._preroll)
            return max((at + len(block) for at, block in self._blocks(float("inf"))), default=0)
        return 0

    def _last_packet(self) -> int:
        self._reopen()
        times = [packet.pts for packet in self._container.demux(self._stream) if packet.pts]
        return int((max(times, default=0) - self._origin) * self._tick)

    def _count(self) -> int:
        """Decode everything to count it, and keep what can be kept."""
        self._reopen()
        kept: list[FloatArray] | None = []
        for _, block in self._blocks(float("inf")):
            if kept is not None:
                kept.append(block)
                if self._at > KEPT:
                    kept = None
        if kept:
            self._kept = np.concatenate(kept)
        return self._at


def _planar(frame: av.AudioFrame) -> FloatArray:
    """Return (channels, samples) in [-1, 1] of a frame in any sample format."""
    raw = frame.to_ndarray()
    if not frame.format.is_planar:
        raw = raw.reshape(-1, frame.layout.nb_channels).T
    samples = raw.astype(np.float32, copy=False)
    if raw.dtype.kind == "f":
        return samples
    full_scale = np.float32(1 << (8 * raw.itemsize - 1))
    return (samples - full_scale if raw.dtype.kind == "u" else samples) / full_scale
