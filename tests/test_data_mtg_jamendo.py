"""MTG-Jamendo: the official lists, every subset; audio and mel-spectrograms where people put them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tagkit import models
from tagkit.data import join, mtg_jamendo, music4all, open_dataset, read_dataset
from tagkit.data.cache import Cache, decibel
from tagkit.data.dataset import SPLITS
from tagkit.data.grouping import leaks
from tagkit.errors import DataError, RecipeError
from tagkit.features import LogMel
from tagkit.front_end import MTG
from tagkit.recipe import Data
from tagkit.vocab import VOCABULARIES, Tag
from tests.shared import shared

HEADER = "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS"
ROWS = {
    "train": "track_0000948\tartist_000087\talbum_000149\t48/948.mp3\t212.7\tmood/theme---happy\tgenre---rock",
    "validation": "track_0003346\tartist_000517\talbum_000521\t46/3346.mp3\t195.0\tinstrument---voice",
    "test": "track_0003524\tartist_000530\talbum_000552\t24/3524.mp3\t266.1\tgenre---ethno",
}


def lay_out(root: Path, name: str = "autotagging", split: str = "split-0") -> Path:
    folder = root / "splits" / split
    folder.mkdir(parents=True, exist_ok=True)
    for part, row in ROWS.items():
        (folder / f"{name}-{part}.tsv").write_text(f"{HEADER}\n{row}\n", encoding="utf-8")
    return root


def test_the_official_mood_lists_are_what_the_papers_counted() -> None:
    found = mtg_jamendo.read(shared("datasets", "mtg-jamendo"))
    assert [len(found.split(split).tracks) for split in SPLITS] == [9_949, 3_802, 4_231]
    assert found.outputs == VOCABULARIES["jamendo-moodtheme56"]
    golden = json.loads(shared("golden", "mood_tag_counts.json").read_text())
    assert found.split("train").counts.tolist() == golden["train_count_jamendo"]
    assert not leaks(found.tracks, "artist")
    assert {tag.category for tag in found.tags} == {"mood", "theme"}
    truth = np.load(shared("predictions", "usc-sail-2020", "test_ground_truth.npy"))
    assert np.array_equal(found.split("test").labels, truth.astype(bool))


def test_the_instrument_lists_have_forty_tags() -> None:
    found = mtg_jamendo.read(shared("datasets", "mtg-jamendo"), tags="instrument")
    assert [len(found.split(split).tracks) for split in SPLITS] == [14_395, 5_466, 5_115]
    assert len(found.outputs) == 40 and "instrument---voice" in found.outputs
    assert {tag.category for tag in found.tags} <= {"instrument", "genre", "vocals"}


def test_the_focal_papers_lists_are_split_0_without_artists() -> None:
    official = mtg_jamendo.read(shared("datasets", "mtg-jamendo"))
    found = read_dataset(shared("predictions", "usc-sail-2020"), Data())
    assert found.outputs == official.outputs
    assert [t._replace(artist="", album="") for t in official.tracks] == list(found.tracks)


def test_music4all_joins_to_the_counts_of_the_focal_paper() -> None:
    jamendo = mtg_jamendo.read(shared("datasets", "mtg-jamendo"))
    more = music4all.read(shared("predictions", "usc-sail-2020"), tags="moodtheme")
    golden = json.loads(shared("golden", "mood_tag_counts.json").read_text())
    both = join(jamendo, more)
    assert both.split("train").counts.tolist() == golden["train_count_jamendo_plus_m4a"]
    assert both.outputs == jamendo.outputs
    for track in (both.tracks[0], both.tracks[-1]):
        assert (both.root / track.path).name in ("948.mp3", f"{track.id}.mp3")


def test_a_subset_in_another_split_and_its_tags(tmp_path: Path) -> None:
    found = mtg_jamendo.read(lay_out(tmp_path, split="split-3"), tags="all", split="split-3")
    assert found.outputs == (
        "genre---ethno",
        "genre---rock",
        "instrument---voice",
        "mood/theme---happy",
    )
    assert found.tags == (
        Tag("ethno", "genre"),
        Tag("rock", "genre"),
        Tag("vocals", "vocals"),
        Tag("happy", "mood"),
    )
    first = found.tracks[0]
    assert (first.id, first.path, first.artist) == ("track_0000948", "48/948.mp3", "artist_000087")
    assert found.name == "mtg-jamendo-all-split-3"


@pytest.mark.parametrize("folder", ["", "data"])
@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("48", "948.mp3"),
        ("audio/48", "948.mp3"),
        ("raw_30s/audio/48", "948.low.mp3"),
        ("autotagging_moodtheme/audio/48", "948.mp3"),
    ],
)
def test_audio_is_found_where_people_put_it(
    tmp_path: Path, folder: str, place: str, name: str
) -> None:
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / place / name).touch()
    lay_out(tmp_path / "data", "autotagging_moodtheme")
    found = open_dataset(tmp_path / folder, Data())
    assert found.root / found.tracks[0].path == tmp_path / place / name
    assert found.warnings[0].startswith("missing files, left out: 2")


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (f"{HEADER}\n{ROWS['test']}".replace("\tgenre---ethno", ""), "line 2 has 5 cells"),
        ("TRACK\tPATH\n1\t2\n", "has no column TRACK_ID, ARTIST_ID"),
        ("", "has no column"),
        (f"{HEADER}\n{ROWS['test']}".replace("genre---", "mood---"), "'mood---ethno' is no tag of"),
        (HEADER + "\n\xff", "cannot be read|cells"),
    ],
)
def test_a_list_of_another_form_is_named(tmp_path: Path, table: str, says: str) -> None:
    path = lay_out(tmp_path) / "splits" / "split-0" / "autotagging-test.tsv"
    path.write_text(table, encoding="latin-1")
    with pytest.raises(DataError, match=says):
        mtg_jamendo.read(tmp_path, tags="all")


def test_a_list_that_is_not_there_is_named() -> None:
    with pytest.raises(
        DataError, match=r"autotagging_top50tags-train\.tsv: cannot be read: No such"
    ):
        mtg_jamendo.read(shared("datasets", "mtg-jamendo"), tags="top50tags")


# ------------------------------------------------------------------------- mel-spectrograms

VGG = models.entry("mtg_vgg").front_end
assert VGG is not None


def images(root: Path, image: np.ndarray) -> Path:
    lay_out(root, "autotagging_moodtheme")
    for path in ("48/948.npy", "46/3346.npy", "24/3524.npy"):
        (root / "melspecs" / path).parent.mkdir(parents=True)
        np.save(root / "melspecs" / path, image)
    return root


def decibels(frames: int = 2_000) -> np.ndarray:
    image = np.random.default_rng(0).uniform(-60, 10, (96, frames)).astype(np.float32)
    image[:, :10] = -100  # the silence that a track begins with
    return image


@pytest.mark.parametrize("scale", [1, 2], ids=["as published", "as the script writes"])
def test_official_images_are_ten_times_the_logarithm_of_power(tmp_path: Path, scale: int) -> None:
    found = open_dataset(images(tmp_path, decibels() * scale), Data(mels=True))
    assert found.kind == "mel" and found.root == tmp_path / "melspecs" and len(found.tracks) == 3
    stored = Cache(tmp_path / "cache", VGG).get(found.root / found.tracks[0].path)
    heard = decibel(torch.from_numpy(np.array(stored))).numpy()
    assert heard.shape == (96, 2_000)
    assert np.abs(heard - decibels()).max() <= 0.25  # half a step of the cache


def test_the_probe_that_the_script_made_is_the_front_end_of_the_baseline() -> None:
    """Essentia's own output, 20·log10 of the power: half of it is what our front end computes."""
    probe = np.load(shared("golden", "mtg_essentia_mel_probe.npz"))
    ours = LogMel(MTG)(torch.from_numpy(probe["x"])[None])[0].numpy()
    assert np.abs(ours - probe["mel"] / 2).max() < 0.01
    assert MTG == VGG


