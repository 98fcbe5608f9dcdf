"""What ``bench/weights`` says of its stems and test mixes: tags, levels, seeds, and what is unseen."""

from __future__ import annotations

import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest

from tagkit import vocab

sys.path.append(str(Path(__file__).parents[1] / "bench" / "weights"))

import compose
import drums
import midi
import mixes
import parts
import philharmonia
import render
import songs
import synth
from general_midi import ALWAYS_MAYBE, VOICES, Voice

INSTRUMENTS = {tag.name for tag in vocab.all_tags() if tag.category == "instrument"}
TEST_SONGS = [f"{n:03}" for n in range(1, 910) if songs.split_of(f"{n:03}") == "test"]
PLAN = mixes.plan(TEST_SONGS)


def test_every_voice_speaks_in_canonical_instrument_tags() -> None:
    for voice in VOICES.values():
        assert {*voice.tags, *voice.maybe} <= INSTRUMENTS, voice.name
        assert not set(voice.tags) & set(voice.maybe), voice.name
        assert len(set(voice.maybe)) == len(voice.maybe), voice.name
        assert set(ALWAYS_MAYBE) <= set(voice.maybe), voice.name
        assert all(0 <= program < 128 for program in voice.programs)
        assert 0 <= voice.low < voice.high < 128


def test_no_program_is_in_two_voices_and_nobody_sings() -> None:
    tonal = Counter(p for v in VOICES.values() if not v.is_drums for p in v.programs)
    assert max(tonal.values()) == 1
    assert not {52, 53, 54, 85, 91} & set(tonal)  # choirs, voice lead, choir pad


def test_every_taught_tag_has_many_stems() -> None:
    stems: Counter[str] = Counter()
    for voice in VOICES.values():
        stems.update(dict.fromkeys(voice.tags, voice.stems))
    unsaid = {*ALWAYS_MAYBE, "orchestra", "beat", "acoustic bass guitar"}
    assert set(stems) == INSTRUMENTS - unsaid
    assert min(stems.values()) >= 8
    assert all(stems[tag] >= 20 for tag in stems if tag != "keyboard")


@pytest.mark.parametrize("voice", VOICES.values(), ids=VOICES)
def test_a_voice_plays_within_its_range_throughout_a_piece(voice: Voice) -> None:
    for number, role in enumerate(voice.roles):
        piece = compose.compose(number, "train", bars=16)
        notes = parts.play(piece, voice, role, Random(f"{voice.name} {number}"))
        assert all(voice.low <= note.pitch <= voice.high for note in notes)
        assert all(0 < note.velocity < 128 and note.length > 0 <= note.start for note in notes)
        assert max(note.start + note.length for note in notes) > 0.8 * piece.length


def test_lines_are_monophonic_but_for_a_touch_of_legato() -> None:
    piece = compose.compose(1, "train")
    notes = parts.line(piece, VOICES["oboe"], Random(0))
    assert all(a.start + a.length <= b.start + 1e-6 for a, b in pairwise(notes))


def test_a_composition_is_a_function_of_its_number() -> None:
    assert compose.compose(7, "train") == compose.compose(7, "train")
    assert compose.compose(7, "train") != compose.compose(8, "train")
    found = [compose.compose(n, "train") for n in range(60)]
    assert len({piece.chords[0].root for piece in found}) == 12
    assert {piece.beats_a_bar for piece in found} == {3, 4}


def test_bongos_are_bongos_only() -> None:
    assert {note.pitch for note in drums.play("bongo", Random(0), 8, 4)} <= {60, 61}


def test_midi_comes_back_as_it_was_written(tmp_path: Path) -> None:
    piece = compose.compose(3, "train", bars=4)
    mido = pytest.importorskip("mido", reason="bench/weights writes MIDI with mido")
    file = tmp_path / "a.mid"
    midi.write(file, [midi.Player(40, False, piece.melody)], 120, echo=0, width=0)
    (track,) = [t for t in mido.MidiFile(file).tracks if len(t) > 2]
    found = midi._notes(track, midi.TICKS)
    assert [note.pitch for note in found] == [note.pitch for note in piece.melody]
    starts = [note.start for note in piece.melody]
    assert [note.start for note in found] == pytest.approx(starts, abs=1 / midi.TICKS)


