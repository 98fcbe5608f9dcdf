"""Render stems: one instrument playing 24 s of music, so that what is heard is known exactly.

    python bench/weights/render.py SHARED WORK

Needs fluidsynth, mido (PyPI; nothing else here uses it) and the soundfonts of :data:`FONTS`, Debian packages
by name. Writes ``WORK/stems/``, ``WORK/stems.csv``, then the test mixes (``mixes.py``). Each stem is a function
of its name: stopped at any time, the same command goes on, and a larger ``--stems`` only adds.

The pieces are POP909's songs, split by song, and our own (``compose.py``); the notes of real instruments
(Philharmonia) become lines of their own (``philharmonia.py``). TimGM6mb is left for the test mixes.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
from pathlib import Path
from random import Random
from typing import NamedTuple

import compose
import mixes
import parts
import philharmonia
import score
import songs
import soundfile
import synth
from general_midi import VOICES, Voice
from midi import Player
from rich.console import Console
from rich.progress import track

COLUMNS = "path split teach tags maybe votes artist source licence seconds".split()
SECONDS = 24
#: Lines an instrument of the recorded notes.
REAL = 12
#: Some stems choose the best weights.
VALIDATION = 1 / 12


class Font(NamedTuple):
    """A soundfont: its Debian package, its file there, its licence, and how often it is drawn."""

    package: str
    file: str
    licence: str
    weight: int = 1


FONTS = {
    "FluidR3": Font("fluid-soundfont-gm", "usr/share/sounds/sf2/FluidR3_GM.sf2", "MIT", 3),
    "MuseScore": Font(
        "musescore-general-soundfont", "usr/share/sounds/sf3/MuseScore_General_Full.sf3", "MIT", 3
    ),
    "csound": Font("csound-soundfont", "usr/share/sounds/sf2/sf_GMbank.sf2", "public domain", 2),
}
UNSEEN = Font("timgm6mb-soundfont", "usr/share/sounds/sf2/TimGM6mb.sf2", "GPL-2")


class Stem(NamedTuple):
    name: str
    voice: Voice
    font: str
    program: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--stems", type=float, default=1.0, help="times the table's numbers")
    arguments = parser.parse_args()
    shared, work = arguments.shared, arguments.work
    fonts = {name: find(font, work) for name, font in FONTS.items()}
    stems = plan(arguments.stems, {name: synth.presets(path) for name, path in fonts.items()})
    shown = track(stems, "stems", console=Console(stderr=True))
    rows = [stem_row(stem, shared, work, fonts[stem.font]) for stem in shown]
    for name in track(list(philharmonia.VOICES), "real notes", console=Console(stderr=True)):
        rows += [real_row(name, number, shared, work) for number in range(REAL)]
    write_rows(work / "stems.csv", rows)
    mixes.make(shared, work, find(UNSEEN, work))


def find(font: Font, work: Path) -> Path:
    """Return the soundfont's path: installed, or fetched from Debian and unpacked below WORK/fonts."""
    for root in (Path("/"), work / "fonts"):
        if (path := root / font.file).exists():
            return path
    folder = work / "fonts"
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["apt-get", "download", font.package], cwd=folder, check=True)
    for archive in folder.glob(f"{font.package}_*.deb"):
        subprocess.run(["dpkg-deb", "-x", archive.name, "."], cwd=folder, check=True)
    return folder / font.file


def plan(times: float, presets: dict[str, frozenset[tuple[int, int]]]) -> list[Stem]:
    """Return the stems to render, the first of every voice first, fonts and programs in turn."""
    stems = []
    for voice in VOICES.values():
        bank = 128 if voice.is_drums else 0
        pairs = [
            (font, program)
            for turn in range(max(font.weight for font in FONTS.values()))
            for font in FONTS
            if FONTS[font].weight > turn
            for program in voice.programs
            if (bank, program) in presets[font]
        ]
        for number in range(round(voice.stems * times) if pairs else 0):
            font, program = pairs[number % len(pairs)]
            stems.append((number, Stem(f"{voice.name}-{number}-{font}", voice, font, program)))
    return [stem for _, stem in sorted(stems, key=lambda item: item[0])]


