"""Sounds that are no music, made from chance: noises, hum, wind, rain, bird and whale calls.

Each maker takes a generator and a number of samples, and returns mono float32 at 16 kHz, at full
scale or below; how loud it is in the end is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import numpy.typing as npt

RATE = 16000

Samples = npt.NDArray[np.float32]
Array = npt.NDArray[np.float64]
Maker = Callable[[np.random.Generator, int], Array]


def full_scale(samples: Array) -> Array:
    """Return the samples with their peak at 1."""
    turned: Array = samples / np.abs(samples).max()
    return turned


def coloured(random: np.random.Generator, length: int, slope: float) -> Array:
    """Return noise whose power falls by ``slope`` × 3 dB an octave: 0 white, 1 pink, 2 brown."""
    spectrum = np.fft.rfft(random.standard_normal(length))
    frequency = np.fft.rfftfreq(length, 1 / RATE)
    spectrum *= np.maximum(frequency, 20.0) ** (-slope / 2)
    noise = np.fft.irfft(spectrum, length)
    return full_scale(noise)


def band(random: np.random.Generator, length: int, low: float, high: float) -> Array:
    """Return noise between two frequencies in Hz, with edges an octave wide."""
    spectrum = np.fft.rfft(random.standard_normal(length))
    octaves = np.log2(np.maximum(np.fft.rfftfreq(length, 1 / RATE), 1.0))
    spectrum /= 1 + np.exp(6 * (np.log2(low) - octaves)) + np.exp(6 * (octaves - np.log2(high)))
    noise = np.fft.irfft(spectrum, length)
    return full_scale(noise)


def slow(random: np.random.Generator, length: int, seconds: float) -> Array:
    """Return a curve in 0 … 1 that wanders within about ``seconds``."""
    count = max(4, int(length / RATE / seconds) + 2)
    return np.interp(np.linspace(0, count - 1, length), np.arange(count), random.random(count))


def hum(random: np.random.Generator, length: int) -> Array:
    """Mains at 50 or 60 Hz with harmonics, in a little noise."""
    base = random.choice([50.0, 60.0])
    time = np.arange(length) / RATE
    harmonics = np.arange(1, random.integers(4, 40))
    out = 0.02 * coloured(random, length, 1)
    for number in harmonics:
        strength = random.random() / number
        out += strength * np.sin(2 * np.pi * (base * number * time + random.random()))
    return full_scale(out)


def crackle(random: np.random.Generator, length: int) -> Array:
    """The surface of an old record: many small clicks, and hiss."""
    out = 0.03 * coloured(random, length, 1)
    places = random.integers(0, length, int(length / RATE * random.uniform(5, 80)))
    np.add.at(out, places, random.laplace(0, 0.3, len(places)))
    return np.clip(out, -1, 1)


def clicks(random: np.random.Generator, length: int) -> Array:
    """Knocks: short bursts of noise at irregular times, as of steps, keys, doors."""
    out = 0.003 * random.standard_normal(length)
    at = 0.0
    while (at := at + random.gamma(2, 0.4)) < length / RATE - 0.3:
        size = int(RATE * 0.3)
        burst = band(random, size, *np.sort(random.uniform(100, 6000, 2)) * (0.7, 1.4))
        burst *= np.exp(-np.arange(size) / (RATE * random.uniform(0.003, 0.05)))
        start = int(at * RATE)
        out[start : start + size] += random.uniform(0.1, 1) * burst
    return np.clip(out, -1, 1)


def wind(random: np.random.Generator, length: int) -> Array:
    """Gusts: bands of noise that swell and fall, each at its own pace."""
    edges = np.geomspace(60, 3000, 6)
    out = np.zeros(length)
    for low, high in pairwise(edges):
        out += band(random, length, low, high) * slow(random, length, 3) ** 2 * (200 / low) ** 0.5
    return full_scale(out)


def rain(random: np.random.Generator, length: int) -> Array:
    """A hiss, and drops."""
    out = 0.2 * band(random, length, 800, 7000) * (0.5 + 0.5 * slow(random, length, 5))
    drop = np.exp(-np.arange(160) / 25)
    for at in random.integers(0, length - 160, int(length / RATE * random.uniform(10, 150))):
        out[at : at + 160] += random.exponential(0.15) * drop * random.standard_normal(160)
    return np.clip(out, -1, 1)


def silence(random: np.random.Generator, length: int) -> Array:  # noqa: ARG001 (a maker)
    """Digital silence."""
    return np.zeros(length)


def dither(random: np.random.Generator, length: int) -> Array:
    """What is left when nothing plays: noise of one step of 16 bits."""
    return (random.random(length) - random.random(length)) / 32768


def birds(random: np.random.Generator, length: int) -> Array:
    """Whistles: phrases of quick glides around a few kHz, repeated with pauses, with an echo."""
    out = np.zeros(length)
    at = random.uniform(0, 1)
    while at < length / RATE - 3:
        notes = [
            glide(random, random.uniform(0.04, 0.35), random.uniform(1800, 6500), 1.5, 1)
            for _ in range(random.integers(1, 7))
        ]
        for note in notes * random.integers(1, 4):
            start = int(at * RATE)
            out[start : start + len(note)] += note[: length - start] * random.uniform(0.3, 1)
            at += len(note) / RATE + random.uniform(0.02, 0.2)
            if at > length / RATE - 1:
                break
        at += random.gamma(2, 0.8)
    return _outdoors(random, out, random.uniform(0.05, 0.3))


def whales(random: np.random.Generator, length: int) -> Array:
    """Long calls: slow glides with overtones, far apart, with a long echo, in deep water."""
    out = np.zeros(length)
    at = random.uniform(0, 2)
    while at < length / RATE - 6:
        call = glide(random, random.uniform(0.6, 4), random.uniform(90, 1300), 2.5, 5)
        start = int(at * RATE)
        out[start : start + len(call)] += call[: length - start] * random.uniform(0.3, 1)
        at += len(call) / RATE + random.gamma(2, 0.8)
    return _outdoors(random, out, random.uniform(0.3, 1.0))


def glide(
    random: np.random.Generator, seconds: float, pitch: float, ratio: float, overtones: int
) -> Array:
    """Return one call: a tone whose pitch bends and trembles, within ``ratio`` of ``pitch`` in Hz."""
    length = int(seconds * RATE)
    bend = np.interp(np.linspace(0, 3, length), np.arange(4), random.uniform(-1, 1, 4))
    trill = (
        0.1 * random.random() * np.sin(2 * np.pi * random.uniform(4, 40) * np.arange(length) / RATE)
    )
    frequency = np.clip(pitch * ratio ** ((bend + trill) / 2), 40, 7500)
    phase = 2 * np.pi * np.cumsum(frequency) / RATE
    tone = np.sin(phase)
    for number in range(2, overtones + 1):
        tone += random.random() / number * np.sin(number * phase)
    envelope = np.sin(np.linspace(0, np.pi, length)) ** random.uniform(0.3, 2)
    return full_scale(tone) * envelope


def _outdoors(random: np.random.Generator, calls: Array, delay: float) -> Array:
    """Add echoes and a bed of noise."""
    out = calls.copy()
    for number in range(1, 5):
        shift = int(delay * number * RATE * random.uniform(0.8, 1.2))
        out[shift:] += 0.45**number * calls[:-shift]
    out += random.uniform(0.002, 0.05) * coloured(random, len(out), random.uniform(0.5, 2))
    return full_scale(out)


MAKERS: dict[str, Maker] = {
    "white": lambda random, length: coloured(random, length, 0),
    "pink": lambda random, length: coloured(random, length, 1),
    "brown": lambda random, length: coloured(random, length, 2),
    "hum": hum,
    "crackle": crackle,
    "clicks": clicks,
    "wind": wind,
    "rain": rain,
    "silence": silence,
    "dither": dither,
    "birds": birds,
    "whales": whales,
}
