"""What is prepared once is what the front end hears, is kept, and is never half there."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tagkit import audio, features
from tagkit.data import cache as caching
from tagkit.data.cache import Cache, decibel, pcm
from tagkit.data.filling import prepare
from tagkit.errors import AudioError, RecipeError
from tagkit.front_end import FrontEnd
from tagkit.library.containers import open_tags
from tests import media

SPEC = FrontEnd(8000, n_mels=32)


def heard(path: Path, spec: FrontEnd) -> np.ndarray:
    """What ``spec`` hears of a whole file, in dB or as samples."""
    samples = audio.read(path, spec.sample_rate)
    if len(samples) < spec.chunk_samples:
        samples = np.resize(samples, spec.chunk_samples)
    found: np.ndarray = features.build(spec)(torch.from_numpy(samples)[None])[0].numpy()
    return found


def tensor(stored: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.array(stored))


@pytest.fixture
def song(tmp_path: Path) -> Path:
    return media.make(tmp_path / "song.mp3", "mp3", seconds=2.0)


def test_a_log_mel_is_kept_to_a_quarter_of_a_decibel(song: Path, tmp_path: Path) -> None:
    stored = Cache(tmp_path / "cache", SPEC).get(song)
    assert isinstance(stored, np.memmap) and stored.dtype == np.uint8 and not stored.flags.writeable
    wanted = np.clip(heard(song, SPEC), -100, 27.5)
    assert np.abs(decibel(tensor(stored)).numpy() - wanted).max() <= 0.2501


@pytest.mark.parametrize("spec", [SPEC, replace(SPEC, n_mels=0)], ids=["asked for", "no mels"])
def test_audio_is_kept_as_16_bits(song: Path, tmp_path: Path, spec: FrontEnd) -> None:
    stored = Cache(tmp_path / "cache", spec, samples=bool(spec.n_mels)).get(song)
    assert isinstance(stored, np.memmap) and stored.dtype == np.int16
    wanted = audio.read(song, spec.sample_rate)
    assert np.abs(pcm(tensor(stored)).numpy() - wanted).max() <= 0.51 / 32767


@pytest.mark.parametrize("samples", [False, True])
def test_a_track_shorter_than_a_chunk_is_repeated_for_that_chunk_only(
    tmp_path: Path, samples: bool
) -> None:
    path = media.make(tmp_path / "short.wav", "wav", seconds=0.7, rate=16000)
    short, long = (replace(SPEC, chunk_samples=chunk) for chunk in (8000, 30000))
    whole = Cache(tmp_path / "cache", short, samples=samples).get(path)
    repeated = Cache(tmp_path / "cache", long, samples=samples).get(path)
    again = Cache(tmp_path / "cache", short, samples=samples).get(path)
    assert whole.shape[-1] == (11200 if samples else 44)
    assert repeated.shape[-1] == (30000 if samples else long.frames)
    assert np.array_equal(whole, again)
    if samples:
        assert np.array_equal(repeated, np.resize(whole, 30000))
    else:
        assert np.abs(decibel(tensor(repeated)).numpy() - heard(path, long)).max() <= 0.2501


def test_slabs_of_a_long_track_join_without_a_seam(
    song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, spec in enumerate(
        (SPEC, replace(SPEC, padding="zeros", hop=200), replace(SPEC, hop=100))
    ):
        whole = Cache(tmp_path / f"whole{number}", spec).get(song)
        for slab in (1, 7, whole.shape[1] - 1, whole.shape[1]):
            monkeypatch.setattr(caching, "SLAB", slab)
            pieces = Cache(tmp_path / f"{number}-{slab}", spec).get(song)
            assert pieces.shape == whole.shape
            assert np.abs(pieces.astype(int) - whole.astype(int)).max() <= 1  # rounding at the half
            assert (pieces != whole).mean() < 0.001
        monkeypatch.undo()


def forbid(*_: object) -> None:
    raise AssertionError("the file was heard again")


def test_a_moved_or_retagged_file_is_not_heard_again(
    song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Cache(tmp_path / "cache", SPEC).get(song)
    moved = song.rename(tmp_path / "moved.mp3")
    tags = open_tags(moved)
    tags.set("mood", ["happy"])
    tags.save()
    monkeypatch.setattr(audio, "read", forbid)
    assert np.array_equal(Cache(tmp_path / "cache", SPEC).get(moved), first)
    # Nor is it for a model with another chunk, which the track is long enough for.
    Cache(tmp_path / "cache", replace(SPEC, chunk_samples=16000)).get(moved)
    with pytest.raises(AssertionError, match="heard again"):
        Cache(tmp_path / "cache", replace(SPEC, n_mels=33)).get(moved)


@pytest.mark.parametrize("damage", [b"", b"PK", b"\x93NUMPY", 0.5, "int16"])
def test_a_damaged_file_is_made_again(
    song: Path, tmp_path: Path, damage: bytes | float | str
) -> None:
    cache = Cache(tmp_path / "cache", SPEC)
    first = np.array(cache.get(song))
    (place,) = cache.folder.glob("*/*.npy")
    if isinstance(damage, float):
        place.write_bytes(place.read_bytes()[: int(place.stat().st_size * damage)])
    elif isinstance(damage, str):
        np.save(place, first.astype(damage))
    else:
        place.write_bytes(damage)
    assert np.array_equal(cache.get(song), first)
    assert np.array_equal(np.load(place), first)


def full(_: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_said_and_leaves_nothing_half_written(
    song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(tmp_path / "cache", SPEC)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RecipeError, match=r"No space left.*free some space.*--cache"):
        list(prepare(cache, [song] * 3, 2))
    assert not [path for path in cache.folder.rglob("*") if path.is_file()]
    (tmp_path / "file").touch()
    with pytest.raises(RecipeError, match="cannot be written"):
        Cache(tmp_path / "file", SPEC)


def test_files_are_prepared_in_threads_and_the_bad_ones_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = [media.make(tmp_path / f"{n}.wav", "wav", seconds=0.6, seed=n) for n in range(6)]
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"RIFF")
    threads = torch.get_num_threads()
    cache = Cache(tmp_path / "cache", SPEC)
    done = list(prepare(cache, [*good, bad, tmp_path / "gone.wav"], 3))
    assert sorted(item.path for item in done if item.error is None) == good
    failed = {item.path.name: item.error for item in done if item.error is not None}
    assert failed.keys() == {"bad.wav", "gone.wav"}
    assert all(isinstance(error, AudioError) for error in failed.values())
    assert torch.get_num_threads() == threads
    monkeypatch.setattr(audio, "read", forbid)
    assert len(list(prepare(cache, good, 2))) == 6  # what is there is kept


def test_stopped_half_way_it_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [media.make(tmp_path / f"{n}.wav", "wav", seconds=0.6, seed=n) for n in range(5)]
    read = audio.read
    seen: list[str] = []

    def interrupted(path: Path, rate: int) -> np.ndarray:
        if len(seen) == 3:
            raise KeyboardInterrupt
        seen.append(path.name)
        return read(path, rate)

    monkeypatch.setattr(audio, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(prepare(Cache(tmp_path / "cache", SPEC), paths, 1))
    seen.clear()
    monkeypatch.setattr(
        audio, "read", lambda path, rate: (seen.append(path.name), read(path, rate))[1]
    )
    list(prepare(Cache(tmp_path / "cache", SPEC), paths, 1))
    assert seen == ["3.wav", "4.wav"]
