"""Twenty instruments made of arithmetic: each a way to make one note, so that what plays is known.

:data:`INSTRUMENTS` is the table. A note is synthesised once per instrument and pitch and then only
added, so that a piece costs its additions. Pitches are MIDI numbers (69 is A4, 440 Hz); everything is
mono float32 at :data:`RATE`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RATE = 16000
LONGEST = 1.6  # seconds of a note; what is held longer is struck again
Sound = NDArray[np.float32]


class Instrument(NamedTuple):
    """``note(pitch)``: the sound of one; ``low``, ``high``: its register; ``pace``: notes a beat."""

    name: str
    note: Callable[[int], Sound]
    low: int
    high: int
    pace: float = 1.0
    chord: int = 1  # notes struck together


_T = np.arange(int(LONGEST * RATE), dtype=np.float32) / RATE


def _hz(pitch: float) -> float:
    return float(440.0 * 2.0 ** ((pitch - 69) / 12))


def _noise(seed: int, count: int = _T.size) -> Sound:
    return np.random.default_rng(seed).standard_normal(count).astype(np.float32)


def _envelope(attack: float, decay: float = 0.0, release: float = 0.1) -> Sound:
    """Rises for ``attack`` seconds, falls with the time constant ``decay`` (0: holds), ends softly."""
    held = np.exp(-_T / decay) if decay else np.ones_like(_T)
    edge = np.clip((LONGEST - _T) / release, 0, 1)
    return np.asarray(np.clip(_T / attack, 0, 1) * held * edge, dtype=np.float32)


def _vibrato(rate: float, depth: float) -> Sound:
    """A phase to add, in cycles of the fundamental at 1 Hz: multiply by the frequency."""
    return np.asarray(depth / (2 * np.pi * rate) * np.sin(2 * np.pi * rate * _T), dtype=np.float32)


def _partials(
    pitch: float,
    levels: Callable[[NDArray[np.int64], NDArray[np.float64]], NDArray[np.float64]],
    *,
    stretch: float = 0.0,
    wobble: Sound | float = 0.0,
    brightness: Sound | None = None,
) -> Sound:
    """Harmonics up to 7.6 kHz; ``levels(numbers, frequencies)`` says how loud each is.

    ``stretch`` makes them inharmonic as stiff strings are; with ``brightness`` (0..1 over time) the high
    ones come later and go sooner, as in brass.
    """
    base = _hz(pitch)
    numbers = np.arange(1, 25)
    frequencies = base * numbers * np.sqrt(1 + stretch * numbers**2)
    loud = levels(numbers, frequencies) * (frequencies < 7600)
    total = np.zeros_like(_T)
    for number, frequency, level in zip(numbers, frequencies, loud, strict=True):
        if level < 5e-3:
            continue
        wave = level * np.sin(2 * np.pi * frequency * (_T + wobble) + 0.7 * number * number)
        total += wave if brightness is None else wave * brightness ** (0.35 * number)
    return total


def _bumps(*peaks: tuple[float, float, float]) -> Callable[..., NDArray[np.float64]]:
    """Resonances ``(Hz, width in Hz, level)`` over a 1/n slope: a body, or a mouth."""

    def levels(numbers: NDArray[np.int64], frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
        shape = sum(
            level * np.exp(-(((frequencies - at) / width) ** 2)) for at, width, level in peaks
        )
        return np.asarray((0.02 + shape) / numbers**0.5)

    return levels


def _plucked(pitch: int, damping: float, smoothed: int) -> Sound:
    """Karplus and Strong 1983: a period of noise that is smoothed each time it goes round."""
    period = round(RATE / _hz(pitch))
    string = _noise(pitch, period)
    string -= string.mean()
    for _ in range(smoothed):
        string = (string + np.roll(string, 1)) / 2
    turns = -(-_T.size // period)
    out = np.empty((turns, period), dtype=np.float32)
    for turn in range(turns):
        out[turn] = string
        string = damping * (string + np.roll(string, 1)) / 2
    return np.asarray(out.reshape(-1)[: _T.size] * _envelope(0.002), dtype=np.float32)


def _guitar(pitch: int) -> Sound:
    return _plucked(pitch, 0.997, 3)


def _harp(pitch: int) -> Sound:
    return _plucked(pitch, 0.985, 1) * _envelope(0.001, 0.35)


def _bass(pitch: int) -> Sound:
    return _partials(pitch, lambda n, _f: 1.0 / n**2.2) * _envelope(0.01, 0.6)


def _piano(pitch: int) -> Sound:
    struck = _partials(pitch, lambda n, _f: np.abs(np.sin(np.pi * n / 8)) / n**1.1, stretch=4e-4)
    hammer = 0.15 * _noise(pitch) * _envelope(0.001, 0.012)
    return struck * _envelope(0.003, 0.45) + hammer


def _violin(pitch: int) -> Sound:
    body = _bumps((480, 150, 0.8), (1100, 300, 0.7), (3000, 700, 0.5))
    return _partials(pitch, body, wobble=_vibrato(5.6, 0.012)) * _envelope(0.09)


def _cello(pitch: int) -> Sound:
    body = _bumps((220, 90, 1.0), (600, 200, 0.6), (1500, 400, 0.25))
    return _partials(pitch, body, wobble=_vibrato(4.8, 0.009)) * _envelope(0.12)


def _strings(pitch: int) -> Sound:
    players = [
        _partials(pitch + cents, lambda n, _f: 1.0 / n**1.6, wobble=_vibrato(4.0 + cents, 0.004))
        for cents in (-0.12, 0.0, 0.11)
    ]
    return np.asarray(sum(players) * _envelope(0.35, release=0.4), dtype=np.float32)


def _flute(pitch: int) -> Sound:
    tone = _partials(pitch, lambda n, _f: (1.0, 0.12, 0.05)[0] * 0.12 ** (n - 1.0))
    breath = np.diff(_noise(pitch), prepend=0).astype(np.float32) * 0.15
    return (tone * (1 + 0.25 * np.sin(2 * np.pi * 5 * _T)) + breath) * _envelope(0.07)


def _clarinet(pitch: int) -> Sound:
    return _partials(pitch, lambda n, _f: (n % 2 + 0.03) / n**0.9) * _envelope(0.04)


def _oboe(pitch: int) -> Sound:
    reed = _bumps((1250, 250, 3.0))
    return _partials(pitch, reed, wobble=_vibrato(6.2, 0.005)) * _envelope(0.03)


def _saxophone(pitch: int) -> Sound:
    reed = _partials(pitch, _bumps((700, 250, 2.5)))
    growl = 1 + 0.5 * np.sin(2 * np.pi * 27 * _T)
    return (reed * growl + 0.05 * _noise(pitch)) * _envelope(0.05)


def _trumpet(pitch: int) -> Sound:
    opening = np.clip(_T / 0.12, 0.05, 1) * (0.75 + 0.25 * np.exp(-_T / 0.3))
    return _partials(pitch, _bumps((1600, 500, 2.0)), brightness=opening) * _envelope(0.02)


def _organ(pitch: int) -> Sound:
    drawbars = (1, 2, 3, 4, 6, 8)
    return _partials(pitch, lambda n, _f: np.isin(n, drawbars) / n**0.5) * _envelope(0.01)


def _voice(pitch: int) -> Sound:
    mouth = ((730, 110, 2.0), (1090, 130, 1.6), (2440, 180, 1.0))  # "ah" (Peterson, Barney 1952)
    if pitch % 2:
        mouth = ((300, 90, 2.0), (870, 120, 1.2), (2240, 180, 0.8))  # "oo"
    return _partials(pitch, _bumps(*mouth), wobble=_vibrato(5.2, 0.02)) * _envelope(0.1)


def _synthesizer(pitch: int) -> Sound:
    sweep = 0.15 + 0.85 * np.abs(np.sin(2 * np.pi * 1.5 * _T))
    low, high = (
        _partials(pitch + cents, lambda n, _f: 1.0 / n**1.1, brightness=sweep)
        for cents in (-0.1, 0.1)
    )
    return (low + high) * _envelope(0.005)


def _electric_piano(pitch: int) -> Sound:
    bar = _hz(pitch)
    index = 1.6 * np.exp(-_T / 0.25)
    tone = np.sin(2 * np.pi * bar * _T + index * np.sin(2 * np.pi * 14 * bar % 7900 * _T))
    return np.asarray(tone * (1 + 0.6 * np.sin(2 * np.pi * 6.5 * _T)) * _envelope(0.004, 0.7))


def _bell(pitch: int) -> Sound:
    bar = _hz(pitch)
    index = 1.2 * np.exp(-_T / 0.5)
    wave = np.sin(2 * np.pi * bar * _T + index * np.sin(2 * np.pi * 1.4 * bar * _T))
    return np.asarray(wave * _envelope(0.001, 0.7), dtype=np.float32)


def _electric_guitar(pitch: int) -> Sound:
    fifth = _plucked(pitch, 0.9995, 4) + _plucked(pitch + 7, 0.9995, 4)
    loud = np.tanh(14 * fifth)
    cabinet = np.convolve(loud, np.hanning(13) / 6, "same")  # a loudspeaker ends at about 2.5 kHz
    return np.asarray(cabinet * _envelope(0.004, 1.2), dtype=np.float32)


def _drums(pitch: int) -> Sound:
    kick = np.sin(2 * np.pi * (48 * _T - 6 * np.exp(-_T / 0.03))) * _envelope(0.001, 0.09)
    snare = _noise(pitch) * _envelope(0.001, 0.06) + np.sin(2 * np.pi * 185 * _T) * _envelope(
        0.001, 0.05
    )
    hat = np.diff(_noise(pitch + 1), 2, prepend=[0, 0]).astype(np.float32) * _envelope(0.001, 0.02)
    return (kick, snare * 0.5, hat * 0.3)[pitch % 3]


def _bongo(pitch: int) -> Sound:
    skin = np.sin(2 * np.pi * _hz(pitch) * (_T + 0.004 * np.exp(-_T / 0.02)))
    return np.asarray(
        skin * _envelope(0.001, 0.05) + 0.2 * _noise(pitch) * _envelope(0.001, 0.006),
        dtype=np.float32,
    )


#: In the order of the corpus's tags.
INSTRUMENTS = (
    Instrument("guitar", _guitar, 50, 59, 2.0),
    Instrument("piano", _piano, 66, 74, 2.0, chord=2),
    Instrument("violin", _violin, 81, 88),
    Instrument("cello", _cello, 43, 50),
    Instrument("flute", _flute, 92, 98),
    Instrument("harp", _harp, 86, 94, 4.0),
    Instrument("drums", _drums, 0, 2, 4.0),
    Instrument("synthesizer", _synthesizer, 46, 53, 2.0),
    Instrument("organ", _organ, 62, 69, 0.75, chord=3),
    Instrument("trumpet", _trumpet, 72, 79),
    Instrument("bell", _bell, 101, 108, 1.5),
    Instrument("voice", _voice, 58, 65),
    Instrument("clarinet", _clarinet, 68, 75),
    Instrument("bass", _bass, 28, 35),
    Instrument("saxophone", _saxophone, 52, 59, 1.5),
    Instrument("bongo", _bongo, 60, 65, 3.0),
    Instrument("strings", _strings, 65, 74, 0.5, chord=3),
    Instrument("oboe", _oboe, 76, 83),
    Instrument("electric piano", _electric_piano, 54, 62, 1.5, chord=2),
    Instrument("electric guitar", _electric_guitar, 38, 45, 2.0),
)


@functools.cache
def note(instrument: int, pitch: int) -> Sound:
    """Return one note of ``INSTRUMENTS[instrument]``, :data:`LONGEST` seconds; do not change it.

    All are about equally loud: the RMS of the first 0.4 s is 0.1.
    """
    sound = INSTRUMENTS[instrument].note(pitch)
    power = np.mean(np.square(sound[: int(0.4 * RATE)]))
    return np.asarray(sound * (0.1 / np.sqrt(power)), dtype=np.float32)
