"""The ten sketches: chords, melodies and rhythms, one function a piece.

Numbers of instruments are General MIDI programs, counted from 0.
"""

from __future__ import annotations

import random

from score import Note, Part, Piece, arpeggio, bars, chords, drums, ladder, melody


def nocturne() -> Piece:
    """A falling circle of fifths under a song without words."""
    harmony = "Dm Gm C7 Fmaj7 Bbmaj7 Em7b5 A7 Dm"
    song = """
        a5:2 f5:1 e5:.5 f5 |  g5:1.5 bb5:.5 a5:1 g5 |  g5:2 e5:1 d5:.5 e5 |  f5:1.5 a5:.5 c6:2 |
        d6:2 c6:1 bb5:.5 a5 | g5:1.5 bb5:.5 e5:2 |     a5:1 g5:.5 f5 e5:1 c#5 | d5:4 |
    """
    left = arpeggio(harmony, "0 2 3 4 5 4 3 2", 38, velocity=48, ring=3)
    right = melody(song, velocity=76)
    slowing = {24.0: 64.0, 26.0: 58.0, 28.0: 50.0}
    return Piece(68, [Part(0, left + right, loose=0.014, reverb=60)], tempo_changes=slowing)


def lament() -> Piece:
    """The old lament: a bass that sinks from G to D in half steps."""
    harmony = "Gm D/F# Dm/F C/E Cm/Eb D7 Gm"
    song = """
        r:1 d5 g5:1.5 a5:.5 | a5:2 f#5:1 d5 | f5:1.5 e5:.5 d5:1 a5 | g5:3 e5:1 |
        eb5:2 g5:1 c5 | c5:1 bb4:.5 a4 bb4:1 a4 | g4:4 |
    """
    swells = ((0, 60), (4, 95), (8, 75), (14, 122), (20, 90), (26, 70), (28, 35))
    sustained = {"loose": 0.02, "reverb": 75, "swells": swells}
    cello = [Note(at, 3.9, ladder(chord, 36)[0], 78) for at, chord in bars(harmony)]
    return Piece(
        62,
        [
            Part(40, melody(song, velocity=88), volume=100, pan=48, **sustained),
            Part(49, chords(harmony, "x---", 55, velocity=62), volume=80, **sustained),
            Part(42, cello, volume=95, pan=84, **sustained),
        ],
        tempo_changes={24.0: 54.0},
    )


def rock() -> Piece:
    """Verse riff and chorus in A, all downstrokes and crash cymbals."""
    verse, chorus = "A D E D A D E E", "F#m D A E F#m D A E"
    power = " ".join(c.rstrip("m") + "5" for c in f"{verse} {chorus}".split())
    riff = (
        "a4:.5 c#5 e5:1 c#5:.5 e5 f#5:1 | f#5:.5 e5 d5:1 r:2 | b4:.5 d5 e5:1 g#5:.5 e5 b5:1 | r:4 |"
    )
    tune = """
        c#5:1.5 e5:.5 f#5:1 a5 | a5:1.5 f#5:.5 d5:2 | e5:1 c#5:.5 e5 a5:1 b5 | b5:2 g#5:1 e5 |
        c#6:1.5 b5:.5 a5:1 f#5 | a5:1 f#5 d5 f#5 | e5:1 a5 c#6 e6 | e6:1.5 d6:.5 b5:2 | a5:4 |
    """
    lead = melody(riff, start=16, velocity=88) + melody(tune, start=32, velocity=100)
    end = chords("A5", "X---", 45, start=64, velocity=100)
    low = arpeggio(f"{verse} {chorus}", "0 0 0 0 0 0 0 3", 28, velocity=95)
    beat = {"kick": "X.....x.x.x.....", "snare": "....X.......X..."}
    kit = drums(7, hat="x.o.x.o.x.o.x.o.", **beat)
    kit += drums(1, 28, kick="X...x...x...x...", snare="X.xx....", high_tom="........xx......")
    kit += drums(1, 28, tom="..........xx....", low_tom="............XXXX")
    kit += drums(8, 32, open="x...x...x...x...", **beat) + drums(2, 32, crash="X" + "." * 63)
    kit += drums(1, 64, crash="X", kick="X", snare="X")
    return Piece(
        146,
        [
            Part(30, chords(power, "X.xx.xX.", 40, velocity=82) + end, volume=68, pan=20),
            Part(29, chords(power, "X---x-x-", 52, velocity=76) + end, volume=62, pan=108),
            Part(30, lead, volume=80, reverb=55),
            Part(34, [*low, Note(64, 4, 33, 100)], volume=105, loose=0.004),
            Part(0, kit, volume=115, drums=True, loose=0.004),
        ],
    )