def stem_row(stem: Stem, shared: Path, work: Path, font: Path) -> dict[str, str]:
    """Render a stem where that is not done; return its row of the manifest."""
    random = Random(stem.name)
    piece = draw_piece(shared, random)
    path = Path("stems", f"{stem.name.replace(', ', ' ').replace(' ', '_')}.flac")
    if not (work / path).exists():
        synth.write(work / path, render(stem, piece, font, random))
    font_of = FONTS[stem.font]
    return row(path, work, piece, stem.voice, f"render {font_of.package}", font_of.licence)


def real_row(name: str, number: int, shared: Path, work: Path) -> dict[str, str]:
    """Play a line with recorded notes where that is not done; return its row of the manifest."""
    random = Random(f"real {name} {number}")
    piece = draw_piece(shared, random)
    path = Path("stems", f"real_{name}-{number}.flac")
    voice = VOICES[philharmonia.VOICES[name]]
    if not (work / path).exists():
        source = shared / "music" / "philharmonia" / f"{name}.opus"
        synth.write(work / path, render_real(voice, piece, source, random))
    return row(path, work, piece, voice, "philharmonia", philharmonia.LICENCE)


def render_real(voice: Voice, piece: score.Piece, source: Path, random: Random) -> synth.FloatArray:
    """Return 24 s of a line, within the reach of the recorded notes."""
    notes = philharmonia.samples(source, piece.split)
    pitches = sorted(note.pitch for note in notes)
    low, high = (round(pitches[int(len(pitches) * share)]) for share in (0.05, 0.95))
    music, bpm = passage(piece, random)
    voice = voice._replace(low=low, high=max(high, low + 12))
    role = random.choice([role for role in voice.roles if role != "pad"])
    part = parts.play(music, voice, role, random)
    samples = synth.close_gaps(philharmonia.play(part, bpm, notes, random))
    return synth.faded(synth.at_level(samples[: SECONDS * synth.RATE]))


def row(
    path: Path, work: Path, piece: score.Piece, voice: Voice, source: str, licence: str
) -> dict[str, str]:
    return {
        "path": path.as_posix(),
        "split": piece.split,
        "teach": "labels",
        "tags": ";".join(voice.tags),
        "maybe": ";".join(voice.maybe),
        "votes": "",
        "artist": piece.name,
        "source": source,
        "licence": licence,
        "seconds": f"{soundfile.info(work / path).duration:.1f}",
    }


def draw_piece(shared: Path, random: Random) -> score.Piece:
    """Return a song or a piece of our own, of the training or the validation part."""
    split = "validation" if random.random() < VALIDATION else "train"
    if random.random() < 0.5:
        return songs.read(shared, random.choice(songs.names(shared)[split]))
    return compose.compose(random.randrange(100_000), split)


def render(stem: Stem, piece: score.Piece, font: Path, random: Random) -> synth.FloatArray:
    """Return 24 s of the voice at -20 dBFS, without long rests."""
    music, bpm = passage(piece, random)
    notes = parts.play(music, stem.voice, random.choice(stem.voice.roles), random)
    player = Player(stem.program, stem.voice.is_drums, notes)
    samples = synth.close_gaps(synth.play(font, [player], bpm, random))
    if len(samples) < 4 * synth.RATE:
        raise SystemExit(
            f"{stem.name}: {font} is silent there: take the voice out of general_midi.py"
        )
    return synth.faded(synth.at_level(samples[: SECONDS * synth.RATE]))


def passage(piece: score.Piece, random: Random) -> tuple[score.Piece, float]:
    """Return some bars, a little more than is needed, in any key, and the beats a minute."""
    bpm = min(max(piece.bpm * random.uniform(0.8, 1.25), 50), 190)
    bar = piece.beats_a_bar
    beats = (SECONDS + 10) * bpm / 60
    last = max(0, int(piece.length - beats) // bar)
    music = score.transpose(
        score.cut(piece, float(random.randint(0, last) * bar), beats), random.randint(-5, 6)
    )
    return music, bpm


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    part.replace(path)


if __name__ == "__main__":
    main()
