"""MagnaTagATune: its splits, its fifty tags and its merged fifty, whose clips belong together."""

from __future__ import annotations

import csv
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tagkit.data import mtat, mtat_tags
from tagkit.data.dataset import SPLITS
from tagkit.data.grouping import leaks
from tagkit.errors import DataError
from tagkit.vocab import CATEGORIES, VOCABULARIES, Tag
from tests.shared import shared

PLAIN = (
    "guitar",
    "guitars",
    "classical",
    "clasical",
    "no vocal",
    "no voice",
    "no beat",
    "weird",
    "banjo",
)
COLUMNS = (*PLAIN, *(tag for tag in mtat_tags.TOP50 if tag not in PLAIN))


def clip(folder: str, artist: str, number: int, start: int = 0) -> str:
    return f"{folder}/{artist}-an_album-{number:02}-a_title-{start}-{start + 29}.mp3"


def annotate(root: Path, clips: dict[str, set[str]], columns: tuple[str, ...] = COLUMNS) -> Path:
    with (root / mtat.ANNOTATIONS).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t", quoting=csv.QUOTE_ALL)
        table.writerow(["clip_id", *columns, "mp3_path"])
        for number, (path, tags) in enumerate(clips.items()):
            assert tags <= set(columns)
            table.writerow([number + 2, *(int(tag in tags) for tag in columns), path])
    return root


CLIPS = {
    clip("0", "anna", 1): {"guitar", "no vocal"},
    clip("b", "bert", 1): {"guitars", "no voice", "clasical"},
    clip("c", "carl", 1): {"guitar", "guitars", "classical"},
    clip("d", "dora", 1): {"weird", "no beat"},
    clip("f", "dora", 2): set(),
}


def test_folders_are_the_split_and_every_clip_is_kept(tmp_path: Path) -> None:
    found = mtat.read(annotate(tmp_path, CLIPS))
    assert found.name == "mtat-top50-folders"
    assert [track.split for track in found.tracks] == [
        "train",
        "train",
        "validation",
        "test",
        "test",
    ]
    assert found.outputs == VOCABULARIES["mtat-top50"]
    assert found.tracks[0].tags == {"guitar", "no vocal"} and found.tracks[0].id == "2"
    assert (found.tracks[1].artist, found.tracks[1].album) == ("bert", "an_album")
    assert found.tracks[1].tags == {"no voice"}  # clasical and guitars are none of the fifty
    assert not found.warnings


def test_synonyms_are_merged_and_counted_once_a_clip(tmp_path: Path) -> None:
    found = mtat.read(annotate(tmp_path, CLIPS), tags="merged50")
    counts = dict(zip(found.outputs, found.counts.tolist(), strict=True))
    expected = {"guitar": 3, "no singer": 2, "classical": 2, "no beat": 1, "strange": 1}
    assert counts == expected and list(counts.values()) == sorted(counts.values(), reverse=True)
    assert dict(zip(found.outputs, found.tags, strict=True)) == {
        "guitar": Tag("guitar", "instrument"),
        "no singer": Tag("instrumental", "vocals"),
        "classical": Tag("classical", "genre"),
        "strange": Tag("weird", "mood"),
        "no beat": Tag("no beat", "instrument"),
    }


def test_merged_tags_are_at_most_the_fifty_most_frequent(tmp_path: Path) -> None:
    clips = {clip("0", f"a{n}", n): set(COLUMNS[: n + 1]) for n in range(len(COLUMNS))}
    merged = {mtat_tags.MERGED.get(tag, tag) for tag in COLUMNS}
    found = mtat.read(annotate(tmp_path, clips), tags="merged50")
    assert len(found.outputs) == min(50, len(merged))
    assert found.counts.tolist() == sorted(found.counts.tolist(), reverse=True)