def techno() -> Piece:
    """Layers come in, the floor drops out for two bars, and comes back."""
    harmony = "Am Am F G"
    bass = arpeggio(f"{harmony} {harmony}", ". . 0 0 . 0 3 0 . . 0 0 . 0 3 2", 33, velocity=100)
    bass += arpeggio(harmony, ". . 0 0 . 0 3 0 . . 0 3 . 0 3 2", 33, start=40, velocity=104)
    lead = arpeggio(f"{harmony} F G {harmony}", "3 5 4 7 5 3 6 4 " * 2, 57, start=16, velocity=104)
    pad = chords(f"F G {harmony}", "x---", 60, start=32, velocity=70)
    kit = drums(8, kick="X...X...X...X...") + drums(6, 8, open="..x...x...x...x.", velocity=70)
    kit += drums(4, 16, clap="....X.......X...", hat="x.oxx.oxx.oxx.ox")
    kit += drums(1, 36, snare="o.o.o.o.oxoxxxXX", crash="." * 16)
    kit += drums(4, 40, kick="X...X...X...X...", clap="....X.......X..x", open="..x." * 4)
    kit += (
        drums(4, 40, hat="xoxx" * 4, velocity=80) + drums(1, 40, crash="X") + drums(1, 56, kick="X")
    )
    machine = {"loose": 0.0}
    return Piece(
        130,
        [
            Part(38, bass, volume=84, reverb=10, **machine),
            Part(81, lead, volume=112, pan=80, swells=((16, 70), (32, 118), (56, 126)), **machine),
            Part(90, pad, volume=112, pan=44, swells=((32, 90), (40, 126)), **machine),
            Part(25, kit, volume=92, drums=True, reverb=15, **machine),
        ],
    )


def waltz() -> Piece:
    """Two guitars on a porch, in G."""
    harmony = "G G/B C G Em Am D7 D G G/B C G Am Em D7 G"
    song = """
        d5:1 b4 g4 | b4:2 d5:1 | e5:1 c5 e5 | d5:3 | g5:1 f#5 e5 | c5:2 e5:1 | d5:1 c5 a4 | f#4:2 d4:1 |
        g4:1 b4 d5 | g5:2 f#5:1 | e5:1 g5 e5 | d5:2 b4:1 | c5:1 b4 a4 | b4:1 a4 g4 |
        a4:1.5 f#4:.5 a4:1 | g4:3 |
    """
    low = [Note(at, 2.8, ladder(chord, 40)[0], 84) for at, chord in bars(harmony, bar=3)]
    strums = chords(harmony, "..xox-", 52, bar=3, velocity=58, strum=0.035)
    return Piece(
        128,
        [
            Part(25, low + strums, pan=40, loose=0.012),
            Part(24, melody(song, bar=3, velocity=92), volume=112, pan=88, loose=0.012),
        ],
        tempo_changes={42.0: 116.0, 45.0: 96.0},
    )


