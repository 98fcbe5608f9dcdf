"""What is no music: speech, dry and in rooms and noise; nature and machines; noises made from chance.

Every tag is to be low on these. A file is 16 kHz mono of 30 to 40 s (a synthetic voice may be done
earlier), and a function of its name alone.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import debian
import excerpts
import noise
import numpy as np
import splits
from noise import Array, Maker
from recorded import NATURE, SPEECH, TEXTS, VOICES, Clips, Voice
from rich.console import Console
from rows import Row
from scipy.signal import fftconvolve

from tagkit import audio
from tagkit.errors import AudioError

RATE = excerpts.RATE
#: Files of each synthetic noise; the last is for the test, the one before for validation.
NOISES = 5
#: Noises whose loudness is what they are.
AS_THEY_ARE = ("silence", "dither")


class Sound(NamedTuple):
    """A file to be made; ``make`` returns its samples, or None where there is nothing to make it of."""

    name: str
    number: int
    kind: str
    split: str
    licence: str
    source: str
    make: Callable[[np.random.Generator], Array | None]

    @property
    def path(self) -> str:
        return f"sounds/{self.name}-{self.number}.flac"


def sound_rows(work: Path, done: set[str]) -> Iterator[Row]:
    """Write the files below ``work``/sounds that are not among the paths ``done``; yield their rows."""
    for sound in sounds(work):
        if sound.path in done:
            continue
        samples = sound.make(_chance(f"{sound.name.removeprefix('noise-')}-{sound.number}"))
        if samples is None:
            Console(stderr=True).print(f"{sound.path}: left out, {sound.source} is missing")
            continue
        excerpts.write(work / sound.path, excerpts.bounded(samples.astype(np.float32)))
        yield Row(
            path=sound.path,
            split=sound.split,
            teach="nothing",
            artist=sound.name,
            source=sound.source,
            licence=sound.licence,
            seconds=f"{len(samples) / RATE:.2f}",
        )


def sounds(work: Path) -> Iterator[Sound]:
    """Yield every file to be made."""
    for name, maker in noise.MAKERS.items():
        for number in range(1 if name == "silence" else NOISES):
            split = {NOISES - 1: "test", NOISES - 2: "validation"}.get(number, "train")
            make = partial(_noise, maker, name not in AS_THEY_ARE)
            kind = "synthetic noise"
            yield Sound(f"noise-{name}", number, kind, split, "made here", kind, make)
    for clips in (*SPEECH, *NATURE):
        kind = "speech" if clips in SPEECH else "nature, animals, machines"
        for number in range(clips.files):
            make = partial(_string, clips, work, number, room=clips in SPEECH and number % 2 == 1)
            source = clips.package
            yield Sound(clips.name, number, kind, clips.split, clips.licence, source, make)
    for voice in VOICES:
        for number in range(2):
            make = partial(_speak, voice, room=number == 1)
            source = f"{voice.program} speech"
            kind = "synthetic speech"
            yield Sound(voice.name, number, kind, voice.split, "made here", source, make)


def in_a_room(random: np.random.Generator, samples: Array) -> Array:
    """Return the sound with reverberation (0.2 to 1.5 s) and noise 5 to 25 dB below it."""
    decay = random.uniform(0.2, 1.5)
    time = np.arange(int(decay * RATE)) / RATE
    room = random.standard_normal(len(time)) * 10 ** (-3 * time / decay)
    room /= np.sqrt(np.sum(room**2))
    wet = samples + random.uniform(0.2, 1.0) * fftconvolve(samples, room)[: len(samples)]
    bed = noise.coloured(random, len(wet), random.uniform(0, 2))
    level = np.sqrt(np.mean(wet**2) / np.mean(bed**2))
    mixed: Array = wet + bed * level * 10 ** (-random.uniform(5, 25) / 20)
    return mixed


def _noise(maker: Maker, turned: bool, random: np.random.Generator) -> Array:
    samples = maker(random, _length(random))
    return samples * 10 ** (random.uniform(-30, 0) / 20) if turned else samples


def _string(
    clips: Clips, work: Path, number: int, random: np.random.Generator, *, room: bool
) -> Array | None:
    """String clips together with pauses until the file is long enough; None without clips."""
    folder = debian.unpack(clips.package, work / "unpacked", work / "deb")
    found = debian.audio_files(folder) if folder else ()
    paths = [path for path in found if re.search(clips.pattern, path.as_posix())]
    order = _chance(clips.name).permutation(len(paths))[number :: clips.files]
    chosen = [paths[i] for i in order] or paths
    out = np.zeros(_length(random))
    at = int(random.uniform(0, 1) * RATE)
    heard = False
    for turn in range(1000):
        if not chosen or at >= len(out):
            break
        try:
            clip = audio.read(chosen[turn % len(chosen)], RATE)
        except AudioError:
            continue
        heard = True
        clip = clip[: len(out) - at] / max(1e-4, float(np.abs(clip).max()))
        out[at : at + len(clip)] += clip
        at += len(clip) + int(random.gamma(2, 0.25) * RATE)
    if not heard:
        return None
    out = out * 10 ** (random.uniform(-20, 0) / 20)
    return in_a_room(random, out) if room else out


def _speak(voice: Voice, random: np.random.Generator, *, room: bool) -> Array | None:
    """Have the voice say the language's sentences, in any order; None where it is not installed."""
    if shutil.which(voice.program) is None:
        return None
    sentences = " ".join(random.permutation(TEXTS[voice.language].splitlines()))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        command = [voice.program, *voice.arguments]
        command += (
            ["-t", sentences, "-o", path] if voice.program == "flite" else ["-w", path, sentences]
        )
        subprocess.run(command, check=True, capture_output=True)
        samples = audio.read(path, RATE)[: _length(random)].astype(np.float64)
    out = samples * 10 ** (random.uniform(-20, 0) / 20) / np.abs(samples).max()
    return in_a_room(random, out) if room else out


def _length(random: np.random.Generator) -> int:
    return int(random.uniform(30, 40) * RATE)


def _chance(name: str) -> np.random.Generator:
    return np.random.default_rng(splits.number(name) % 2**32)