def test_every_merged_name_of_table_3_means_a_tag() -> None:
    for name in (*mtat_tags.TABLE_3, *mtat_tags.SYNONYMS):
        tag = mtat_tags.meaning(name)
        assert tag.category in CATEGORIES and tag.name == tag.name.lower()
    spellings = [spelling for group in mtat_tags.SYNONYMS.values() for spelling in group]
    assert len(spellings) == len(set(spellings))
    assert not set(spellings) & set(mtat_tags.SYNONYMS)
    # no printed name is one that the map would have merged into another
    assert not set(mtat_tags.TABLE_3) & set(spellings)
    assert len(mtat_tags.TABLE_3) == 21


def test_counts_unlike_the_papers_are_told_for_the_whole_dataset_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mtat_tags.unlike_table_3(mtat_tags.TABLE_3) == []
    off = Counter(mtat_tags.TABLE_3) + Counter({"guitar": 1})
    assert mtat_tags.unlike_table_3(off) == ["guitar 4,862 (printed: 4,861)"]
    annotate(tmp_path, CLIPS)
    assert not mtat.read(tmp_path, tags="merged50").warnings
    monkeypatch.setattr(mtat, "_WHOLE", 3)
    (warning,) = mtat.read(tmp_path, tags="merged50").warnings
    assert "Table III: guitar 3 (printed: 4,861), classical 2" in warning


def test_the_shuffle_is_13_1_2_seeded_and_says_that_it_leaks(tmp_path: Path) -> None:
    clips = {clip("0", f"artist{n // 4}", 1, n % 4 * 29): {"guitar"} for n in range(160)}
    found = mtat.read(annotate(tmp_path, clips), split="shuffled")
    assert [len(found.split(split).tracks) for split in SPLITS] == [130, 10, 20]
    assert found.name.endswith("-leaky")
    assert any("recordings have clips in several splits" in warning for warning in found.warnings)
    assert mtat.read(tmp_path, split="shuffled") == found
    assert mtat.read(tmp_path, split="shuffled", seed=1) != found
    assert not mtat.read(tmp_path, split="folders").warnings


def test_clip_info_names_artists_where_it_is_there(tmp_path: Path) -> None:
    annotate(tmp_path, CLIPS)
    first, second, *_ = CLIPS
    rows = [["clip_id", "artist", "album", "mp3_path"], ["2", "Anna B.", "An Album", first]]
    with (tmp_path / mtat.CLIP_INFO).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t", quoting=csv.QUOTE_ALL).writerows(rows)
    tracks = {track.path: track for track in mtat.read(tmp_path).tracks}
    assert (tracks[first].artist, tracks[first].album) == ("Anna B.", "An Album")
    assert tracks[second].artist == "bert"


def test_audio_is_found_below_mp3_too(tmp_path: Path) -> None:
    annotate(tmp_path, CLIPS)
    assert mtat.read(tmp_path).root == tmp_path
    (tmp_path / "mp3" / "c").mkdir(parents=True)
    (tmp_path / "mp3" / clip("c", "carl", 1)).touch()
    assert mtat.read(tmp_path).root == tmp_path / "mp3"


def won(root: Path) -> dict[str, list[str]]:
    """Won's official test and validation lists, and a training list and labels of our own."""
    lists = {
        name: np.load(shared("datasets", "mtat", f"{name}.npy")).tolist()
        for name in ("valid", "test")
    }
    lists["train"] = [f"{25_000 + n}\t{clip('0', 'anna', n)}" for n in range(5)]
    for name, entries in lists.items():
        np.save(root / f"{name}.npy", np.array(entries))
    np.save(root / "tags.npy", np.load(shared("datasets", "mtat", "tags.npy")))
    return lists


