"""What is heard of a track: windows for every kind of hearing that is asked for, decoded in one go."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from tagkit import audio
from tagkit.audio.decoder import FloatArray

#: Sample rate in Hz, and samples of a window: what decides which windows are decoded.
Hearing: TypeAlias = tuple[int, int]


class Decoded(NamedTuple):
    """Mono windows (n, samples) by hearing, and the track's ``duration`` in seconds."""

    windows: dict[Hearing, FloatArray]
    duration: float


def decode(path: str | os.PathLike[str], hearings: Iterable[Hearing], most: int) -> Decoded:
    """Return at most ``most`` windows for each hearing; see :func:`tagkit.audio.read_windows`.

    Raises AudioError.
    """
    windows: dict[Hearing, FloatArray] = {}
    duration = 0.0
    for rate, length in sorted(hearings):
        windows[rate, length], duration = audio.read_windows(path, rate, length, most)
    return Decoded(windows, duration)
