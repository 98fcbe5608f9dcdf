"""Notes, chords and pieces: what is composed or read, before anyone plays it. Times are in beats."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Note(NamedTuple):
    """``start`` and ``length`` in beats; ``pitch`` and ``velocity`` as in MIDI, 0–127."""

    start: float
    length: float
    pitch: int
    velocity: int


class Chord(NamedTuple):
    """``root``: a pitch class 0–11; ``classes``: all its pitch classes, the root first."""

    start: float
    length: float
    root: int
    classes: tuple[int, ...]


@dataclass(frozen=True)
class Piece:
    """``split``: train, validation or test. ``piano``: a full piano part where somebody wrote one."""

    name: str
    split: str
    bpm: float
    beats_a_bar: int
    length: float
    melody: list[Note]
    chords: list[Chord]
    piano: list[Note] = field(default_factory=list)


def excerpt(notes: list[Note], start: float, length: float) -> list[Note]:
    """Return the notes that begin within ``length`` beats from ``start``, moved to begin at 0."""
    inside = (note for note in notes if start <= note.start < start + length)
    return [note._replace(start=note.start - start) for note in inside]


def cut(piece: Piece, start: float, length: float) -> Piece:
    """Return ``length`` beats of a piece from ``start``."""
    chords = [c._replace(start=c.start - start) for c in piece.chords]
    return Piece(
        piece.name,
        piece.split,
        piece.bpm,
        piece.beats_a_bar,
        length,
        excerpt(piece.melody, start, length),
        [chord for chord in chords if 0 <= chord.start < length],
        excerpt(piece.piano, start, length),
    )


def transpose(piece: Piece, semitones: int) -> Piece:
    """Return the piece higher by ``semitones``."""

    def moved(notes: list[Note]) -> list[Note]:
        return [note._replace(pitch=note.pitch + semitones) for note in notes]

    chords = [
        Chord(
            c.start,
            c.length,
            (c.root + semitones) % 12,
            tuple((p + semitones) % 12 for p in c.classes),
        )
        for c in piece.chords
    ]
    return Piece(
        piece.name,
        piece.split,
        piece.bpm,
        piece.beats_a_bar,
        piece.length,
        moved(piece.melody),
        chords,
        moved(piece.piano),
    )
