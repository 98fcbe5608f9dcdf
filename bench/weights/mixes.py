"""The test mixes: 3 to 6 instruments at 0 … -12 dB, of an unseen soundfont and unseen pieces only.

Two in three are arrangements of one song, in its key and tempo: a melody, chords, a bass, drums, a second
voice. In the others each instrument plays an excerpt of a song of its own. Voices whose tags were rare so far
come first, so that many tags have enough positives. ``WORK/mixes.csv``: path, tags, maybe, instruments and
levels_db, each ``;``-separated; a level is against the loudest.
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
import parts
import score
import songs
import synth
from general_midi import VOICES, Voice
from midi import Player
from rich.console import Console
from rich.progress import track

COLUMNS = "path tags maybe instruments levels_db".split()
MIXES = 300
SECONDS = 20
QUIETEST = -12.0
#: What an arrangement is made of, in order of need: the roles of parts.py that will do.
SLOTS = (
    ("line",),
    ("keys", "strum", "pluck", "power", "pad"),
    ("bass",),
    ("drums", "percussion", "bongo", "orchestral"),
    ("slow", "pad"),
    ("pluck", "keys", "strum"),
)
#: An instrument must sound in this share of its mix.
HEARD = 0.5
TRIES = 6
EXCERPTS = 12


class Line(NamedTuple):
    """What one instrument does in a mix: ``song`` is a test song's name."""

    voice: Voice
    program: int
    role: str
    song: str
    level: float


def tags(lines: list[Line]) -> tuple[list[str], list[str]]:
    """Return the tags that are surely heard in a mix, and those that may or may not be."""
    sure = {tag for line in lines for tag in line.voice.tags}
    maybe = {tag for line in lines for tag in line.voice.maybe}
    return sorted(sure), sorted(maybe - sure)


def plan(test_songs: list[str], mixes: int = MIXES) -> list[list[Line]]:
    """Return the lines of each mix: the same for the same songs."""
    random = Random("mixes")
    heard: Counter[str] = Counter()
    planned = []
    for number in range(mixes):
        together = number % 3 != 2
        many = random.randint(3, 6)
        song = random.choice(test_songs)
        wanted = list(SLOTS[:many]) if together else [sum(SLOTS, ())] * many
        if together and many < 5:  # any slots, but always somebody with a tone
            wanted = [SLOTS[0], *random.sample(SLOTS[1:], many - 1)]
        lines: list[Line] = []
        for roles in wanted:
            voice = _draw(random, roles, heard, [line.voice for line in lines])
            role = random.choice([role for role in voice.roles if role in roles])
            own = song if together else random.choice(test_songs)
            lines.append(Line(voice, random.choice(voice.programs), role, own, 0.0))
        loudest = random.randrange(many)
        levels = [0.0 if i == loudest else random.uniform(QUIETEST, 0) for i in range(many)]
        lines = [ln._replace(level=round(at, 1)) for ln, at in zip(lines, levels, strict=True)]
        heard.update(tags(lines)[0])
        planned.append(lines)
    return planned


def _draw(random: Random, roles: tuple[str, ...], heard: Counter[str], taken: list[Voice]) -> Voice:
    """Return a voice that can play one of the roles, the likelier the rarer its rarest tag is."""
    able = [v for v in VOICES.values() if set(v.roles) & set(roles) and v not in taken]
    rare = [
        min((heard[tag] for tag in v.tags), default=10 + sum(heard.values()) // 30) for v in able
    ]
    return random.choices(able, [1 / (1 + count) ** 2 for count in rare])[0]


def make(shared: Path, work: Path, font: Path, mixes: int = MIXES) -> None:
    """Render the mixes that are not there yet; write ``WORK/mixes.csv``."""
    rows = []
    planned = plan(songs.names(shared)["test"], mixes)
    for number, lines in track(list(enumerate(planned)), "mixes", console=Console(stderr=True)):
        path = Path("mixes", f"{number:03}.flac")
        if not (work / path).exists():
            synth.write(work / path, mix(lines, shared, font, Random(f"mix {number}")))
        sure, maybe = tags(lines)
        names = ";".join(line.voice.name for line in lines)
        levels = ";".join(f"{line.level:.1f}" for line in lines)
        rows.append((path.as_posix(), ";".join(sure), ";".join(maybe), names, levels))
    with (work / "mixes.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        writer.writerows(rows)


def mix(lines: list[Line], shared: Path, font: Path, random: Random) -> synth.FloatArray:
    """Return 20 s of the lines together: of several excerpts the first in which all are heard."""
    for _ in range(TRIES):
        players, bpm = _excerpt(lines, shared, random)
        sounds = [_sound(player, at, font, random) for player, at in zip(players, bpm, strict=True)]
        if min(synth.sounding(sound).mean() for sound in sounds) >= HEARD:
            levels = [line.level for line in lines]
            return synth.faded(synth.at_level(together(sounds, levels)))
    names = ", ".join(line.voice.name for line in lines)
    raise SystemExit(f"{names}: no excerpt in which each is heard half of the time: lower HEARD")


def together(sounds: list[synth.FloatArray], levels: list[float]) -> synth.FloatArray:
    """Return the sum of the sounds, each at its level (dB) over the time in which it sounds."""
    parts_ = [
        s * np.float32(10 ** ((at - synth.level(s)) / 20))
        for s, at in zip(sounds, levels, strict=True)
    ]
    return np.asarray(np.sum(parts_, axis=0), np.float32)


def _excerpt(lines: list[Line], shared: Path, random: Random) -> tuple[list[Player], list[float]]:
    """Return who plays what and each one's tempo; lines of one song play the same bars in the same key.

    Of many excerpts, the one in which the line with the fewest notes has most.
    """
    best: tuple[float, list[Player], list[float]] = (-1.0, [], [])
    for _ in range(EXCERPTS):
        names = dict.fromkeys(line.song for line in lines)
        placed = {name: _place(songs.read(shared, name), random) for name in names}
        players = [
            Player(
                line.program,
                line.voice.is_drums,
                parts.play(placed[line.song][0], line.voice, line.role, random),
            )
            for line in lines
        ]
        bpm = [placed[line.song][1] for line in lines]
        least = min(filled(p.notes, at) for p, at in zip(players, bpm, strict=True))
        best = max(best, (least, players, bpm), key=lambda found: found[0])
        if least > 0.8:
            break
    return best[1], best[2]


def filled(notes: list[score.Note], bpm: float) -> float:
    """Return the share of half seconds of the mix in which a note begins or is held."""
    half = bpm / 120  # beats
    last = 2 * SECONDS - 1
    spans = (range(int(n.start / half), int((n.start + n.length) / half) + 1) for n in notes)
    return len({place for span in spans for place in span if place <= last}) / (last + 1)


def _sound(player: Player, bpm: float, font: Path, random: Random) -> synth.FloatArray:
    sound = synth.play(font, [player], bpm, random)[: SECONDS * synth.RATE]
    return np.pad(sound, (0, SECONDS * synth.RATE - len(sound)))


def _place(piece: score.Piece, random: Random) -> tuple[score.Piece, float]:
    """Return the bars to play, in a key near the song's, and the beats a minute."""
    bpm = min(max(piece.bpm * random.uniform(0.9, 1.1), 55), 180)
    beats = SECONDS * bpm / 60 + piece.beats_a_bar
    last = max(0, int(piece.length - beats) // piece.beats_a_bar)
    start = float(random.randint(0, last) * piece.beats_a_bar)
    return score.transpose(score.cut(piece, start, beats), random.randint(-3, 3)), bpm
