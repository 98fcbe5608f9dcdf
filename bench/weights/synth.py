"""Sound: fluidsynth plays MIDI files through soundfonts; levels, gaps, FLAC. 16 kHz mono float32."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from pathlib import Path
from random import Random

import midi
import numpy as np
import numpy.typing as npt
import soundfile
import soxr

FloatArray = npt.NDArray[np.float32]

RATE = 16000
SYNTH_RATE = 44100
LEVEL = -20.0  #: dBFS RMS of what is written
FRAME = 1600  #: samples of a frame whose level is taken: 0.1 s
FADE = 1600


@functools.cache
def presets(font: Path) -> frozenset[tuple[int, int]]:
    """Return the (bank, program) pairs of a soundfont; kits are bank 128 (SoundFont 2.04, chunk phdr)."""
    data = font.read_bytes()
    at = data.rfind(b"phdr")
    size = int.from_bytes(data[at + 4 : at + 8], "little")
    if at < 0 or size % 38:
        raise SystemExit(f"{font}: not a soundfont: fetch the Debian package again")
    # 38 bytes a preset: name (20), program (2), bank (2), ...; the last is an end mark.
    rows = (data[at + 8 + i : at + 46 + i] for i in range(0, size - 38, 38))
    pairs = ((row[22] | row[23] << 8, row[20] | row[21] << 8) for row in rows)
    return frozenset(pairs)


def play(font: Path, players: list[midi.Player], bpm: float, random: Random) -> FloatArray:
    """Return what fluidsynth makes of the players, in a room drawn by ``random``."""
    echo = random.choice((0, 20, 40, 70, 110))
    width = random.choice((0, 0, 0, 30, 80))
    room = random.choice((0.2, 0.5, 0.8))
    with tempfile.TemporaryDirectory() as folder:
        score, sound = Path(folder, "score.mid"), Path(folder, "sound.wav")
        midi.write(score, players, bpm, echo, width)
        # File rendering writes the whole file before it exits; samples are loaded as they are needed.
        settings = {
            "synth.gain": 0.4,
            "synth.dynamic-sample-loading": 1,
            "synth.reverb.room-size": room,
            "synth.reverb.active": int(echo > 0),
            "synth.chorus.active": int(width > 0),
            "audio.file.type": "wav",
            "audio.file.format": "float",
        }
        options = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
        command = ["fluidsynth", "-niq", "-r", str(SYNTH_RATE), *options, "-F", str(sound)]
        done = subprocess.run([*command, str(font), str(score)], capture_output=True, text=True)
        if not sound.exists():
            raise SystemExit(f"{font}: fluidsynth rendered nothing: {done.stderr.strip()}")
        samples, rate = soundfile.read(sound, dtype="float32", always_2d=True)
    mono = (samples[:, 0] + samples[:, -1]) * np.float32(0.5)
    return np.asarray(soxr.resample(mono, rate, RATE), np.float32)


def levels(samples: FloatArray) -> FloatArray:
    """Return the RMS of each frame of 0.1 s."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    return np.asarray(np.sqrt((frames**2).mean(1)), np.float32)


def sounding(samples: FloatArray) -> npt.NDArray[np.bool_]:
    """Return, for each frame, whether it is within 35 dB of the loudest tenth of the frames."""
    heard = levels(samples)
    if not len(heard) or heard.max() < 1e-5:
        return np.zeros(len(heard), bool)
    return np.asarray(heard > np.quantile(heard, 0.9) * 10 ** (-35 / 20))


def close_gaps(samples: FloatArray, most: int = 4) -> FloatArray:
    """Return the sound with silences of more than ``most`` frames shortened to that.

    A stem is cut into windows of a few seconds, and each of them is said to hold the instrument.
    """
    quiet, keep = 0, []
    for index, heard in enumerate(sounding(samples)):
        quiet = 0 if heard else quiet + 1
        if quiet <= most:
            keep.append(index)
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    return frames[keep].reshape(-1)


def level(samples: FloatArray) -> float:
    """Return the level in dBFS RMS over the frames in which something sounds."""
    heard = levels(samples)[sounding(samples)]
    return float(20 * np.log10(np.sqrt((heard**2).mean()))) if len(heard) else -120.0


def at_level(samples: FloatArray, wanted: float = LEVEL) -> FloatArray:
    """Return the sound at ``wanted`` dBFS RMS, or as near as its peaks allow."""
    gain = 10 ** ((wanted - level(samples)) / 20)
    peak = float(np.abs(samples).max()) * gain
    return samples * np.float32(gain / max(1.0, peak / 0.98))


def faded(samples: FloatArray) -> FloatArray:
    """Return the sound with its last 0.1 s faded out."""
    out = samples.copy()
    out[-FADE:] *= np.linspace(1, 0, len(out[-FADE:]), dtype=np.float32)
    return out


def write(path: Path, samples: FloatArray) -> None:
    """Write 16-bit FLAC, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    soundfile.write(part, samples, RATE, format="FLAC", subtype="PCM_16")
    part.replace(path)
