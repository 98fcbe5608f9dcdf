"""How an instrument plays a piece: its melody, chords, arpeggios or bass, within its range.

Roles: ``line`` melody, one note at a time; ``slow`` long tones; ``keys`` the piano part, or broken and block
chords; ``pad`` held chords; ``strum`` rhythmic chords; ``power`` fifths; ``pluck`` arpeggios; ``bass``; and
the drum channel's of ``drums.py``. All times in beats from the piece's start.
"""

from __future__ import annotations

from random import Random

import drums
from general_midi import Voice
from score import Chord, Note, Piece

STRUMS = ("x...x...", "x.x.xxxx", "x..x..x.", "..x...x.", "x.xx.xx.", "xxxxxxxx", "x..xx.x.")
BASSES = (
    "x.......",
    "x...x...",
    "x.x.x.x.",
    "xxxxxxxx",
    "x..x..x.",
    "..x...x.",
    "x..xx..x",
    "x.....xx",
)


def play(piece: Piece, voice: Voice, role: str, random: Random) -> list[Note]:
    """Return the part that ``voice`` plays in ``role``, with a touch of its own."""
    bars = int(piece.length // piece.beats_a_bar)
    if voice.is_drums:
        return human(drums.play(role, random, bars, piece.beats_a_bar), random, hold=1.0)
    notes = ROLES[role](piece, voice, random)
    held = role in ("pad", "slow")
    return human(notes, random, hold=1.0 if held else random.choice((0.45, 0.7, 0.9, 1.0, 1.08)))


def human(notes: list[Note], random: Random, hold: float) -> list[Note]:
    """Return the notes a little uneven, as loud as one player plays, each held ``hold`` of its length."""
    loud = random.uniform(0.6, 1.1)
    loose = random.choice((0.0, 0.01, 0.02))
    return [
        Note(
            max(0.0, note.start + random.gauss(0, loose)),
            max(0.05, note.length * hold),
            note.pitch,
            min(127, max(20, round(note.velocity * loud + random.gauss(0, 5)))),
        )
        for note in notes
    ]


def into(pitch: int, low: int, high: int) -> int:
    """Return the pitch moved by octaves into ``low`` … ``high``."""
    while pitch < low:
        pitch += 12
    while pitch > high:
        pitch -= 12
    return max(pitch, low)


def line(piece: Piece, voice: Voice, random: Random) -> list[Note]:
    """The melody, in a register of the voice's own, one note at a time."""
    notes = sorted(piece.melody)
    if not notes:
        return slow(piece, voice, random)
    middle = sum(note.pitch for note in notes) / len(notes)
    span = voice.high - voice.low
    wanted = voice.low + span * random.uniform(0.35, 0.7)
    shift = 12 * round((wanted - middle) / 12)
    found: list[Note] = []
    for note in notes:
        if found and note.start - found[-1].start < 0.05:
            continue
        if found and found[-1].start + found[-1].length > note.start:
            found[-1] = found[-1]._replace(length=note.start - found[-1].start)
        found.append(note._replace(pitch=into(note.pitch + shift, voice.low, voice.high)))
    return found


def slow(piece: Piece, voice: Voice, random: Random) -> list[Note]:
    """One long tone a chord, the nearest to the last."""
    at = voice.low + round((voice.high - voice.low) * random.uniform(0.35, 0.7))
    notes = []
    for chord in piece.chords:
        options = _tones(chord, voice.low, voice.high)
        at = min(options, key=lambda pitch: (abs(pitch - at) + random.uniform(0, 4), pitch))
        notes.append(Note(chord.start, chord.length, at, random.randint(65, 100)))
    return notes


def keys(piece: Piece, voice: Voice, random: Random) -> list[Note]:
    """The written piano part where there is one, else a left hand and a right hand over the chords."""
    if piece.piano:
        return [n._replace(pitch=into(n.pitch, voice.low, voice.high)) for n in piece.piano]
    right = random.choice((strum, pluck, pad))(piece, voice, random)
    return right + bass(piece, voice._replace(high=voice.low + 20), random)


def pad(piece: Piece, voice: Voice, random: Random) -> list[Note]:
    """Held chords of three to five tones."""
    notes = []
    base = _base(voice, random)
    for chord in piece.chords:
        tones = _tones(chord, base, voice.high)[: random.randint(3, 5)]
        notes += [Note(chord.start, chord.length, pitch, random.randint(60, 90)) for pitch in tones]
    return notes


def strum(piece: Piece, voice: Voice, random: Random) -> list[Note]:
    """Chords in a rhythm of eighths, each rolled a little."""
    pattern, base = random.choice(STRUMS), _base(voice, random)
    spread = random.choice((0.0, 0.02, 0.04))
    notes = []
    for chord, start, length in _steps(piece, pattern):
        tones = _tones(chord, base, voice.high)[: random.randint(3, 5)]
        loud = random.randint(65, 100)
        notes += [Note(start + i * spread, length, p, loud) for i, p in enumerate(tones)]
    return notes


def power(piece: Piece, voice: Voice, random: Random) -> list[Note]:
    """Root, fifth and octave, as rock guitars play them."""
    pattern = random.choice(STRUMS)
    notes = []
    for chord, start, length in _steps(piece, pattern):
        root = into(chord.root, voice.low, voice.low + 12)
        tones = (root, root + 7, root + 12)
        notes += [Note(start, length, pitch, random.randint(80, 110)) for pitch in tones]
    return notes


def pluck(piece: Piece, voice: Voice, random: Random) -> list[Note]:
    """Arpeggios: up, down, up and down, or as they come."""
    step, base = random.choice((0.25, 0.5, 0.5, 1 / 3)), _base(voice, random)
    order, reach = random.choice(("up", "down", "both", "any")), random.randint(4, 7)
    notes = []
    for chord in piece.chords:
        tones = _tones(chord, base, voice.high)[:reach]
        wave = {"up": tones, "down": tones[::-1], "both": tones + tones[-2:0:-1]}
        for index in range(round(chord.length / step)):
            pitch = (
                random.choice(tones) if order == "any" else wave[order][index % len(wave[order])]
            )
            ring = step * random.choice((1, 1, 2, 4))
            notes.append(Note(chord.start + index * step, ring, pitch, random.randint(60, 100)))
    return notes


def bass(piece: Piece, voice: Voice, random: Random) -> list[Note]:
    """Roots in a rhythm, with octaves and fifths now and then, or walking in beats."""
    walking = random.random() < 0.2
    pattern = "x.x.x.x." if walking else random.choice(BASSES)
    busy = random.choice((0.05, 0.2, 0.4))
    notes = []
    for chord, start, length in _steps(piece, pattern):
        root = into(chord.root, voice.low, voice.low + 12)
        first = abs(start - chord.start) < 1e-6
        pitch = root
        if not first and (walking or random.random() < busy):
            pitch = random.choice((*_tones(chord, root, root + 12), root + 12))
        pitch = into(pitch, voice.low, voice.high)
        notes.append(Note(start, length, pitch, random.randint(75, 105)))
    return notes


ROLES = {
    "line": line,
    "slow": slow,
    "keys": keys,
    "pad": pad,
    "strum": strum,
    "power": power,
    "pluck": pluck,
    "bass": bass,
}


def _base(voice: Voice, random: Random) -> int:
    """Return where a chord's lowest tone may lie: at least an octave and a half below the top."""
    return round(random.uniform(voice.low, max(voice.low, min(voice.high - 19, 64))))


def _tones(chord: Chord, low: int, high: int) -> list[int]:
    found = [pitch for pitch in range(low, high + 1) if pitch % 12 in chord.classes]
    return found or [into(chord.root, low, high)]


def _steps(piece: Piece, pattern: str) -> list[tuple[Chord, float, float]]:
    """Return (chord, start, length) of each hit of a pattern of eighths that begins with every chord."""
    steps = []
    for chord in piece.chords:
        eighths = round(chord.length * 2)
        hits = [i for i in range(eighths) if pattern[i % len(pattern)] == "x"] or [0]
        for hit, after in zip(hits, [*hits[1:], eighths], strict=True):
            steps.append((chord, chord.start + hit / 2, max(0.25, (after - hit) / 2)))
    return steps
