"""Drum and percussion patterns, by style, in General MIDI's percussion keys."""

from __future__ import annotations

from random import Random

from score import Note

KICK, SNARE, CLAP, CLOSED, OPEN, RIDE, CRASH = 36, 38, 39, 42, 46, 51, 49
SIDE, PEDAL, TOMS = 37, 44, (41, 43, 45, 47, 48, 50)

#: A style: key -> sixteenths of a bar of four beats (x: hit, o: soft or sometimes).
STYLES: dict[str, dict[int, str]] = {
    "rock": {KICK: "x.....o.x.x.....", SNARE: "....x.......x...", CLOSED: "x.x.x.x.x.x.x.x."},
    "pop": {KICK: "x......xx.....o.", SNARE: "....x.......x..o", CLOSED: "x.o.x.o.x.o.x.o."},
    "disco": {
        KICK: "x...x...x...x...",
        SNARE: "....x.......x...",
        CLOSED: "x...x...x...x...",
        OPEN: "..x...x...x...x.",
    },
    "house": {
        KICK: "x...x...x...x...",
        CLAP: "....x.......x...",
        CLOSED: "x.ooo.oox.ooo.oo",
        OPEN: "..x...x...x...x.",
    },
    "techno": {KICK: "x...x...x...x...", CLOSED: "..x...x...x...x.", RIDE: "o.o.o.o.o.o.o.o."},
    "hip hop": {KICK: "x..x......x..o..", SNARE: "....x.......x...", CLOSED: "x.x.x.xxx.x.x.x."},
    "trap": {KICK: "x.....x....x....", CLAP: "........x.......", CLOSED: "x.xxx.x.xxx.xxxx"},
    "drum and bass": {
        KICK: "x.........x.....",
        SNARE: "....x..o.o..x..o",
        CLOSED: "x.x.x.x.x.x.x.x.",
    },
    "funk": {KICK: "x.x....x..x..o..", SNARE: "....x..o.o..x..o", CLOSED: "xxxxxxxxxxxxxxxx"},
    "bossa": {KICK: "x..xx..xx..xx..x", SIDE: "x..x...o..x..x..", CLOSED: "xoxoxoxoxoxoxoxo"},
    "swing": {
        RIDE: "x...x..xx...x..x",
        PEDAL: "....x.......x...",
        KICK: "o.......o.......",
        SNARE: "...o......o....o",
    },
    "ballad": {KICK: "x.......x.......", SIDE: "....x.......x...", CLOSED: "x...o...x...o..."},
    "half time": {KICK: "x.....o...o.....", SNARE: "........x.......", RIDE: "x...x...x...x..."},
    "toms": {
        KICK: "x...x...x...x...",
        41: "x..x..x.........",
        45: "........x..x....",
        48: "............x.x.",
    },
    "metal": {KICK: "xxxxxxxxxxxxxxxx", SNARE: "....x.......x...", RIDE: "x.x.x.x.x.x.x.x."},
}
#: Hand percussion: congas, timbales, agogo, maracas, tambourine, shaker, claves, cowbell, wood blocks, guiro.
HAND: dict[int, str] = {
    62: "..x...x...x...xx",
    63: "x......xx...x...",
    64: "...x.......x..x.",
    65: "x.....x.....x...",
    67: "x..x..x...x.x...",
    70: "xoxoxoxoxoxoxoxo",
    54: "x.x.x.x.x.x.x.x.",
    82: "xooxxooxxooxxoox",
    75: "x..x..x...x.x...",
    56: "x...x.x.x...x.x.",
    76: "x.x..x.x.x.x..x.",
    73: "x..xx..xx..xx..x",
    69: "x.xxx.xxx.xxx.xx",
}
BONGO: tuple[dict[int, str], ...] = (
    {60: "x.xxx.x.x.xxx.x.", 61: "......x.......x."},
    {60: "x..x..x...x.x..o", 61: ".o..x...x.....x."},
    {60: "xoxo..xoxoxo..xo", 61: "....x.......x.x."},
    {60: "x.....x.x.....xx", 61: "..xx......xx...."},
)
ORCHESTRAL: dict[int, str] = {
    49: "x...............",
    57: "........o.......",
    38: "x..xxx..x..xxxxx",
    36: "x.......x.......",
    59: "o...............",
    54: "....x.......x...",
    41: "x.......x...x.x.",
    45: "....x.x.........",
}


def play(role: str, random: Random, bars: int, beats_a_bar: int) -> list[Note]:
    """Return ``bars`` of a part: drums, percussion, bongo or orchestral."""
    pattern = _pattern(role, random)
    swing = random.choice((0.0, 0.0, 0.0, 0.04, 0.08))
    notes: list[Note] = []
    for bar in range(bars):
        fill = role == "drums" and bar % 4 == 3 and random.random() < 0.6
        if role == "drums" and bar % 8 == 0:
            notes.append(Note(bar * beats_a_bar, 1.0, CRASH, random.randint(70, 105)))
        for key, row in pattern.items():
            for step, mark in enumerate(row[: beats_a_bar * 4]):
                if fill and step >= beats_a_bar * 4 - 4:
                    continue
                if mark == "x" or (mark == "o" and random.random() < 0.6):
                    late = swing if step % 2 else 0.0
                    loud = random.randint(80, 115) if mark == "x" else random.randint(35, 65)
                    notes.append(Note(bar * beats_a_bar + step / 4 + late, 0.2, key, loud))
        if fill:
            notes += _fill(random, (bar + 1) * beats_a_bar - 1)
    return notes


def _pattern(role: str, random: Random) -> dict[int, str]:
    if role == "bongo":
        return random.choice(BONGO)
    if role == "drums":
        return random.choice(list(STYLES.values()))
    table = HAND if role == "percussion" else ORCHESTRAL
    keys = random.sample(sorted(table), random.randint(2, 4))
    shift = random.choice((0, 0, 4, 8))
    return {key: table[key][shift:] + table[key][:shift] for key in keys}


def _fill(random: Random, start: float) -> list[Note]:
    drums: tuple[int, ...] = random.choice(((SNARE,), TOMS, (SNARE, *TOMS)))
    keys = sorted((random.choice(drums) for _ in range(4)), reverse=True)
    return [Note(start + i / 4, 0.2, key, 80 + 8 * i) for i, key in enumerate(keys)]
