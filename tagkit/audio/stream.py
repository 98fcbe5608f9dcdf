"""The audio stream of a file as FFmpeg's libraries decode it: frames, one after another."""

from __future__ import annotations

import contextlib
import errno
import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tagkit.audio.decoder import FloatArray
from tagkit.errors import AudioError, PassingError

# What FFmpeg may take a file for: audio, and video that has audio. Without the list a picture would
# pass for a medium, and a playlist could make FFmpeg open other files.
FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dts,eac3,flac,flv,iff,matroska,mov,mp3,mpc,mpc8,"
    "mpeg,mpegts,ogg,oma,rm,shn,tak,tta,voc,w64,wav,wv"
)
OPTIONS = {"protocol_whitelist": "file", "format_whitelist": FORMATS}

# Frames looked at after opening, to tell sound from noise that has a frame in it by chance, and
# after a seek, to tell where one is.
AHEAD = 4

# An Ogg page is at most 27 + 255 + 255 × 255 bytes long; the number of its stream is at 14.
LARGEST_PAGE = 65307
SERIAL = slice(14, 18)

# FFmpeg's sample formats; with a "p" at the end, one plane a channel.
SAMPLES = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}

# MiB of a file that fails in which it is looked whether the disk is to blame.
READ = 256

NO_SOUND = "there is no sound in it that can be decoded"


class Stream:
    """The best audio stream of a file. ``frames`` decodes on from wherever it stands.

    Packets that are broken are left out. Raises AudioError, OSError, ValueError or PyAV's own.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open()

    def _open(self) -> None:
        # "file:" because of a bare name with a colon FFmpeg takes the first half for a protocol.
        self._file = av.open(f"file:{self._path}", options=OPTIONS, metadata_errors="ignore")
        stream = self._file.streams.best("audio")
        if stream is None or stream.codec_context is None:
            self.close()
            raise AudioError(NO_SOUND, path=self._path)
        stream.codec_context.thread_count = 1  # files are decoded side by side already
        self._stream = stream
        self._broken = 0
        self.container: str = self._file.format.name
        self.codec: str = stream.codec_context.name
        self.time_base: Fraction = stream.time_base or Fraction(0)
        self.frames = self._decode()

    def reopen(self) -> None:
        """Go back to the beginning."""
        self.close()
        self._open()

    def close(self) -> None:
        self._file.close()

    def first_frame(self) -> av.AudioFrame:
        """Decode the first frame, and enough more to see that it is not one by chance."""
        first = next(self.frames, None)
        if first is None or not first.sample_rate:
            raise AudioError(NO_SOUND, path=self._path)
        good = 1
        for good, _ in enumerate(self.frames, start=2):
            if good >= AHEAD + self._broken:
                break
        if good <= self._broken:
            raise AudioError(NO_SOUND, path=self._path)
        return first

    def seek(self, pts: int) -> list[av.AudioFrame]:
        """Go to the packet at or before ``pts``; return the next frames without passing them.

        None are returned where there are none, or where one cannot go.
        """
        try:
            self._file.seek(pts, stream=self._stream)
        except av.FFmpegError:
            return []
        decoded = self._decode()
        ahead = list(itertools.islice(decoded, AHEAD))
        self.frames = itertools.chain(ahead, decoded)
        return ahead

    def stated_end(self) -> int:
        """The end that the headers state, as a timestamp; 0 where they state none."""
        duration: int | None = self._stream.duration
        if duration is None and self._file.duration and self.time_base:  # Matroska: of all streams
            duration = int(Fraction(self._file.duration, av.time_base) / self.time_base)
        return (self._stream.start_time or 0) + (duration or 0)

    def last_packet(self) -> int:
        """The greatest timestamp of all packets; reads them all, and leaves the stream at its end."""
        self.reopen()
        greatest = 0
        with contextlib.suppress(av.FFmpegError):
            for packet in self._file.demux(self._stream):
                greatest = max(greatest, packet.pts or 0)
        return greatest

    def chained(self) -> bool:
        """Whether this is Ogg that ends with another stream than it begins with."""
        if self.container != "ogg":
            return False
        with self._path.open("rb") as file:
            head = file.read(LARGEST_PAGE)
            file.seek(-min(LARGEST_PAGE, self._path.stat().st_size), 2)
            tail = file.read()
        return head[SERIAL] != tail[max(0, tail.rfind(b"OggS")) :][SERIAL]

    def _decode(self) -> Iterator[av.AudioFrame]:
        try:
            for packet in self._file.demux(self._stream):
                try:
                    yield from packet.decode()
                except (
                    MemoryError
                ):  # not how the file is, and what follows would be heard without it
                    raise
                except av.FFmpegError:
                    self._broken += 1
        except MemoryError:
            raise
        except av.FFmpegError as error:
            if error.errno == errno.EIO:
                require_readable(self._path)


def require_readable(path: Path) -> None:
    """Raise PassingError where the disk does not give all of the file: for FFmpeg, which says so of
    damaged files too, what comes before would be all of it."""
    try:
        with path.open("rb") as file:
            for _ in range(READ):
                if not file.read(1 << 20):
                    break
    except OSError as error:
        hint = "check the disk, or the connection"
        raise PassingError(
            f"cannot be read to its end: {error.strerror}", path=path, hint=hint
        ) from error


def planar(frames: Sequence[av.AudioFrame]) -> FloatArray:
    """Return (channels, samples) in [-1, 1] of consecutive frames of one sample format."""
    form = frames[0].format
    kind = SAMPLES[form.name.removesuffix("p")]
    channels = frames[0].layout.nb_channels
    total = sum(frame.samples for frame in frames)
    planes = [[np.frombuffer(plane, kind) for plane in frame.planes] for frame in frames]
    if form.is_planar:
        raw = np.empty((channels, total), kind)
        for channel, row in enumerate(raw):
            parts = [p[channel][: frame.samples] for p, frame in zip(planes, frames, strict=True)]
            np.concatenate(parts, out=row)
    else:
        packed = [p[0][: channels * frame.samples] for p, frame in zip(planes, frames, strict=True)]
        raw = np.concatenate(packed).reshape(total, channels).T
    samples: FloatArray = raw.astype(np.float32, copy=False)
    if raw.dtype.kind != "f":
        full_scale = np.float32(1 << (8 * raw.itemsize - 1))
        samples = (samples - full_scale if raw.dtype.kind == "u" else samples) / full_scale
    return samples