def jazz() -> Piece:
    """A sixteen-bar tune of ii-V-I turns: piano, walking bass, ride cymbal."""
    harmony = "Gm7 C7 Fmaj7 Dm7 Gm7 C7 Fmaj7 F7 Bbmaj7 Bbm7 Am7 D7 Gm7 C7 F6 F6"
    solo = """
        r:.5 d5 f5 a5 g5:1 f5:.5 d5 | e5:1.5 g5:.5 bb4:1 r | a4:.5 c5 e5 g5 f5:1 e5:.5 c5 | d5:1.5 a4:.5 r:2 |
        bb5:.5 a5 g5 f5 d5 f5 g5 bb5 | a5 g5 e5 c5 db5 eb5 e5 g5 | a5:2 g5:.5 e5 c5:1 |
        r:.5 c5 eb5 f5 g5 a5 bb5 c6 | d6:1.5 c6:.5 a5:1 f5 | db6:1.5 bb5:.5 ab5:1 f5 |
        c6:.5 b5 a5 g5 e5:1 g5 | f#5:.5 a5 c6 eb6 d6:2 | bb5:1 a5:.5 g5 f5 d5 bb4 d5 |
        e5:1 g5:.5 e5 db5:1 c5 | c5:.5 d5 f5 a5 c6:1 d6 | r:.5 a5 f5:3 |
    """
    left = chords(harmony, "x-.x--..", 53, velocity=52)
    kit = drums(16, ride="x.xxx.xx", step=0.5, velocity=66)
    kit += drums(16, pedal="..x...x.", step=0.5, velocity=60)
    kit += drums(4, snare="." * 13 + "o" + "." * 9 + "o" + "." * 7 + "x", step=0.5, velocity=66)
    return Piece(
        154,
        [
            Part(0, left + melody(solo, velocity=92), volume=120, pan=50, loose=0.012),
            Part(32, walking(harmony), volume=78, pan=72, loose=0.008),
            Part(32, kit, volume=112, drums=True, loose=0.005),
        ],
        swing=0.64,
        tempo_changes={60.0: 140.0},
    )


def walking(harmony: str, low: int = 33) -> list[Note]:
    """Four to the bar: root, two chord tones, and a half step into the next root."""
    line, symbols = [], harmony.split()
    for i, (at, symbol) in enumerate(bars(harmony)):
        root, third, fifth, *_ = ladder(symbol, low)
        then = ladder(symbols[(i + 1) % len(symbols)], low)[0]
        tones = (root, third, fifth, then + (1 if i % 2 else -1))
        if i % 3 == 1:
            tones = (root, fifth, third, tones[3])
        line += [
            Note(at + beat, 0.92, tone, 88 - 6 * (beat % 2)) for beat, tone in enumerate(tones)
        ]
    return line


def epic() -> Piece:
    """Horns call over marching strings; trumpets join; D minor ends as D major."""
    harmony = "Dm Bb F C Dm Bb Gm A7 Bb C D"
    call = """
        d4:2 a4:1 f4 | bb4:1.5 a4:.5 f4:2 | c5:2 a4:1 f4 | g4:1.5 a4:.5 g4:1 e4 |
        d5:2 e5:1 f5 | f5:1.5 d5:.5 bb4:2 | bb4:1 c5 d5 g5 | e5:3 c#5:1 |
        f5:2 d5:1 f5 | g5:2 e5:1 g5 | f#5:4 |
    """
    march = arpeggio(harmony[:-2], "3 3 2 3 4 3 2 3 " * 2, 50, velocity=76, ring=0.8)
    brass = chords(harmony, "X--x----", 50, velocity=84)
    low = [Note(at, 3.8, ladder(chord, 36)[0], 92) for at, chord in bars(harmony)]
    timpani = arpeggio(harmony, "0 . . 0 0 . 0 0", 36, velocity=96)
    roll = [Note(40 + i / 8, 0.2, 38, 60 + 2 * i) for i in range(24)]
    kit = [hit for at in (0, 16, 32, 40) for hit in drums(1, at, crash="X")]
    hall = {"reverb": 85, "loose": 0.012}
    rise = ((0, 70), (16, 95), (32, 110), (40, 127))
    return Piece(
        104,
        [
            Part(60, melody(call, velocity=100), volume=112, pan=50, **hall),
            Part(
                56,
                [n for n in melody(call, velocity=96) if n.start >= 16],
                volume=85,
                pan=76,
                **hall,
            ),
            Part(61, brass, volume=72, pan=84, swells=rise, **hall),
            Part(
                48,
                march + chords("D", "x---", 62, start=40),
                volume=98,
                pan=40,
                swells=rise,
                **hall,
            ),
            Part(43, low, volume=100, pan=90, **hall),
            Part(52, chords(harmony, "x---", 62, velocity=70), volume=70, swells=rise, **hall),
            Part(47, timpani + roll, volume=112, **hall),
            Part(48, kit, volume=88, drums=True, **hall),
        ],
        tempo_changes={36.0: 96.0, 40.0: 84.0},
    )


