"""What a model hears, as plain values: readable without loading a network library."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from tagkit.errors import WeightsError


@dataclass(frozen=True)
class FrontEnd:
    """What a model hears; equal front ends share their computation.

    ``chunk_samples``: length of the window that the model judges at once, at ``sample_rate`` Hz.
    ``f_min``, ``f_max``: Hz. ``n_mels = 0``: the samples themselves. The defaults are those of the FCN of
    minzwon/sota-music-tagging-models. Raises WeightsError for values out of range.
    """

    chunk_samples: int
    sample_rate: int = 16000
    n_fft: int = 512
    hop: int = 256
    n_mels: int = 96
    f_min: float = 0.0
    f_max: float = 8000.0
    mel: str = "htk"  # or "slaney"
    area_norm: bool = False
    window: str = "periodic"  # Hann; or "symmetric"
    padding: str = "reflect"  # at both ends, half a window; or "zeros"

    def __post_init__(self) -> None:
        choices = {
            "mel": ("htk", "slaney"),
            "window": ("periodic", "symmetric"),
            "padding": ("reflect", "zeros"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise WeightsError(
                    f"front end: {name} is {getattr(self, name)!r}, not one of {', '.join(allowed)}"
                )
        if not (
            0 < self.chunk_samples <= 1 << 24
            and 8000 <= self.sample_rate <= 192000
            and 16 <= self.n_fft <= 1 << 16
            and 0 < self.hop <= self.n_fft
            and 0 <= self.n_mels <= 1024
            and 0 <= self.f_min < self.f_max <= self.sample_rate / 2
        ):
            raise WeightsError(f"front end: values out of range: {asdict(self)}")

    @property
    def frames(self) -> int:
        """How many frames one chunk has; its samples, where there are no mels."""
        if not self.n_mels:
            return self.chunk_samples
        if self.padding == "reflect":
            return self.chunk_samples // self.hop + 1
        return math.ceil(self.chunk_samples / self.hop) + 1


#: Of MTG-Jamendo's baseline, and of the mel-spectrograms that come with that dataset. 29.1 s: 1,366 frames,
#: the width that the checkpoint was trained on.
MTG = FrontEnd(
    349200,
    sample_rate=12000,
    f_max=6000.0,
    mel="slaney",
    area_norm=True,
    window="symmetric",
    padding="zeros",
)
