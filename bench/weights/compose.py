"""Our own random music: chord progressions and melodies in many keys, metres and tempi.

A piece is a function of its number. Drums are in ``drums.py``; how an instrument plays a piece is in
``parts.py``.
"""

from __future__ import annotations

from random import Random

from score import Chord, Note, Piece

MODES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "phrygian dominant": (0, 1, 4, 5, 7, 8, 10),
}
MODE_WEIGHTS = (8, 6, 3, 3, 2, 1)
#: Degrees of the scale; each is a phrase of four bars or chords, repeated with small changes.
PROGRESSIONS = "0 3 4 0|0 5 3 4|5 3 0 4|0 4 5 3|1 4 0 0|0 3 1 4|0 6 5 4|0 2 3 4|3 4 2 5|0 0 3 4|0 5 1 4|5 4 3 4|0 6 3 0"
#: Rhythms of a bar of four beats; a bar of three keeps what fits.
RHYTHMS = (
    (1, 1, 1, 1),
    (2, 1, 1),
    (1.5, 0.5, 1, 1),
    (0.5,) * 8,
    (0.5, 0.5, 1, 0.5, 0.5, 1),
    (0.75, 0.25, 0.5, 0.5, 1, 1),
    (1.5, 1.5, 1),
    (3, 1),
    (2, 2),
    (0.25, 0.25, 0.5, 1, 0.5, 0.5, 1),
    (2 / 3, 1 / 3) * 4,
    (0.25,) * 8 + (0.5,) * 4,
)


def compose(number: int, split: str, bars: int = 40) -> Piece:
    """Return piece ``number``: the same for the same number, in any of 12 keys and 6 modes."""
    random = Random(f"piece {number}")
    mode = random.choices(list(MODES.values()), MODE_WEIGHTS)[0]
    key = random.randrange(12)
    metre = random.choices((4, 3), (4, 1))[0]
    chords = progression(random, key, mode, metre, bars)
    melody = tune(random, key, mode, chords, metre)
    bpm = random.triangular(55, 175, 105)
    return Piece(f"own-{number}", split, bpm, metre, float(bars * metre), melody, chords)


def progression(
    random: Random, key: int, mode: tuple[int, ...], metre: int, bars: int
) -> list[Chord]:
    """Return one chord a bar (sometimes two), with sevenths in some pieces."""
    phrases = [[int(d) for d in p.split()] for p in PROGRESSIONS.split("|")]
    verse, chorus = random.sample(phrases, 2)
    tones = random.choice((3, 3, 3, 4))
    halves = metre == 4 and random.random() < 0.25
    step = metre / 2 if halves else float(metre)
    chords = []
    for index in range(int(bars * metre / step)):
        phrase = verse if index // 8 % 2 == 0 else chorus
        degree = phrase[index % 4] if random.random() > 0.08 else random.randrange(7)
        classes = tuple((key + mode[(degree + 2 * k) % 7]) % 12 for k in range(tones))
        chords.append(Chord(index * step, step, classes[0], classes))
    return chords


def tune(
    random: Random, key: int, mode: tuple[int, ...], chords: list[Chord], metre: int
) -> list[Note]:
    """Return a melody: few rhythms, steps and small leaps, a chord's tone where a chord begins."""
    rhythms = random.sample(RHYTHMS, 3)
    scale = [octave * 12 + key + tone for octave in range(3, 8) for tone in mode]
    at = len(scale) // 2
    notes: list[Note] = []
    bars = int(chords[-1].start + chords[-1].length) // metre
    for bar in range(bars):
        start = 0.0
        for length in rhythms[(0, 0, 1, 0, 0, 1, 1, 2)[bar % 8]]:
            if start + length > metre + 1e-6:
                break
            at += random.choices((-4, -2, -1, 0, 1, 2, 4), (1, 3, 7, 3, 7, 3, 1))[0]
            at = min(max(at, 8), len(scale) - 9)
            if start == 0:
                at = _nearest(scale, at, _chord_at(chords, float(bar * metre)).classes)
            if random.random() > 0.05:
                velocity = random.randint(70, 95) + (15 if start == 0 else 0)
                notes.append(Note(bar * metre + start, length, scale[at], velocity))
            start += length
    return notes


def _chord_at(chords: list[Chord], beat: float) -> Chord:
    return max((c for c in chords if c.start <= beat), key=lambda c: c.start, default=chords[0])


def _nearest(scale: list[int], at: int, classes: tuple[int, ...]) -> int:
    fitting = [index for index, pitch in enumerate(scale) if pitch % 12 in classes]
    return min(fitting, key=lambda index: abs(index - at))