def test_the_official_lists_are_read_with_their_labels(tmp_path: Path) -> None:
    lists = won(tmp_path)
    random = np.random.default_rng(0)
    binary = random.random((26_000, 50)) < 0.05
    np.save(tmp_path / "binary.npy", binary.astype(np.float64))
    found = mtat.read(tmp_path, split="won")
    assert [len(found.split(split).tracks) for split in SPLITS] == [5, 1_529, 4_332]
    assert found.outputs == VOCABULARIES["mtat-top50"]
    rows = [
        int(entry.split("\t")[0]) for name in ("train", "valid", "test") for entry in lists[name]
    ]
    assert np.array_equal(found.labels, binary[rows])
    # Every official path says who played. No recording is torn apart, but eight artists are.
    assert all(track.artist for track in found.tracks)
    assert not any("recordings" in warning for warning in found.warnings)
    torn = leaks((track for track in found.tracks if track.split != "train"), "artist")
    assert len(torn) == 8 and "atomic_opera" in torn
    recordings = {mtat.recording(track.path) for track in found.split("test").tracks}
    assert 1_000 < len(recordings) < 4_332


def test_the_official_lists_take_labels_from_the_annotations_too(tmp_path: Path) -> None:
    lists = won(tmp_path)
    paths = [entry.split("\t")[1] for name in ("train", "valid", "test") for entry in lists[name]]
    annotate(tmp_path, {**{path: {"guitars"} for path in paths}, **CLIPS})
    found = mtat.read(tmp_path, tags="merged50", split="won")
    assert len(found.tracks) == 5 + 1_529 + 4_332  # and none of the others
    assert found.outputs[0] == "guitar" and found.counts[0] == len(found.tracks)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"binary": np.zeros((26_000, 49))}, r"binary\.npy: is \(26000, 49\), not \(clips, 50\)"),
        ({"binary": np.zeros((3, 50))}, r"binary\.npy: has no row 25\d{3}, which the lists name"),
        ({"binary": np.zeros((26_000, 50)), "test": np.array(["f/a.mp3"])}, "not a row, a tab"),
    ],
)
def test_lists_and_labels_that_do_not_fit_are_named(
    tmp_path: Path, change: dict[str, np.ndarray], says: str
) -> None:
    won(tmp_path)
    for name, array in change.items():
        np.save(tmp_path / f"{name}.npy", array)
    with pytest.raises(DataError, match=says):
        mtat.read(tmp_path, split="won")


class Evil:
    def __reduce__(self) -> object:
        return os.system, ("true",)


def test_a_list_that_is_a_program_is_refused(tmp_path: Path) -> None:
    won(tmp_path)
    np.save(tmp_path / "train.npy", np.array([Evil()], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"train\.npy: is a pickle with more than data"):
        mtat.read(tmp_path, split="won")


def test_a_wrong_choice_or_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"annotations_final\.csv: is not there"):
        mtat.read(tmp_path)
    annotate(tmp_path, CLIPS)
    with pytest.raises(DataError, match=r"no tag set 'top5' \(did you mean top50"):
        mtat.read(tmp_path, tags="top5")
    with pytest.raises(DataError, match=r"has no train\.npy, valid\.npy"):
        mtat.read(tmp_path, split="won")
    annotate(tmp_path, {"x/a-b-01-c-0-29.mp3": set()})
    with pytest.raises(DataError, match="in none of the folders 0 to f"):
        mtat.read(tmp_path)
    (tmp_path / mtat.ANNOTATIONS).write_text('"clip_id"\t"guitar"\n"2"\t"1"\n')
    with pytest.raises(DataError, match="has no column mp3_path"):
        mtat.read(tmp_path)
    (tmp_path / mtat.ANNOTATIONS).write_text('"clip_id"\t"guitar"\t"mp3_path"\n"2"\t"1"\n')
    with pytest.raises(DataError, match="line 2 has 2 cells, not 3"):
        mtat.read(tmp_path)
    annotate(tmp_path, CLIPS, PLAIN)
    with pytest.raises(DataError, match="merging synonyms needs all tags"):
        mtat.read(tmp_path, tags="merged50")
