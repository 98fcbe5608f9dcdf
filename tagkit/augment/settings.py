"""The ``[augment]`` table of a recipe, as plain values."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TypeAlias

from tagkit.errors import RecipeError

Range: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class Settings:
    """Everything is off until a recipe raises it. Raises RecipeError for values out of range.

    ``mixup`` is the alpha of Beta(alpha, alpha), from which each mixed chunk's share is drawn;
    ``mixup_share`` says how many of the chunks are mixed at all.

    An effect on audio is the *probability* that a chunk gets it, with a range beside it from which its
    strength is drawn. The ranges are those of the package torchaudio-augmentations, which paper 3 used,
    where it has them: gain, pitch (here in whole semitones), filters, delay, and noise, whose ratios of
    standard deviations .0001-.01 are 80-40 dB. Its reverberation is SoX's; ``reverb_seconds``, in which
    the tail falls by 60 dB, is ours. So are ``drive``, a limiter into which a chunk is driven by so many dB,
    as mastering for loudness does, and ``codec``, a lossy codec at a low bit rate (``codec.py``).

    Effects on images work on dB: ``image_gain_db`` moves a whole chunk up or down by at most this;
    ``band_mask`` sets one band of up to this many mels to the image's mean; ``time_masks`` spans of up
    to ``time_mask`` frames and ``frequency_masks`` bands of up to ``frequency_mask`` mels are
    SpecAugment's (Park et al., Interspeech 2019).
    """

    mixup: float = 0.0
    mixup_share: float = 1.0

    polarity: float = 0.0
    gain: float = 0.0
    gain_db: Range = (-20.0, -1.0)
    pitch: float = 0.0
    pitch_semitones: Range = (-7.0, 7.0)
    low_pass: float = 0.0
    low_pass_hz: Range = (2200.0, 4000.0)
    high_pass: float = 0.0
    high_pass_hz: Range = (200.0, 1200.0)
    delay: float = 0.0
    delay_ms: Range = (200.0, 500.0)
    reverb: float = 0.0
    reverb_seconds: Range = (0.1, 1.0)
    noise: float = 0.0
    noise_snr_db: Range = (40.0, 80.0)
    drive: float = 0.0
    drive_db: Range = (3.0, 12.0)
    codec: float = 0.0

    image_gain_db: float = 0.0
    band_mask: int = 0
    time_masks: int = 0
    time_mask: int = 0
    frequency_masks: int = 0
    frequency_mask: int = 0

    def __post_init__(self) -> None:
        for name in (*EFFECTS, "mixup_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise RecipeError(f"augment.{name} is a probability, not {getattr(self, name)!r}")
        for name, (lowest, highest) in LIMITS.items():
            given = getattr(self, name)
            try:
                low, high = (float(end) for end in given)
            except (TypeError, ValueError):
                low, high = 1.0, 0.0
            if not lowest <= low <= high <= highest:
                raise RecipeError(
                    f"augment.{name} is {given!r}",
                    hint=f"give two numbers, the lower first, within {lowest:g} and {highest:g}",
                )
            object.__setattr__(self, name, (low, high))  # TOML has lists only
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, tuple) and not 0 <= value <= 10_000:
                raise RecipeError(f"augment.{field.name} is out of range: {value!r}")

    @property
    def on_audio(self) -> bool:
        """Whether an effect needs the samples, so that prepared images will not do."""
        return any(getattr(self, name) for name in EFFECTS)

    def of_audio(self) -> Settings:
        """The effects on audio alone, without mixing and without those on images."""
        return Settings(**{name: getattr(self, name) for name in (*EFFECTS, *LIMITS)})


#: What an effect on audio is called; each is a probability.
EFFECTS = (
    *("polarity", "gain", "pitch", "low_pass", "high_pass", "delay", "reverb", "noise"),
    *("drive", "codec"),
)

#: What the ends of a range may be.
LIMITS: dict[str, Range] = {
    "gain_db": (-80.0, 40.0),
    "pitch_semitones": (-12.0, 12.0),
    "low_pass_hz": (20.0, 96_000.0),
    "high_pass_hz": (20.0, 96_000.0),
    "delay_ms": (1.0, 10_000.0),
    "reverb_seconds": (0.01, 10.0),
    "noise_snr_db": (-20.0, 120.0),
    "drive_db": (0.0, 40.0),
}
