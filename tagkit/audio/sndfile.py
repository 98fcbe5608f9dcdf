"""Decode with libsndfile: FLAC, WAV, AIFF and their kin, which it seeks in to the sample, and most MP3s.

Of an MP3 it believes the header, so that it is asked only where the header proves true: six times too
long without a Xing header (VBR), cut short by one that counts too little. After a seek its decoder
needs what a frame borrows from those before it: wrong by up to 0.8 without, exact to the bit with
them (in stereo; mono differs by 6e-8, and is left to FFmpeg). Where both can, it takes a fifth less
time than FFmpeg through PyAV, for FFmpeg reads the whole file to find its way.

Ogg Vorbis and Opus are not among them though libsndfile 1.2.2 reads them. Measured against a decode from
the beginning, on real files:

- Vorbis: of a hundred seeks three to forty, by the file, land 64 to 900 samples from where they should.
- Opus: up to 4e-3 off after a seek, and files that other decoders play are "malformed".

FFmpeg's decoders have none of this and take the same time or less.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np
import soundfile

from tagkit.audio import mpeg
from tagkit.audio.decoder import FASTEST, FloatArray, mono
from tagkit.errors import AudioError

# How the files begin that libsndfile is asked for.
MAGIC = (b"fLaC", b"RIFF", b"RF64", b"riff", b"FORM", b"caff", b".snd")

# Before a frame that was sought in an MP3, it decodes some by itself (four, of which two were found to
# count). What else is needed is decoded and dropped here.
OWN_FRAMES = 2

# Samples of all channels decoded at once: sixteen channels of minutes do not fit in memory.
BLOCK = 1 << 21

# An MP3's first and last frames are there for the encoder's delay, and are cut off. More than these
# that do not decode, or bytes never read, and the header lied.
SPARE_FRAMES = 6


class SndfileDecoder:
    """An open file; see ``decoder.Decoder``.

    Raises AudioError, OSError or soundfile's own where FFmpeg is to be asked instead.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with contextlib.ExitStack() as opened:
            # By descriptor, so that libsndfile goes by what is in the file, not by its name.
            descriptor = opened.enter_context(path.open("rb", buffering=0)).fileno()
            plain = os.pread(descriptor, 4, 0).startswith(MAGIC)
            header = None if plain else mpeg.announced(descriptor)
            if not plain and header is None:
                raise AudioError("is not for libsndfile", path=path)
            self._file = opened.enter_context(soundfile.SoundFile(descriptor, closefd=False))
            self.rate: int = self._file.samplerate
            self.channels: int = self._file.channels
            self.frames: int = self._file.frames
            mpeg_within = "MPEG" in self._file.subtype
            if mpeg_within is plain or self.frames == 0 or self.rate > FASTEST:
                raise AudioError("is not for libsndfile", path=path)
            self._preroll = (
                0 if header is None else max(0, header.reach - OWN_FRAMES) * mpeg.SAMPLES
            )
            self.span(self.frames - 1, self.frames)  # is there what the header promises?
            if header is not None:
                self._require(header, os.lseek(descriptor, 0, os.SEEK_CUR))
            self._opened = opened.pop_all()

    def _require(self, header: mpeg.Announced, reached: int) -> None:
        """Raise AudioError where the last sample is not what lies at the end of the last frame."""
        cut = header.frames * mpeg.SAMPLES - self.frames
        left = header.end - reached
        if not (0 <= cut <= SPARE_FRAMES * mpeg.SAMPLES and left <= SPARE_FRAMES * mpeg.LARGEST):
            raise AudioError("is longer or shorter than its header says", path=self._path)

    def span(self, start: int, stop: int) -> FloatArray:
        begin = max(0, start - self._preroll)
        self._file.seek(begin)
        if (stop - begin) * self.channels <= BLOCK:
            return mono(self._read(stop - begin)[start - begin :])
        out = np.empty(stop - start, np.float32)
        self._read(start - begin)
        size = max(1, BLOCK // self.channels)
        for at in range(0, len(out), size):
            out[at : at + size] = mono(self._read(min(size, len(out) - at)))
        return out

    def _read(self, frames: int) -> FloatArray:
        samples: FloatArray = self._file.read(frames, dtype="float32", always_2d=True)
        if len(samples) < frames:
            raise AudioError("ends before its header says", path=self._path)
        return samples

    def close(self) -> None:
        self._opened.close()