def test_songs_are_split_by_song() -> None:
    splits = Counter(songs.split_of(f"{n:03}") for n in range(1, 910))
    assert splits["test"] >= 100
    assert splits["validation"] >= 40
    assert splits["train"] >= 600


def test_mixes_are_of_unseen_pieces_and_an_unseen_soundfont() -> None:
    assert {line.song for lines in PLAN for line in lines} <= set(TEST_SONGS)
    assert render.UNSEEN.file not in {font.file for font in render.FONTS.values()}


def test_the_plan_of_the_mixes_is_seeded_and_only_grows() -> None:
    assert mixes.plan(TEST_SONGS, 20) == PLAN[:20]


def test_enough_mixes_of_enough_tags() -> None:
    assert len(PLAN) >= 240
    positive = Counter(tag for lines in PLAN for tag in mixes.tags(lines)[0])
    assert sum(count >= 20 for count in positive.values()) >= 30
    one_song = sum(len({line.song for line in lines}) == 1 for lines in PLAN)
    assert one_song >= len(PLAN) / 2


def test_labels_and_levels_of_a_mix() -> None:
    for lines in PLAN:
        assert 3 <= len(lines) <= 6
        assert max(line.level for line in lines) == 0
        assert all(mixes.QUIETEST <= line.level <= 0 for line in lines)
        sure, maybe = mixes.tags(lines)
        assert not set(sure) & set(maybe)
    violin = mixes.Line(VOICES["violin"], 40, "line", "001", 0.0)
    strings = mixes.Line(VOICES["strings"], 48, "pad", "001", -6.0)
    assert "strings" in mixes.tags([violin])[1]
    assert mixes.tags([violin, strings])[0] == ["strings", "violin"]


def test_sounds_are_mixed_at_their_levels() -> None:
    rate = synth.RATE
    noise = np.random.default_rng(0).standard_normal((2, 2 * rate)).astype(np.float32)
    noise[0] *= 0.01
    mixed = mixes.together([noise[0], noise[1]], [0.0, -12.0])
    gains = [float(mixed @ sound / (sound @ sound)) for sound in noise]
    heard = [synth.level(sound * np.float32(g)) for sound, g in zip(noise, gains, strict=True)]
    assert heard == pytest.approx([0.0, -12.0], abs=0.3)


def test_rests_are_shortened_and_levels_set() -> None:
    tone = 0.1 * np.sin(np.arange(synth.RATE) * 0.2).astype(np.float32)
    rest = np.zeros(2 * synth.RATE, np.float32)
    closed = synth.close_gaps(np.concatenate([tone, rest, tone]))
    assert len(closed) / synth.RATE == pytest.approx(2.4, abs=0.11)
    assert synth.level(synth.at_level(closed)) == pytest.approx(synth.LEVEL, abs=0.1)


def test_the_pitch_of_a_recorded_note_is_found_and_moved() -> None:
    time = np.arange(synth.RATE) / synth.RATE
    tone = sum(np.sin(2 * np.pi * 220 * k * time) / k for k in (1, 2, 3)).astype(np.float32)
    found = philharmonia.pitch(tone)
    assert found == pytest.approx(57, abs=0.05)
    moved = philharmonia.pitch(philharmonia._tuned(tone, 2.0))
    assert moved == pytest.approx(59, abs=0.1)
    silence = np.zeros(3200, np.float32)
    assert len(philharmonia.apart(np.concatenate([tone, silence, tone, silence]))) == 2


def test_notes_of_real_instruments_borrow_a_voice() -> None:
    assert set(philharmonia.VOICES.values()) <= set(VOICES)