def ambient() -> Piece:
    """Slow ninths that breathe, and a few bells that fall where they like."""
    harmony = "Fmaj9 Cmaj9 Am9 Dm9 Fmaj9"
    rng = random.Random(9)
    bells = [
        Note(at + rng.choice((0.5, 1, 1.75, 2.5, 3)), 2, rng.choice(ladder(chord, 72, 7)), 100)
        for at, chord in bars(harmony)
        for _ in range(3)
    ]
    breath = tuple((2.0 * i, 60 if i % 2 == 0 else 115) for i in range(11))
    drone = [Note(at, 4.2, ladder(chord, 41)[0], 60) for at, chord in bars(harmony)]
    space = {"reverb": 110, "loose": 0.04}
    return Piece(
        46,
        [
            Part(89, chords(harmony, "x---", 53, velocity=74), pan=30, swells=breath, **space),
            Part(95, chords(harmony, "x---", 65, velocity=56), volume=70, pan=98, **space),
            Part(98, bells, volume=122, pan=74, **space),
            Part(39, drone, volume=70, **space),
        ],
    )


def lullaby() -> Piece:
    """Flute over a rocking harp."""
    harmony = "F C/E Dm Bb F/C Gm C7 F"
    song = """
        c5:1 a5:1.5 g5:.5 | g5:2 e5:1 | f5:1 d5 a5 | g5:.5 f5 d5:2 |
        c5:1 f5 a5 | bb5:1.5 a5:.5 g5:1 | g5:1 e5 c5 | f5:3 |
    """
    harp = arpeggio(harmony, "0 2 3 4 3 2", 41, bar=3, velocity=66, ring=3)
    breath = ((0, 80), (6, 112), (12, 84), (16, 118), (22, 90), (24, 50))
    return Piece(
        80,
        [
            Part(46, harp, pan=46, loose=0.014, reverb=70),
            Part(
                73, melody(song, bar=3, velocity=80), pan=76, swells=breath, reverb=75, loose=0.015
            ),
        ],
        tempo_changes={21.0: 66.0},
    )


def funk() -> Piece:
    """One slapped bar, moved about; clavinet chops; horns answer in the second half."""
    slap = "e2:.5 r:.25 e3 r d3 e3:.5 e2:.25 g2 r a2 b2:.5 d3 |"
    harmony = "Em7 Em7 A7 Em7 Em7 Em7 A7 B7"
    moves = (0, 0, 5, 0, 0, 0, 5, 7)
    bass = [
        n
        for i, by in enumerate(moves)
        for n in melody(slap, start=4 * i, velocity=104, transpose=by)
    ]
    stabs = chords("Em9 Em9 A9 B7", "X.....x-......X.", 57, start=16, velocity=88)
    kit = drums(8, kick="X.x....x..x..x..", snare="....X..o.o..X..o", hat="xoxxxoxxxoxxxox.")
    kit += drums(8, open="." * 15 + "x", velocity=64) + drums(
        4, 16, tambourine="..x...x...x...x.", velocity=60
    )
    kit += drums(1, 32, kick="X", crash="X")
    return Piece(
        106,
        [
            Part(36, [*bass, Note(32, 1.5, 28, 110)], volume=118, loose=0.005, reverb=15),
            Part(
                7,
                chords(harmony, "x..X.xo.o.x.xo.x", 57, velocity=78),
                volume=82,
                pan=34,
                reverb=20,
            ),
            Part(61, [*stabs, *chords("Em9", "X-..", 57, start=32)], volume=76, pan=92),
            Part(8, kit, volume=112, drums=True, loose=0.005, reverb=20),
        ],
        swing=0.53,
    )
