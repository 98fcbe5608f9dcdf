"""Decode with FFmpeg's libraries through PyAV: AAC, ALAC, WMA, APE, WavPack, Musepack, DSD, Matroska."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np

from tagkit.audio.decoder import FloatArray, Span
from tagkit.audio.mono import mono
from tagkit.errors import AudioError

av.logging.set_level(None)


class LibavDecoder:
    """A decoded file; see ``decoder.Decoder``."""

    def __init__(self, path: Path, samples: FloatArray, rate: int, channels: int) -> None:
        self._samples = samples
        self.rate = rate
        self.channels = channels
        self.frames = len(samples)

    def spans(self, spans: list[Span]) -> list[FloatArray]:
        return [self._samples[start:stop] for start, stop in spans]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass


def open_file(path: Path) -> LibavDecoder:
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise AudioError("holds no audio stream", path=path)
            stream = container.streams.audio[0]
            resampler = None
            parts = []
            for packet in container.demux(stream):
                try:
                    frames = packet.decode()
                except av.error.FFmpegError:
                    continue
                for frame in frames:
                    if resampler is None:
                        resampler = av.AudioResampler(
                            format="fltp", layout=frame.layout, rate=frame.sample_rate
                        )
                    parts += [mono(f.to_ndarray().T) for f in resampler.resample(frame)]
            samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
            return LibavDecoder(path, samples, stream.rate, stream.channels)
    except (av.error.FFmpegError, ValueError) as error:
        raise AudioError(f"is not audio that can be decoded: {error}", path=path) from error
