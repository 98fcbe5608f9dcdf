"""``tagkit data``: a dataset is checked, prepared and written down; what is wrong is named and counted."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from tagkit import recipe
from tagkit.cli.main import app
from tagkit.data import manifest, open_dataset
from tagkit.data.cache import Cache
from tagkit.errors import DataError
from tagkit.library.containers import open_tags
from tagkit.recipe import Data
from tagkit.training.supervised import front_end_of
from tagkit.vocab import canonical
from tests import corpus, media

PIECES = corpus.compose(24)


@pytest.fixture(scope="module")
def sounds() -> dict[int, bytes]:
    """Real files, all another: one second a piece would be too little to tell, and is enough here."""
    return {piece.number: corpus.mp3(piece, 1.0) for piece in PIECES}


@pytest.fixture
def mtat(tmp_path: Path, sounds: dict[int, bytes]) -> Path:
    return corpus.write_mtat(tmp_path / "mtat", PIECES, sounds)


@pytest.fixture
def listed(tmp_path: Path, sounds: dict[int, bytes]) -> Path:
    return corpus.write_manifest(tmp_path / "own", PIECES, sounds)


def tagkit(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


def checked(*arguments: object) -> tuple[int, dict[str, Any]]:
    done = tagkit("data", "check", *arguments, "--format", "json")
    return done.exit_code, json.loads(done.stdout)


def test_every_layout_of_the_corpus_is_recognised(
    tmp_path: Path, mtat: Path, listed: Path, sounds: dict[int, bytes]
) -> None:
    jamendo = corpus.write_jamendo(tmp_path / "jamendo", PIECES, sounds)
    names = [open_dataset(folder, Data()).name for folder in (mtat, jamendo, listed)]
    assert names == ["mtat-top50-folders", "mtg-jamendo-moodtheme-split-0", "own"]
    assert (
        open_dataset(listed / "manifest.csv", Data()).tracks == open_dataset(listed, Data()).tracks
    )
    with pytest.raises(DataError, match=r"tagkit has no dataset 'mtatt' \(did you mean mtat"):
        open_dataset(mtat, Data(dataset="mtatt"))  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"holds no dataset.*--dataset.*--from-library"):
        open_dataset(tmp_path, Data())
    with pytest.raises(DataError, match="gone: is not there"):
        open_dataset(tmp_path / "gone", Data())


def test_a_sound_dataset_is_counted(listed: Path) -> None:
    code, report = checked(listed)
    assert code == 0 and not report["missing"] and not report["unreadable"]
    assert sum(report["tracks"].values()) == len(PIECES)
    for tag in corpus.TAGS:
        if any(tag in piece.tags for piece in PIECES):
            told = report["tags"][canonical(tag).name]
            for split in corpus.SHARES:
                here = sum(tag in piece.tags for piece in PIECES if piece.split == split)
                assert told[split] == here
    train = [tag["train"] for tag in report["tags"].values() if tag["train"]]
    assert report["imbalance"] == max(train) / min(train)
    assert not report["duplicates"] and not report["artists_in_several_splits"]


def test_the_table_says_the_same_in_words(listed: Path) -> None:
    done = tagkit("data", "check", listed)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"own: {len(PIECES)} tracks (train ")
    assert "times as frequent as the rarest" in lines[1]
    assert any(line.split()[:2] == ["happy", "mood"] for line in lines)


def test_missing_and_unreadable_files_are_named_and_the_exit_code_tells(listed: Path) -> None:
    first, second, *_ = (track.path for track in manifest.read(listed).tracks)
    (listed / first).unlink()
    (listed / second).write_bytes(b"")  # as MagnaTagATune has three
    code, report = checked(listed)
    assert code == 1
    assert report["missing"] == [first]
    assert report["unreadable"] == [{"path": str(listed / second), "reason": "is empty"}]
    said = tagkit("data", "check", listed).stderr
    assert f"missing: {listed / first}" in said and f"unreadable: {listed / second}" in said
    quick = tagkit("data", "check", listed, "--quick")
    assert quick.exit_code == 1 and "unreadable:" not in quick.stderr


def test_leaks_duplicates_empty_splits_and_tags_without_a_track_are_told(tmp_path: Path) -> None:
    for n in range(3):
        media.make(tmp_path / f"{n}.wav", "wav", seconds=0.2, seed=n)
    shutil.copy(tmp_path / "0.wav", tmp_path / "copy.wav")
    tags = open_tags(tmp_path / "copy.wav")
    tags.set("mood", ["happy"])  # another file, the same audio
    tags.save()
    (tmp_path / "manifest.csv").write_text(
        "path,tags,split,artist,album\n0.wav,happy,train,A,x\n1.wav,happy,train,B,x\n"
        "copy.wav,sad,test,A,x\n2.wav,sad,test,C,y\n2.wav,sad,test,C,y\n"
    )
    code, report = checked(tmp_path)
    assert code == 0
    assert report["artists_in_several_splits"] == {"A": ["train", "test"]}
    assert report["albums_in_several_splits"] == {"A / x": ["train", "test"]}
    assert sorted(report["duplicates"]) == [["0.wav", "copy.wav"], ["2.wav", "2.wav"]]
    assert "the split validation is empty" in report["warnings"]
    assert "tags without a track in train (1): sad" in report["warnings"]
    table = tagkit("data", "check", tmp_path).stdout
    assert "1 artists in several splits:\n  A: train, test" in table
    assert "2 files with the same audio:" in table


def test_a_librarys_tags_become_a_manifest_that_can_be_edited(tmp_path: Path, music: Path) -> None:
    for n in range(12):
        (music / f"artist {n}").mkdir()
        path = media.make(music / f"artist {n}" / "1.flac", "flac", seconds=0.2, seed=n)
        tags = open_tags(path)
        tags.set("mood", ["Happy", "Night drive"] if n % 2 else ["Sad"])
        tags.save()
    out = tmp_path / "mine.csv"
    done = tagkit("data", "manifest", "--from-library", music, "--field", "MOOD", "--out", out)
    assert done.exit_code == 0 and done.stdout.strip() == str(out)
    assert "12 of 12 files have a mood of yours" in done.stderr
    with out.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert {row["tags"] for row in rows} == {"happy;mood---night drive", "sad"}
    assert {row["split"] for row in rows} == {"train", "validation", "test"}
    code, report = checked(out)
    assert code == 0 and report["tags"]["mood---night drive"]["category"] == "mood"
    library_code, library = checked("--from-library", music, "--field", "mood")
    assert library_code == 0 and library["tags"] == report["tags"]


def test_prepare_fills_the_cache_that_training_reads(tmp_path: Path, mtat: Path) -> None:
    for path in (mtat / "0").iterdir():
        path.write_bytes(b"no audio")
        break
    arguments = ("data", "prepare", "musicnn", mtat, "--cache", tmp_path / "cache", "--jobs", 2)
    done = tagkit(*arguments)
    assert done.exit_code == 1
    assert f"failed: {path}" in done.stderr
    assert f"{len(PIECES) - 1} of {len(PIECES)} tracks are ready" in done.stderr
    cache = Cache(tmp_path / "cache", front_end_of(recipe.load("musicnn")))
    assert done.stdout.strip() == str(cache.folder)
    files = {path: path.stat().st_mtime_ns for path in cache.folder.glob("*/*.npy")}
    assert len(files) == len(PIECES) - 1
    assert tagkit(*arguments).exit_code == 1
    assert {path: path.stat().st_mtime_ns for path in cache.folder.glob("*/*.npy")} == files
    track = next(t for t in open_dataset(mtat, Data()).tracks if mtat / t.path != path)
    assert cache.get(mtat / track.path).dtype == np.uint8


def test_prepare_takes_the_recipe_as_it_is_changed(tmp_path: Path, listed: Path) -> None:
    done = tagkit(
        *("data", "prepare", "musicnn", listed, "--dataset", "manifest"),
        *("--set", "augment.polarity=0.5", "--cache", tmp_path / "cache"),
    )
    assert done.exit_code == 0, done.stderr
    assert Path(done.stdout.strip()).name.startswith("audio-")


def test_prepare_reads_another_dataset_than_the_recipes_own(tmp_path: Path, listed: Path) -> None:
    for given in ((), ("--dataset", "manifest")):
        done = tagkit("data", "prepare", "musicnn", listed, "--cache", tmp_path / "cache", *given)
        assert done.exit_code == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("check",), 2, "name one dataset"),
        (("check", "DIR", "--from-library", "DIR"), 2, "name one dataset"),
        (("check", "--from-library", "DIR"), 2, "such as --field MOOD"),
        (("check", "DIR"), 1, "holds no dataset"),
        (("check", "DIR", "--dataset", "mtat"), 1, "annotations_final.csv: is not there"),
        (("prepare", "musicn", "DIR"), 1, "no recipe is called 'musicn'"),
        (
            ("manifest", "DIR", "--dataset", "manifest", "--out", "x.csv"),
            1,
            "holds no manifest.csv",
        ),
    ],
)
def test_a_mistake_is_said_with_the_next_step(
    tmp_path: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = tagkit("data", *(str(tmp_path) if word == "DIR" else word for word in arguments))
    assert (done.exit_code, says in done.stderr) == (code, True), done.stderr
