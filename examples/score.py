"""A small notation for music: text in, notes out, and the parts and pieces they make.

Times and lengths are in beats, pitches are MIDI numbers (60 is middle C, written ``c4``).

- A melody: ``"d5:1 b4 g4:.5 r |"``. A length holds for what follows, ``r`` is a rest, and ``|``
  insists on the end of a bar.
- A chord: ``"Am7"``, ``"C7/E"``. A progression is a line of them, one a bar unless told otherwise.
- A rhythm, one sign a step: ``x`` a stroke, ``X`` an accent, ``o`` a ghost note, ``-`` holds the
  stroke before it, ``.`` is silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

CLASSES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
SHIFTS = {"": 0, "#": 1, "b": -1}
QUALITIES = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "5": (0, 7),
    "6": (0, 4, 7, 9),
    "7": (0, 4, 7, 10),
    "m7": (0, 3, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7b5": (0, 3, 6, 10),
    "9": (0, 4, 7, 10, 14),
    "m9": (0, 3, 7, 10, 14),
    "maj9": (0, 4, 7, 11, 14),
}
STROKES = {"x": 1.0, "X": 1.2, "o": 0.55}
KIT = {
    "kick": 36,
    "snare": 38,
    "clap": 39,
    "low_tom": 45,
    "tom": 47,
    "high_tom": 50,
    "hat": 42,
    "pedal": 44,
    "open": 46,
    "crash": 49,
    "ride": 51,
    "tambourine": 54,
}


class Note(NamedTuple):
    start: float
    length: float
    pitch: int
    velocity: float


@dataclass
class Part:
    """One instrument: a General MIDI ``program`` (0-based), or with ``drums`` a kit.

    ``loose`` is how far a player strays from the beat, as a standard deviation in seconds;
    ``swells`` are (beat, expression 0..127), joined by straight lines.
    """

    program: int
    notes: list[Note]
    volume: int = 95
    pan: int = 64
    drums: bool = False
    loose: float = 0.007
    reverb: int = 40
    swells: tuple[tuple[float, int], ...] = ()


@dataclass
class Piece:
    """``swing`` is where the second eighth of a beat falls; ``tempo`` in beats a minute."""

    tempo: float
    parts: list[Part]
    swing: float = 0.5
    tempo_changes: dict[float, float] = field(default_factory=dict)


def pitch(name: str) -> int:
    found = re.fullmatch(r"([a-g])([#b]?)(\d)", name)
    if not found:
        raise ValueError(f"{name!r} is no pitch")
    letter, shift, octave = found.groups()
    return 12 * (int(octave) + 1) + CLASSES[letter] + SHIFTS[shift]


def melody(
    text: str, *, start: float = 0, bar: float = 4, velocity: float = 80, transpose: int = 0
) -> list[Note]:
    notes, at, length = [], 0.0, 1.0
    for word in text.split():
        if word == "|":
            if at % bar:
                raise ValueError(f"a bar ends on beat {at:g} in {text!r}")
            continue
        name, _, stated = word.partition(":")
        length = float(stated or length)
        if name != "r":
            notes.append(Note(start + at, length * 0.96, pitch(name) + transpose, velocity))
        at += length
    return notes


def ladder(symbol: str, low: int, rungs: int = 12) -> list[int]:
    """The tones of a chord, upwards from its bass at or above ``low``, through the octaves."""
    found = re.fullmatch(r"([A-G][#b]?)([^/]*)(?:/([A-G][#b]?))?", symbol)
    if not found:
        raise ValueError(f"{symbol!r} is no chord")
    root, quality, bass = found.groups()
    tones = {(_class(root) + i) % 12 for i in QUALITIES[quality]}
    first = low + (_class(bass or root) - low) % 12
    above = [p for p in range(first + 1, first + 12 * rungs) if p % 12 in tones]
    return [first, *above][:rungs]


def voicing(symbol: str, low: int) -> list[int]:
    """The tones of a chord in close position, from ``low`` to the seventh above it."""
    return sorted({low + (p - low) % 12 for p in ladder(symbol, low, 5)})


def _class(name: str) -> int:
    return CLASSES[name[0].lower()] + SHIFTS[name[1:]]


def strokes(rhythm: str, step: float) -> Iterator[tuple[float, float, float]]:
    """Start, length and weight of every stroke of a rhythm."""
    for found in re.finditer(r"[xXo]-*", rhythm):
        weight = STROKES[found[0][0]]
        yield found.start() * step, len(found[0]) * step, weight


def bars(progression: str, start: float = 0, bar: float = 4) -> Iterator[tuple[float, str]]:
    return ((start + i * bar, symbol) for i, symbol in enumerate(progression.split()))


def chords(
    progression: str,
    rhythm: str,
    low: int,
    *,
    start: float = 0,
    bar: float = 4,
    velocity: float = 70,
    strum: float = 0,
) -> list[Note]:
    """A progression in close position, each bar in ``rhythm``; a strum rolls a chord upwards."""
    return [
        Note(at + offset + strum * i, length * 0.95 - strum * i, tone, velocity * weight)
        for at, symbol in bars(progression, start, bar)
        for offset, length, weight in strokes(rhythm, bar / len(rhythm))
        for i, tone in enumerate(voicing(symbol, low))
    ]


def arpeggio(
    progression: str,
    rungs: str,
    low: int,
    *,
    start: float = 0,
    bar: float = 4,
    velocity: float = 70,
    ring: float = 1,
) -> list[Note]:
    """Each bar climbs the chord's ladder by ``rungs`` (``.`` rests); ``ring`` is in steps."""
    words = rungs.split()
    step = bar / len(words)
    return [
        Note(at + i * step, ring * step * 0.95, ladder(symbol, low)[int(word)], velocity)
        for at, symbol in bars(progression, start, bar)
        for i, word in enumerate(words)
        if word != "."
    ]


def drums(
    count: int, start: float = 0, velocity: float = 90, step: float = 0.25, **rhythms: str
) -> list[Note]:
    """``count`` bars of one rhythm for each piece of the KIT."""
    return [
        Note(start + bar * len(rhythm) * step + at, length, KIT[name], velocity * w)
        for name, rhythm in rhythms.items()
        for bar in range(count)
        for at, length, w in strokes(rhythm, step)
    ]
