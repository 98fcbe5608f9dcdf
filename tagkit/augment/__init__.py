"""Changes to training material that leave its tags true: mixing, effects on audio, masks on images.

A recipe's ``[augment]`` table is :class:`Settings` (no torch is loaded for it). What does the work::

    audio.audio_chain(settings, sample_rate)   (batch, samples) float32, random -> the same shape
    image.image_chain(settings)                (batch, mels, frames) dB, random -> the same shape
    mixing.mixup(inputs, targets, ...)         both, mixed within the batch

``random`` is a :class:`numpy.random.Generator`, the only source of chance: equal generators, equal
results. What is given is never changed in place.
"""

from tagkit.augment.settings import Settings

__all__ = ["Settings"]
