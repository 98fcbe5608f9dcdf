"""POP909's songs as pieces: melody, piano, and the chords that the piano says. Split by song."""

from __future__ import annotations

import functools
import hashlib
from collections import defaultdict
from pathlib import Path

import midi
from score import Chord, Note, Piece

BEATS_A_BAR = 4


def split_of(name: str) -> str:
    """One song in six is kept for the test mixes, one in twelve chooses the best weights."""
    number = int(hashlib.sha256(name.encode()).hexdigest(), 16) % 12
    return {0: "test", 1: "test", 2: "validation"}.get(number, "train")


def names(shared: Path) -> dict[str, list[str]]:
    """Return the songs' names by split."""
    found: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    for path in sorted((shared / "midi" / "pop909").glob("*.mid")):
        found[split_of(path.stem)].append(path.stem)
    return found


@functools.lru_cache(maxsize=64)
def read(shared: Path, name: str) -> Piece:
    """Return a song; its sixteenths lie on the beat and its bars begin where the piano is heaviest."""
    bpm, tracks = midi.read(shared / "midi" / "pop909" / f"{name}.mid")
    melody, bridge, piano = (tracks.get(part, []) for part in ("MELODY", "BRIDGE", "PIANO"))
    offset = _downbeat(piano)
    # The bridge answers the melody: it fills the rests of the voice.
    lead = sorted(melody + [n for n in bridge if not _sounding(melody, n.start)])
    moved = [_moved(notes, offset) for notes in (lead, piano)]
    last = max((note.start + note.length for notes in moved for note in notes), default=0.0)
    bars = int(last // BEATS_A_BAR)
    chords = _chords(moved[1], bars)
    length = float(bars * BEATS_A_BAR)
    return Piece(name, split_of(name), bpm, BEATS_A_BAR, length, moved[0], chords, moved[1])


def _sounding(notes: list[Note], beat: float) -> bool:
    return any(n.start - 1 <= beat < n.start + n.length + 1 for n in notes)


def _moved(notes: list[Note], offset: float) -> list[Note]:
    return [n._replace(start=n.start - offset) for n in notes if n.start >= offset - 0.01]


def _downbeat(piano: list[Note]) -> float:
    """Return the beat at which a bar begins: of 128 places in a bar the one with most low, long notes."""
    places: dict[int, float] = defaultdict(float)
    for note in piano:
        place = round(note.start * 32) % (BEATS_A_BAR * 32)
        places[place] += min(note.length, 4.0) * max(0, 72 - note.pitch)
    return max(places, key=lambda place: places[place], default=0) / 32


def _chords(piano: list[Note], bars: int) -> list[Chord]:
    """Return two chords a bar: the three loudest pitch classes of the half bar, the lowest as the root."""
    half = BEATS_A_BAR / 2
    groups: dict[int, list[Note]] = {}
    for note in piano:
        groups.setdefault(int((note.start + 0.05) // half), []).append(note)
    chords: list[Chord] = []
    for index in range(int(bars * BEATS_A_BAR / half)):
        heard = groups.get(index)
        if not heard and not chords:
            continue
        classes = _classes(heard) if heard else chords[-1].classes
        chords.append(Chord(index * half, half, classes[0], classes))
    return chords


def _classes(notes: list[Note]) -> tuple[int, ...]:
    weights: dict[int, float] = defaultdict(float)
    for note in notes:
        weights[note.pitch % 12] += min(note.length, 2.0)
    root = min(notes, key=lambda note: note.pitch).pitch % 12
    others = [tone for tone in sorted(weights, key=lambda t: -weights[t])[:3] if tone != root]
    return (root, *others[:2]) if others else (root, (root + 7) % 12)
