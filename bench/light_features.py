"""Ready features for bench/light_models.py, of made sound: what the lightweight models take."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from training_data import sound

from tagkit import features as front_ends
from tagkit import models

#: Sounds that differ; further clips are these again, at other levels.
DIFFERENT = 20


class Features(NamedTuple):
    """Float32 ``images`` (clips, 128, 592) in dB and ``samples`` (clips, 465600) in [-1, 1]."""

    images: Tensor
    samples: Tensor


@torch.inference_mode()
def features(clips: int, *, pinned: bool = False) -> Features:
    """Return so many clips of 29.1 s. ``pinned``: in memory that a GPU copies from by itself."""
    front = models.entry("light_1").front_end
    assert front is not None
    length = front.chunk_samples
    seconds = length / front.sample_rate
    different = min(clips, DIFFERENT)
    sounds = torch.stack([torch.from_numpy(sound(n, seconds))[:length] for n in range(different)])
    mel = front_ends.LogMel(front)
    samples = torch.empty(clips, length, pin_memory=pinned)
    images = torch.empty(clips, front.n_mels, front.frames, pin_memory=pinned)
    for number in range(clips):
        samples[number] = sounds[number % different] * 0.99 ** (number // different)
        images[number] = mel(samples[number : number + 1])[0]
    return Features(images, samples)
