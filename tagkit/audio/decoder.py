"""What an open audio file is, whichever library decodes it."""

from __future__ import annotations

from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float32]

# Channels from which adding up a row is faster than adding columns, each of which reads all the memory.
MANY = 16

# Louder than any recording, even one whose floats are 16-bit integers: only a broken file has it,
# and squared in a spectrum it would overflow.
LOUDEST = 65536.0

# The most samples a second that anyone records: DSD1024, as FFmpeg decodes it. What claims more would be
# gigabytes in a second of sound.
FASTEST = 6_144_000


class Decoder(Protocol):
    """An open audio file, at its own sample rate.

    ``frames`` is what decoding everything gives, which is not always what a header promises.
    """

    rate: int
    channels: int
    frames: int

    def span(self, start: int, stop: int) -> FloatArray:
        """Return the mono samples ``start`` to ``stop``, the same as a slice of the whole.

        Raises AudioError.
        """

    def close(self) -> None: ...


def mono(samples: FloatArray) -> FloatArray:
    """Return the mean of the channels of (frames, channels).

    What is no number, or beyond every loudness, becomes silence.
    """
    channels = samples.shape[1]
    if channels == 1:
        out = samples[:, 0].copy()
    elif channels >= MANY and samples.flags.c_contiguous:
        out = samples.sum(axis=1)
        out *= np.float32(1 / channels)
    else:
        out = samples[:, 0] + samples[:, 1]  # column by column: 15 times as fast as mean(axis=1)
        for channel in range(2, channels):
            out += samples[:, channel]
        out *= np.float32(1 / channels)
    if len(out) and not max(out.max(), -out.min()) <= LOUDEST:
        out[~(np.abs(out) <= LOUDEST)] = 0
    return out
