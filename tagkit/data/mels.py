"""MTG-Jamendo's own mel-spectrograms: ``NN/ID.npy``, float32 (96, frames), of 12 kHz audio.

``scripts/melspectrograms.py`` of MTG/mtg-jamendo-dataset computes them with Essentia: Hann window of 512,
hop 256, power, 96 Slaney mels with area normalisation up to 6 kHz, of the whole track. That script
writes 20·log10 of the power, with silence at -200 dB (issue 51 there); the published baseline's
BatchNorm statistics (mean -22.7) show that what it was trained on was 10·log10, with silence at -100.
So both are about, and the values tell them apart: :func:`read` halves an image that goes below
-100 dB, which 10·log10 never does, and 20·log10 does wherever a band of a track is 50 dB down.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from tagkit import strangers
from tagkit.errors import DataError, RecipeError
from tagkit.front_end import MTG, FrontEnd

_MOST_FRAMES = 1 << 21
_SILENCE = -100.5  # dB: below the floor of 10·log10, with room for rounding


def require(front_end: FrontEnd) -> None:
    """Raise RecipeError unless these mel-spectrograms are what ``front_end`` would compute."""
    if replace(front_end, chunk_samples=MTG.chunk_samples) != MTG:
        raise RecipeError(
            "the official mel-spectrograms are of 12 kHz audio in 96 Slaney mels, and this model hears"
            f" {front_end.sample_rate} Hz in {front_end.n_mels} {front_end.mel} mels",
            hint="train it on the audio, or train one that hears these (mtg_vgg)",
        )


def probe(path: Path) -> int:
    """Return how many frames a file holds. Raises DataError for one that is damaged or no image."""
    return int(_open(path).shape[1])


def read(path: Path) -> NDArray[np.float32]:
    """Return 10·log10 of the power, float32 (96, frames). Raises DataError."""
    image: NDArray[np.float32] = np.array(_open(path), dtype=np.float32)
    if not np.isfinite(image).all():
        raise DataError("holds values that are no numbers", path=path)
    if image.min() < _SILENCE:
        image /= 2
    return image


def _open(path: Path) -> NDArray[Any]:
    try:
        strangers.opened(path).close()  # a pipe would be waited for
        image = open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"cannot be read: {reason}", path=path, hint="download or compute it anew"
        ) from error
    if image.dtype.kind != "f" or image.ndim != 2 or image.shape[0] != MTG.n_mels:
        found = f"{image.dtype} {image.shape}"
        raise DataError(f"holds {found}, not float32 ({MTG.n_mels}, frames)", path=path)
    if not image.shape[1]:
        raise DataError("holds no frames", path=path)
    if image.shape[1] > _MOST_FRAMES:
        raise DataError(f"holds {image.shape[1]:,} frames: half a day and more", path=path)
    return image