def test_a_short_image_is_repeated_to_a_chunk(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", decibels(500))
    stored = Cache(tmp_path / "cache", VGG).get(tmp_path / "a.npy")
    assert stored.shape == (96, VGG.frames)
    assert np.array_equal(stored[:, 500:1000], stored[:, :500])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "cannot be read"),
        (b"\x93NUMPY\x01\x00", "cannot be read"),
        (np.zeros((96, 10), dtype=np.int16), r"int16 \(96, 10\), not float32"),
        (np.zeros((128, 10), dtype=np.float32), r"float32 \(128, 10\)"),
        (np.zeros((96, 0), dtype=np.float32), "holds no frames|cannot be read"),
        (np.full((96, 10), np.nan, dtype=np.float32), "no numbers"),
    ],
)
def test_a_corrupt_image_is_named(tmp_path: Path, content: bytes | np.ndarray, says: str) -> None:
    path = tmp_path / "bad.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content)
    with pytest.raises(DataError, match=rf"bad\.npy: .*({says})"):
        Cache(tmp_path / "cache", VGG).get(path)


def test_a_truncated_image_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "bad.npy", decibels())
    whole = (tmp_path / "bad.npy").read_bytes()
    (tmp_path / "bad.npy").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"bad\.npy: cannot be read"):
        Cache(tmp_path / "cache", VGG).get(tmp_path / "bad.npy")


def test_images_are_for_models_that_hear_them(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", decibels())
    other = models.entry("musicnn").front_end
    assert other is not None
    with pytest.raises(RecipeError, match=r"12 kHz audio .*hears 16000 Hz .*mtg_vgg"):
        Cache(tmp_path / "cache", other).get(tmp_path / "a.npy")
    longer = Cache(tmp_path / "cache", replace(VGG, chunk_samples=36_000))
    assert longer.get(tmp_path / "a.npy").shape == (96, 2_000)
    with pytest.raises(RecipeError, match="changes audio"):
        Cache(tmp_path / "cache", VGG, samples=True).get(tmp_path / "a.npy")
    with pytest.raises(DataError, match="manifest has no mel-spectrograms"):
        read_dataset(tmp_path, Data(dataset="manifest", mels=True))
