"""Decode with libsndfile: FLAC, Ogg Vorbis, Opus, WAV, AIFF and their kin.

MP3 is not among them though libsndfile reads it. Its MP3 decoder (libmpg123) seeks inexactly where
frames are small (measured: wrong by up to 0.8 at 32 kbit/s), believes a wrong frame count in the
header, estimates an absent one (six times too long for VBR), and writes to the process's stderr.
FFmpeg's has none of this and takes the same time.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import soundfile

from tagkit.audio.decoder import FloatArray, mono
from tagkit.errors import AudioError

# How the files begin that libsndfile is asked for.
MAGIC = (b"fLaC", b"OggS", b"RIFF", b"RF64", b"riff", b"FORM", b"caff", b".snd")

# Opus and Vorbis carry state from packet to packet. libsndfile rolls in 80 ms after a seek, which
# leaves a rounding error of 3e-8; this much leaves none.
PREROLL = 16384

# An Ogg page is at most 27 + 255 + 255 × 255 bytes long; its stream's number is at 14.
LARGEST_PAGE = 65307
SERIAL = slice(14, 18)


class SndfileDecoder:
    """An open file; see ``decoder.Decoder``.

    Raises AudioError, OSError or soundfile's own where FFmpeg is to be asked instead.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with contextlib.ExitStack() as opened:
            # By descriptor, so that libsndfile goes by what is in the file, not by its name.
            descriptor = opened.enter_context(path.open("rb", buffering=0)).fileno()
            if not os.pread(descriptor, 4, 0).startswith(MAGIC) or _chained(descriptor):
                raise AudioError("is not for libsndfile", path=path)
            self._file = opened.enter_context(soundfile.SoundFile(descriptor, closefd=False))
            self.rate: int = self._file.samplerate
            self.channels: int = self._file.channels
            self.frames: int = self._file.frames
            if "MPEG" in self._file.subtype or self.frames == 0:
                raise AudioError("is not for libsndfile", path=path)
            self.span(self.frames - 1, self.frames)  # is there what the header promises?
            self._opened = opened.pop_all()

    def span(self, start: int, stop: int) -> FloatArray:
        first = max(0, start - PREROLL) if self._file.format == "OGG" else start
        self._file.seek(first)
        # In one read: soundfile seeks after each, and a seek disturbs a lossy decoder.
        samples = self._file.read(stop - first, dtype="float32", always_2d=True)
        if len(samples) < stop - first:
            raise AudioError("ends before its header says", path=self._path)
        return mono(samples[start - first :])

    def close(self) -> None:
        self._opened.close()


def _chained(descriptor: int) -> bool:
    """Whether this is an Ogg file with another stream at its end: libsndfile would not hear it."""
    size = os.fstat(descriptor).st_size
    head = os.pread(descriptor, 18, 0)
    tail = os.pread(descriptor, LARGEST_PAGE, max(0, size - LARGEST_PAGE))
    last = tail[max(0, tail.rfind(b"OggS")) :]
    return head.startswith(b"OggS") and last[SERIAL] != head[SERIAL]
