"""Which library decodes a file: libsndfile where it can, FFmpeg's libraries for all else."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from tagkit.errors import AudioError

FloatArray: TypeAlias = npt.NDArray[np.float32]
Span: TypeAlias = tuple[int, int]  # first frame, frame after the last


class Decoder(Protocol):
    """An open audio file. ``frames`` is how many a decode of everything gives, not what a header claims."""

    rate: int
    channels: int
    frames: int

    def spans(self, spans: list[Span]) -> list[FloatArray]:
        """Return the mono samples of each span. Spans begin in ascending order."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def open_decoder(path: Path) -> Decoder:
    """Open ``path`` by content, whatever its name. Raises AudioError."""
    from tagkit.audio import libav, sndfile

    try:
        decoder = sndfile.open_file(path) or libav.open_file(path)
    except OSError as error:
        raise AudioError(error.strerror or str(error), path=path) from error
    if decoder.frames == 0:
        raise AudioError("holds no audio", path=path, hint="nothing to hear: remove or replace it")
    return decoder
