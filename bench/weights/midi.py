"""MIDI files, through mido (``pip install mido``).

It is imported where a file is written or read: who plans and composes does without.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from score import Note

if TYPE_CHECKING:
    import mido

TICKS = 480
DRUM_CHANNEL = 9


class Player(NamedTuple):
    """``program``: 0–127, or the kit on the drum channel."""

    program: int
    drums: bool
    notes: list[Note]


def write(path: Path, players: list[Player], bpm: float, echo: int, width: int) -> None:
    """Write a MIDI file, one channel a player; ``echo``, ``width``: reverb and chorus send, 0–127."""
    import mido

    file = mido.MidiFile(ticks_per_beat=TICKS)
    head = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm))])
    file.tracks.append(head)
    free = (channel for channel in range(16) if channel != DRUM_CHANNEL)
    for player in players:
        channel = DRUM_CHANNEL if player.drums else next(free)
        events = [(0, mido.Message("program_change", channel=channel, program=player.program))]
        for control, value in ((91, echo), (93, width)):
            events.append(
                (0, mido.Message("control_change", channel=channel, control=control, value=value))
            )
        for note in player.notes:
            start, end = round(note.start * TICKS), round((note.start + note.length) * TICKS)
            on = mido.Message("note_on", channel=channel, note=note.pitch, velocity=note.velocity)
            off = mido.Message("note_off", channel=channel, note=note.pitch)
            events += [(start, on), (max(end, start + 1), off)]
        # At the same tick a note ends before it begins anew; programs come first.
        events.sort(key=lambda event: (event[0], event[1].type == "note_on"))
        track, now = mido.MidiTrack(), 0
        for tick, message in events:
            track.append(message.copy(time=tick - now))
            now = tick
        file.tracks.append(track)
    file.save(path)


def read(path: Path) -> tuple[float, dict[str, list[Note]]]:
    """Return the first tempo (beats a minute) and each named track's notes, times in beats."""
    import mido

    file = mido.MidiFile(path)
    tempo = next((m.tempo for t in file.tracks for m in t if m.type == "set_tempo"), 500000)
    return mido.tempo2bpm(tempo), {
        track.name: _notes(track, file.ticks_per_beat) for track in file.tracks if track.name
    }


def _notes(track: mido.MidiTrack, ticks: int) -> list[Note]:
    now, sounding, notes = 0, dict[int, tuple[int, int]](), list[Note]()
    for message in track:
        now += message.time
        if message.type not in ("note_on", "note_off"):
            continue
        if begun := sounding.pop(message.note, None):
            start, velocity = begun
            notes.append(Note(start / ticks, (now - start) / ticks, message.note, velocity))
        if message.type == "note_on" and message.velocity:
            sounding[message.note] = (now, message.velocity)
    return sorted(notes)
