"""A piece as people would play it, as a MIDI file."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator
from itertools import pairwise

import mido
from score import Part, Piece

TICKS = 480  # a beat
DRUM_CHANNEL = 9
RELEASE = 0.01  # beats between letting go of a note and striking it again


def perform(piece: Piece, seed: int, tail: float) -> mido.MidiFile:
    """Play a piece as people would: never quite on the beat, never twice alike.

    The same ``seed`` plays it the same. ``tail`` seconds let the last notes ring.
    """
    rng = random.Random(seed)
    events: list[tuple[float, mido.Message | mido.MetaMessage]] = []
    for at, tempo in {0.0: piece.tempo, **piece.tempo_changes}.items():
        events.append((at, mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo))))
    channels = (c for c in range(16) if c != DRUM_CHANNEL)
    for part in piece.parts:
        channel = DRUM_CHANNEL if part.drums else next(channels)
        events += _set_up(part, channel)
        events += _played(part, channel, piece, rng)
    last = max(at for at, _ in events)
    tempo = [piece.tempo, *piece.tempo_changes.values()][-1]
    events.append((last + tail * tempo / 60, mido.MetaMessage("end_of_track")))
    return _file(events)


def _set_up(part: Part, channel: int) -> Iterator[tuple[float, mido.Message]]:
    yield 0, mido.Message("program_change", channel=channel, program=part.program)
    for control, value in ((7, part.volume), (10, part.pan), (91, part.reverb)):
        yield 0, mido.Message("control_change", channel=channel, control=control, value=value)
    for (begin, low), (end, high) in pairwise(part.swells):
        steps = max(1, round((end - begin) * 4))
        for i in range(steps):
            value = round(low + (high - low) * i / steps)
            at = begin + (end - begin) * i / steps
            yield at, mido.Message("control_change", channel=channel, control=11, value=value)


def _played(
    part: Part, channel: int, piece: Piece, rng: random.Random
) -> Iterator[tuple[float, mido.Message]]:
    """Each note on and off; a string that is struck again is let go of first."""
    heard = []
    for note in sorted(part.notes):
        late = rng.gauss(0, part.loose) * piece.tempo / 60
        begin = max(0.0, _swung(note.start, piece.swing) + late)
        end = _swung(note.start + note.length, piece.swing) + late
        velocity = min(127, max(1, round(note.velocity + rng.gauss(0, 4))))
        heard.append((begin, end, note.pitch, velocity))
    struck_again: dict[int, float] = {}
    for begin, end, pitch, velocity in sorted(heard, reverse=True):
        end = min(max(begin + 0.05, end), struck_again.get(pitch, math.inf) - RELEASE)
        struck_again[pitch] = begin
        on = {"channel": channel, "note": pitch}
        yield begin, mido.Message("note_on", velocity=velocity, **on)
        yield max(begin, end), mido.Message("note_off", **on)


def _swung(at: float, swing: float) -> float:
    beat, part = divmod(at, 1)
    return beat + (part * 2 * swing if part < 0.5 else swing + (part - 0.5) * 2 * (1 - swing))


def _file(events: Iterable[tuple[float, mido.Message | mido.MetaMessage]]) -> mido.MidiFile:
    timed = sorted(((round(at * TICKS), event) for at, event in events), key=lambda e: e[0])
    track = mido.MidiTrack()
    for (before, _), (now, event) in pairwise([(0, None), *timed]):
        track.append(event.copy(time=now - before))
    return mido.MidiFile(type=0, ticks_per_beat=TICKS, tracks=[track])
