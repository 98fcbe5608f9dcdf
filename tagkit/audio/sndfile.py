"""Decode with libsndfile: MP3, FLAC, Ogg Vorbis, Opus, WAV, AIFF and their kin."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import soundfile

from tagkit.audio.decoder import FloatArray, Span
from tagkit.audio.mono import mono
from tagkit.errors import AudioError

# Frames decoded and dropped before a span that was sought: lossy codecs carry state across packets.
PREROLL = 16 * 1152
BLOCK = 1 << 18


class SndfileDecoder:
    """An open file; see ``decoder.Decoder``."""

    def __init__(self, path: Path, file: soundfile.SoundFile) -> None:
        self._path = path
        self._file = file
        self.rate: int = file.samplerate
        self.channels: int = file.channels
        self.frames: int = self._count()

    def _count(self) -> int:
        """The frames that can be decoded: a header may promise more."""
        declared: int = self._file.frames
        if declared == 0 or self._last(declared):
            return declared
        good, bad = 0, declared
        while bad - good > 1:
            middle = (good + bad) // 2
            good, bad = (middle, bad) if self._last(middle) else (good, middle)
        return good

    def _last(self, frames: int) -> bool:
        try:
            self._file.seek(frames - 1)
            return len(self._file.read(1)) == 1
        except soundfile.LibsndfileError:
            return False

    def spans(self, spans: list[Span]) -> list[FloatArray]:
        return [self._span(start, stop) for start, stop in spans]

    def _span(self, start: int, stop: int) -> FloatArray:
        first = max(0, start - PREROLL)
        try:
            self._file.seek(first)
            parts = []
            for position in range(first, stop, BLOCK):
                block = self._file.read(
                    min(BLOCK, stop - position), dtype="float32", always_2d=True
                )
                parts.append(mono(block))
        except soundfile.LibsndfileError as error:
            raise AudioError(f"cannot be decoded: {error}", path=self._path) from error
        return np.concatenate(parts)[start - first :]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def open_file(path: Path) -> SndfileDecoder | None:
    """Open ``path``, or return None where libsndfile does not know its content."""
    try:
        return SndfileDecoder(path, soundfile.SoundFile(path))
    except soundfile.LibsndfileError:
        return None
