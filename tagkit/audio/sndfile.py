"""Decode with libsndfile: FLAC, WAV, AIFF and their kin, which it seeks in to the sample.

MP3, Ogg Vorbis and Opus are not among them though libsndfile 1.2.2 reads them. Measured against a
decode from the beginning, on real files:

- MP3: wrong by up to 0.8 after a seek where frames are small (32 kbit/s), even between one read and
  the next; six times too long without a Xing header (VBR), cut short by a Xing header that counts too
  little; messages on the process's stderr.
- Vorbis: of a hundred seeks three to forty, by the file, land 64 to 900 samples from where they should.
- Opus: up to 4e-3 off after a seek, and files that other decoders play are "malformed".

FFmpeg's decoders have none of this and take the same time or less.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import soundfile

from tagkit.audio.decoder import FloatArray, mono
from tagkit.errors import AudioError

# How the files begin that libsndfile is asked for.
MAGIC = (b"fLaC", b"RIFF", b"RF64", b"riff", b"FORM", b"caff", b".snd")


class SndfileDecoder:
    """An open file; see ``decoder.Decoder``.

    Raises AudioError, OSError or soundfile's own where FFmpeg is to be asked instead.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with contextlib.ExitStack() as opened:
            # By descriptor, so that libsndfile goes by what is in the file, not by its name.
            descriptor = opened.enter_context(path.open("rb", buffering=0)).fileno()
            if not os.pread(descriptor, 4, 0).startswith(MAGIC):
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
        self._file.seek(start)
        samples = self._file.read(stop - start, dtype="float32", always_2d=True)
        if len(samples) < stop - start:
            raise AudioError("ends before its header says", path=self._path)
        return mono(samples)

    def close(self) -> None:
        self._opened.close()
