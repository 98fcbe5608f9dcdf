"""Render the ten sketches into ``examples/music/``: fluidsynth plays, numpy levels, FFmpeg encodes.

    pip install mido numpy
    apt-get install fluidsynth fluid-soundfont-gm ffmpeg
    python examples/compose.py

The same versions of these programs make the same bytes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import sketches
from performance import perform
from score import Piece

SEED = 2026
RATE = 44100
SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
MUSIC = Path(__file__).parent / "music"
ALBUM = {"artist": "tagkit examples", "album": "Ten sketches", "date": "2026"}

LEVEL = -18.0  # dBFS: root mean square of the mono mix
CEILING = 0.85  # leaves lossy codecs room to overshoot
TAIL = 2.2  # seconds for the last notes and the room
FADE = 1.2

# The uncompressed and lossless ones are mono and at a lower rate: they are the repository's weight.
ENCODERS = {
    ".mp3": "-c:a libmp3lame -b:a 112k",
    ".ogg": "-c:a libvorbis -q:a 3",
    ".opus": "-c:a libopus -b:a 96k",
    ".m4a": "-c:a aac -b:a 112k",
    ".flac": "-c:a flac -sample_fmt s16 -ac 1 -ar 32000 -compression_level 8",
    ".wav": "-c:a pcm_s16le -ac 1 -ar 22050",
    ".aiff": "-c:a pcm_s16be -ac 1 -ar 22050 -write_id3v2 1",
}

FloatArray = npt.NDArray[np.float32]


class Track(NamedTuple):
    """A file of the album; ``own`` are tags that a listener might have given it."""

    file: str
    title: str
    piece: Callable[[], Piece]
    own: dict[str, str] = {}  # noqa: RUF012 - never changed


TRACKS = (
    Track("01-nocturne.mp3", "Nocturne", sketches.nocturne),
    Track("02-lament.flac", "Lament", sketches.lament, {"MOOD": "Rainy Sunday"}),
    Track("03-downstrokes.mp3", "Downstrokes", sketches.rock),
    Track("04-warehouse.opus", "Warehouse", sketches.techno),
    Track("05-porch-waltz.ogg", "Porch Waltz", sketches.waltz),
    Track("06-corner-table.m4a", "Corner Table", sketches.jazz, {"genre": "Late Night Jazz"}),
    Track("07-the-gates.mp3", "The Gates", sketches.epic),
    Track("08-low-cloud.ogg", "Low Cloud", sketches.ambient),
    Track("09-cradle.wav", "Cradle", sketches.lullaby),
    Track("10-rubber-band.aiff", "Rubber Band", sketches.funk),
)


def main() -> None:
    MUSIC.mkdir(exist_ok=True)
    for number, track in enumerate(TRACKS):
        samples = level(without_rumble(synthesise(track.piece(), SEED + number)))
        encode(samples, track, MUSIC / track.file)
        print(f"{track.file}: {len(samples) / RATE:.1f} s", file=sys.stderr)


def synthesise(piece: Piece, seed: int) -> FloatArray:
    """Return (samples, 2) at RATE, at whatever level the instruments have."""
    with tempfile.TemporaryDirectory() as folder:
        score, sound = Path(folder, "score.mid"), Path(folder, "sound.raw")
        midi = perform(piece, seed, TAIL)
        midi.save(score)
        command = f"fluidsynth -ni -q -r {RATE} -g 0.4 -R 1 -C 0 -T raw -O float -E little".split()
        command += ["-o", "synth.reverb.room-size=0.6", "-o", "synth.reverb.level=0.5"]
        subprocess.run(
            [*command, "-F", sound, SOUNDFONT, score], check=True, stdout=subprocess.DEVNULL
        )
        samples = np.fromfile(sound, "<f4").reshape(-1, 2)
    return samples[: round(midi.length * RATE)]  # fluidsynth waits for the last echo


def without_rumble(samples: FloatArray) -> FloatArray:
    """Take out what lies below hearing: the soundfont's pads drift there, louder than they sound."""
    spectrum = np.fft.rfft(samples, axis=0)
    pitch = np.fft.rfftfreq(len(samples), 1 / RATE)
    spectrum *= np.clip((pitch - 20) / 15, 0, 1)[:, None]  # none at 20 Hz, all at 35
    return np.fft.irfft(spectrum, len(samples), axis=0).astype(np.float32)


def level(samples: FloatArray) -> FloatArray:
    """Fade the end out, bring the mono mix to LEVEL, and bend what would pass CEILING under it."""
    fade = round(FADE * RATE)
    samples = samples.copy()
    samples[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)[:, None] ** 2
    for _ in range(4):  # bending takes a little away, so come back to the level
        samples *= 10 ** (LEVEL / 20) / np.sqrt(np.mean(samples.mean(axis=1) ** 2))
        samples = bend(samples)
    return samples


def bend(samples: FloatArray, knee: float = 0.5) -> FloatArray:
    """A soft limiter: linear up to ``knee``, never beyond CEILING."""
    room = CEILING - knee
    over = np.maximum(np.abs(samples) - knee, 0)
    bent = np.minimum(np.abs(samples), knee) + room * np.tanh(over / room)
    return np.copysign(bent, samples)


def encode(samples: FloatArray, track: Track, path: Path) -> None:
    tags = {"title": track.title, "track": path.name[:2].lstrip("0"), **ALBUM, **track.own}
    command = f"ffmpeg -v error -y -f f32le -ar {RATE} -ac 2 -i -".split()
    command += [*ENCODERS[path.suffix].split(), "-fflags", "+bitexact", "-flags:a", "+bitexact"]
    command += [word for key, value in tags.items() for word in ("-metadata", f"{key}={value}")]
    subprocess.run([*command, path], check=True, input=samples.astype("<f4").tobytes())


if __name__ == "__main__":
    main()
