"""Decode with FFmpeg's libraries through PyAV: every format that is not libsndfile's.

Where a container's timestamps tell single samples, a span is sought, with enough before it for the
codec to settle, and every frame goes where its timestamp says. Where they do not (Matroska and WMA:
milliseconds), only decoding from the beginning tells which sample is which. Of hours that takes minutes:
there the millisecond has to do.

A sought span equals the whole to the bit (Opus: to 1e-5), but for AAC with noise substitution: where
its encoder wrote "noise" in place of samples, the decoder makes its own, and each time another.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tagkit.audio.decoder import FASTEST, FloatArray, mono
from tagkit.audio.stream import Stream, planar

# Where seeking was measured to be exact: container, codec (None: any).
SOUGHT = {
    ("aac", None),
    ("ape", None),
    ("dsf", None),
    ("flac", None),
    ("iff", None),
    ("mov,mp4,m4a,3gp,3g2,mj2", None),
    ("mp3", None),
    ("ogg", "opus"),
    ("ogg", "vorbis"),
    ("tta", None),
    ("wv", None),
}

# Where it is exact to the timestamps, which are milliseconds.
ROUGH = {"matroska,webm", "asf"}

# Seconds decoded and dropped before a sought span. An MP3 frame may begin 511 bytes back, which is
# nine of the smallest frames at 32 kHz and above, and 255 bytes back below, which is 23. Opus needs
# the longer to forget what was before (to 5e-6; 0.3 s: 8e-5), Vorbis because it seeks by pages.
PREROLL = 0.3
LONG_PREROLL = 0.7

# The last page of an Ogg stream states a shortened length, so that nothing in it can be placed by
# its timestamp: seek no later than this many seconds before the end. Pages hold a second or two.
OGG_TAIL = 4.0

# FFmpeg gives a Vorbis frame between a long and a short block a timestamp late by up to this many
# samples, and the next a true one: within it, count on from the frame before.
OGG_SLACK = 4096

# And where timestamps are rounded, by this many of their ticks.
ROUGH_SLACK = 2

# A file that cannot be sought is decoded once to count it, and kept from that if it is no longer
# than this many samples (12 minutes at 44.1 kHz, 128 MiB); a longer one is decoded again.
KEPT = 1 << 25

# Seconds after which timestamps are rather broken than true, and samples are counted instead.
LONGEST = 100 * 3600

# Samples of a channel turned into mono at once, for NumPy's calls cost more than a frame's 1152; and
# those of all channels, for there may be hundreds.
BLOCK = 1 << 16
WIDE_BLOCK = 1 << 20


class LibavDecoder:
    """An open file; see ``decoder.Decoder``. Raises AudioError, OSError, ValueError or PyAV's own."""

    def __init__(self, path: Path) -> None:
        self._stream = Stream(path)
        try:
            self._measure()
        except BaseException:
            self.close()
            raise

    def _measure(self) -> None:
        stream = self._stream
        first = stream.first_frame()
        self.rate: int = first.sample_rate
        self.channels: int = first.layout.nb_channels
        if self.rate > FASTEST:
            raise ValueError(f"it says that it has {self.rate:,} samples a second")
        self._origin: int = first.pts or 0
        self._tick: Fraction = stream.time_base * self.rate  # of the timestamps, in samples
        self._at = 0  # where the next frame begins
        self._kept: FloatArray | None = None
        ogg = stream.container == "ogg"
        self._slack = OGG_SLACK if ogg else 0
        self._tail = round(OGG_TAIL * self.rate) if ogg else 0
        self._preroll = round((LONG_PREROLL if ogg or self.rate < 32000 else PREROLL) * self.rate)
        self._sought = (
            not SOUGHT.isdisjoint({(stream.container, stream.codec), (stream.container, None)})
            and first.pts is not None
            and self._tick.numerator == 1
            and not stream.chained()
        )
        if not self._sought and stream.container in ROUGH and first.pts is not None:
            self._sought = self._place(stream.stated_end()) > KEPT
            self._slack = math.ceil(ROUGH_SLACK * self._tick)
        self.frames = self._find_end() if self._sought else 0
        if not 0 < self.frames < LONGEST * self.rate:
            self._sought = False
            self.frames = self._count()

    def span(self, start: int, stop: int) -> FloatArray:
        if self._kept is not None:
            return self._kept[start:stop]
        self._go(start)
        out = np.zeros(stop - start, np.float32)  # where packets are lost, silence
        for at, block in self._blocks(stop):
            first, last = max(at, start), min(at + len(block), stop)
            if first < last:
                out[first - start : last - start] = block[first - at : last - at]
        return out

    def close(self) -> None:
        self._stream.close()

    # -- where one is

    def _go(self, position: int) -> None:
        """Stand at ``position`` or before it, with the codec settled by then."""
        if self._sought:
            for back in (self._preroll, 8 * self._preroll):
                target = min(position - back, self.frames - self._tail)
                if target > 0 and self._seek(target) and self._at <= position - self._preroll // 2:
                    return
        elif position >= self._at:
            return
        self._restart()

    def _restart(self) -> None:
        self._stream.reopen()
        self._at = 0

    def _seek(self, target: int) -> bool:
        """Seek to the frame that ``target`` is in, and say whether its position is known."""
        ahead = self._stream.seek(self._origin + int(target / self._tick))
        starts = itertools.accumulate((frame.samples for frame in ahead), initial=0)
        places = [
            self._place(frame.pts) - start
            for frame, start in zip(ahead, starts, strict=False)
            if frame.pts is not None
        ]
        self._at = min(places, default=0)  # of the timestamps some are late, none early
        return bool(places)

    def _place(self, pts: int) -> int:
        ticks, samples = self._tick.denominator, self._tick.numerator
        return (2 * (pts - self._origin) * samples + ticks) // (2 * ticks)

    def _blocks(self, stop: float = float("inf")) -> Iterator[tuple[int, FloatArray]]:
        """Decode until the sample ``stop``: positions, and the mono samples that begin there."""
        batch: list[av.AudioFrame] = []
        begin = self._at
        most = min(BLOCK, WIDE_BLOCK // self.channels)
        for frame in self._stream.frames:
            at = self._at
            if self._sought and frame.pts is not None:
                place = self._place(frame.pts)
                at = place if place > at + self._slack else at
            if batch and (at > self._at or at - begin > most or not _alike(frame, batch[0])):
                yield begin, mono(planar(batch).T)
                batch = []
            if not batch:
                begin = at
            batch.append(frame)
            self._at = at + frame.samples
            if self._at >= stop:
                break
        if batch:
            yield begin, mono(planar(batch).T)

    # -- how long it is

    def _find_end(self) -> int:
        """The end of the last frame that decodes; 0 where it cannot be found by seeking.

        A header's duration only says where to begin looking: it may be an estimate, or a lie.
        """
        for find in (self._stream.stated_end, self._stream.last_packet):
            end = find()
            target = self._place(end) - max(self._preroll, self._tail)
            if end and target <= 0:
                self._restart()
            elif not end or not self._seek(target):
                continue
            return max((at + len(block) for at, block in self._blocks()), default=0)
        return 0

    def _count(self) -> int:
        """Decode everything to count it, and keep what can be kept."""
        self._restart()
        kept: list[FloatArray] | None = []
        for _, block in self._blocks():
            if kept is not None:
                kept.append(block)
                if self._at > KEPT:
                    kept = None
        if kept:
            self._kept = np.concatenate(kept)
        return self._at


def _alike(one: av.AudioFrame, other: av.AudioFrame) -> bool:
    return (one.format.name, one.layout.nb_channels) == (
        other.format.name,
        other.layout.nb_channels,
    )
