"""The committed example music: real sound in seven formats, small, with a listener's own tags kept."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tagkit.audio import probe, read
from tagkit.library.containers import open_tags

MUSIC = Path(__file__).resolve().parents[1] / "examples" / "music"
FILES = sorted(MUSIC.iterdir())
RATE = 16000


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_sketch_is_heard_at_an_even_level(path: Path) -> None:
    assert 15 <= probe(path).duration <= 60
    samples = read(path, RATE)
    level = 20 * np.log10(np.sqrt(np.mean(samples**2)))
    assert level == pytest.approx(-18, abs=1)  # dBFS
    assert np.abs(samples).max() < 0.99  # not clipped
    seconds = samples[: len(samples) // RATE * RATE].reshape(-1, RATE)
    assert np.abs(seconds[:-1]).max(axis=1).min() > 0.005  # no hole before the last note fades


def test_no_two_sketches_sound_alike() -> None:
    """Shares of energy in octave bands, as vectors: none points where another does."""
    spectra = np.stack([octaves(read(path, RATE)) for path in FILES])
    likeness = spectra @ spectra.T - np.eye(len(FILES))
    assert likeness.max() < 0.99


def test_the_seven_formats_are_there_and_small() -> None:
    assert {path.suffix for path in FILES} == set(".mp3 .flac .ogg .opus .wav .aiff .m4a".split())
    assert len(FILES) >= 8
    assert sum(path.stat().st_size for path in FILES) <= 6e6


def test_two_files_carry_a_listeners_own_tags_and_no_other_does() -> None:
    """The first run must have something of the user's to keep, and room to write elsewhere."""
    own = {path.name: {f: open_tags(path).get(f) for f in ("mood", "genre")} for path in FILES}
    assert {name: tags for name, tags in own.items() if any(tags.values())} == {
        "02-lament.flac": {"mood": ["Rainy Sunday"], "genre": []},
        "06-corner-table.m4a": {"mood": [], "genre": ["Late Night Jazz"]},
    }


def octaves(samples: np.ndarray) -> np.ndarray:
    """The energies of eight octave bands up to 8 kHz, (8,), square-rooted, of length 1."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    pitch = np.fft.rfftfreq(len(samples), 1 / RATE)
    edges = 8000 / 2.0 ** np.arange(8, -1, -1)
    bands = [power[(low <= pitch) & (pitch < high)].sum() for low, high in pairwise(edges)]
    shares: np.ndarray = np.sqrt(bands / np.sum(bands))
    return shares
