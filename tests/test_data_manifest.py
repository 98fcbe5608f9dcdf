"""Anybody's dataset as a table: what it may say, and what it is told when it says something else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tagkit.data import manifest, open_dataset, sources
from tagkit.data.dataset import SPLITS
from tagkit.data.grouping import leaks
from tagkit.errors import DataError, RecipeError
from tagkit.recipe import Data
from tagkit.vocab import Tag

ROWS = [
    ("a/1.mp3", "happy;guitar", "train", "A", "one"),
    ("a/2.mp3", "no vocals|genre---britpop", "train", "A", "one"),
    ("b/1.mp3", "sad", "validation", "B", ""),
    ("c/1.mp3", "", "test", "", ""),
]


def table(
    path: Path, rows: list[tuple[str, ...]], header: str = "path,tags,split,artist,album"
) -> Path:
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n", encoding="utf-8")
    return path


def test_tags_are_canonical_and_ones_own_keep_their_category(tmp_path: Path) -> None:
    found = manifest.read(table(tmp_path / "manifest.csv", ROWS))
    assert found.outputs == ("happy", "sad", "guitar", "genre---britpop", "instrumental")
    assert found.tags[3] == Tag("britpop", "genre") and found.tags[4] == Tag(
        "instrumental", "vocals"
    )
    assert found.root == tmp_path and found.name == tmp_path.name
    assert [track.split for track in found.tracks] == ["train", "train", "validation", "test"]
    assert found.labels.tolist() == [
        [True, False, True, False, False],
        [False, False, False, True, True],
        [False, True, False, False, False],
        [False] * 5,
    ]
    assert found.tracks[0].artist == "A" and found.tracks[3].album == ""


def test_csv_tsv_and_jsonl_say_the_same(tmp_path: Path) -> None:
    csv = manifest.read(table(tmp_path / "x.csv", ROWS))
    lines = (tmp_path / "x.csv").read_text(encoding="utf-8").replace(",", "\t")
    (tmp_path / "x.tsv").write_text("\ufeff" + lines, encoding="utf-8")  # as Excel saves it
    objects = [
        {"path": p, "tags": t.replace("|", ";").split(";"), "split": s, "artist": a, "album": b}
        for p, t, s, a, b in ROWS
    ]
    (tmp_path / "x.jsonl").write_text("\n\n".join(map(json.dumps, objects)), encoding="utf-8")
    for other in ("x.tsv", "x.jsonl"):
        assert manifest.read(tmp_path / other) == csv


def test_without_splits_artists_are_dealt_out_the_same_way_each_time(tmp_path: Path) -> None:
    rows = [(f"{n:03}.mp3", "happy" if n % 2 else "sad", f"artist {n // 5}") for n in range(300)]
    path = table(tmp_path / "x.csv", rows, "path,tags,artist")
    found = manifest.read(path)
    sizes = [len(found.split(split).tracks) for split in SPLITS]
    assert sizes == [240, 30, 30]
    assert not leaks(found.tracks, "artist")
    assert manifest.read(path) == found


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl"])
def test_what_is_written_is_read_back(tmp_path: Path, ending: str) -> None:
    odd = ('"d/new\nline, \udcff.mp3"', "sad", "test", '"C, D"', "tab\there")
    text = table(tmp_path / "x.csv", ROWS).read_bytes()
    line = (",".join(odd) + "\n").encode("utf-8", "surrogateescape")
    (tmp_path / "x.csv").write_bytes(text + line)
    found = manifest.read(tmp_path / "x.csv")
    assert found.tracks[-1].path == "d/new\nline, \udcff.mp3"
    manifest.write(found, tmp_path / f"manifest.{ending}")
    again = manifest.read(tmp_path / f"manifest.{ending}")
    assert (again.outputs, again.tags, again.tracks) == (found.outputs, found.tags, found.tracks)
    (tmp_path / "elsewhere").mkdir()
    manifest.write(found, tmp_path / "elsewhere" / f"manifest.{ending}")
    moved = manifest.read(tmp_path / "elsewhere" / f"manifest.{ending}")
    assert moved.root / moved.tracks[0].path == tmp_path / "a/1.mp3"


@pytest.mark.parametrize(
    ("row", "says", "then"),
    [
        (("a.mp3", "happpy", "train"), "line 3: no tag is called 'happpy'", "did you mean happy"),
        (("a.mp3", "zzzzzzzz", "train"), "line 3: no tag is called 'zzzzzzzz'", "category---name"),
        (("a.mp3", "mood---this/that", "train"), "line 3: no tag is called", "no name has ; /"),
        (("a.mp3", "feeling---blue", "train"), "line 3: no tag is called", "mood, theme"),
        (("a.mp3", "happy", "dev"), "line 3: split is 'dev'", "train, validation, test"),
        (("a.mp3", "happy", ""), "line 3: split is ''", "no split at all"),
        (("", "happy", "train"), "line 3 has no path", "it needs path and tags"),
    ],
)
def test_a_wrong_line_is_named_with_the_next_step(
    tmp_path: Path, row: tuple[str, ...], says: str, then: str
) -> None:
    path = table(tmp_path / "x.csv", [("ok.mp3", "happy", "train"), row], "path,tags,split")
    with pytest.raises(DataError) as caught:
        manifest.read(path)
    assert caught.value.message.startswith(says) and then in (caught.value.hint or "")
    assert caught.value.path == str(path)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("x.csv", "", "lists no track"),
        ("x.csv", "path,tags\n", "lists no track"),
        ("x.csv", "path,tags\na.mp3,\n", "no track with a tag|has no tags"),
        ("x.csv", "file,tags\na.mp3,happy\n", "has no column path"),
        ("x.csv", "path,tag\na.mp3,happy\n", "line 2 has no tags"),
        ("x.jsonl", "{", "line 1 is no JSON"),
        ("x.jsonl", "[]", "line 1 is no object"),
        ("x.jsonl", '{"path": "a", "tags": "happy"}', "tags is no list"),
        ("x.jsonl", '{"path": "a", "tags": [1]}', "tags is no list"),
        ("x.jsonl", '{"path": 1, "tags": ["happy"]}', "path is no text"),
    ],
)
def test_a_file_that_is_no_manifest_says_why(
    tmp_path: Path, name: str, text: str, says: str
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=says):
        manifest.read(tmp_path / name)


def test_missing_files_are_counted_and_left_out(tmp_path: Path) -> None:
    path = table(tmp_path / "manifest.csv", ROWS)
    with pytest.raises(DataError, match=r"none of the 4 files .*the first should be .*a/1\.mp3"):
        open_dataset(path, Data())
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.mp3").touch()
    found = open_dataset(tmp_path, Data())
    assert [track.path for track in found.tracks] == ["a/1.mp3", "b/1.mp3"]
    assert found.warnings[0] == "missing files, left out: 2, such as a/2.mp3"
    assert "the split test is empty" in found.warnings
    assert any(
        "tags without a track in train (" in warning and "sad, " in warning
        for warning in found.warnings
    )


def test_artists_in_several_splits_are_told(tmp_path: Path) -> None:
    rows = [("1.mp3", "happy", "train", "A", ""), ("2.mp3", "happy", "test", "A", "")]
    for row in rows:
        (tmp_path / row[0]).touch()
    found = open_dataset(table(tmp_path / "manifest.csv", rows), Data())
    assert "artists in several splits, so scores flatter (1): A" in found.warnings


def test_distillation_needs_no_tags(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").touch()
    path = table(tmp_path / "x.csv", [("a.mp3", "train")], "path,split")
    assert sources.read(path, tmp_path) == [sources.Source("a.mp3", "train")]
    table(path, [("a.mp3", "train"), ("b.mp3", "test")], "path,split")
    with pytest.raises(RecipeError, match=r"line 3: b\.mp3 is not below .* --data"):
        sources.read(path, tmp_path)
    with pytest.raises(RecipeError, match="split is 'dev'"):
        sources.read(table(path, [("a.mp3", "dev")], "path,split"), tmp_path)


@pytest.mark.parametrize(
    ("setting", "says"), [("tags", "no tag lists"), ("split", "no splits"), ("mels", "no mel-")]
)
def test_a_choice_that_a_manifest_does_not_offer_is_refused(
    tmp_path: Path, setting: str, says: str
) -> None:
    table(tmp_path / "manifest.csv", ROWS)
    with pytest.raises(DataError, match=says):
        open_dataset(tmp_path, Data(**{setting: "won" if setting != "mels" else True}))


def test_a_file_that_is_listed_twice_is_told(tmp_path: Path) -> None:
    (tmp_path / "1.mp3").touch()
    rows = [("1.mp3", "happy", split, "", "") for split in ("train", "validation", "test")]
    found = open_dataset(table(tmp_path / "m.csv", rows), Data())
    assert "files listed several times (1): 1.mp3" in found.warnings


@pytest.mark.parametrize("text", ["path;tags\n1.mp3;happy\n", "a,b\n", "\1"])
def test_columns_without_a_path_are_shown(tmp_path: Path, text: str) -> None:
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(DataError, match=r"has no column path .*it says: ") as caught:
        manifest.read(tmp_path / "m.csv")
    assert text.splitlines()[0].split(",")[0] in str(caught.value)


def test_a_category_in_capitals_is_one(tmp_path: Path) -> None:
    found = manifest.read(table(tmp_path / "m.csv", [("1.mp3", "Mood---Sunny", "train", "", "")]))
    assert found.tags == (Tag("sunny", "mood"),)


def test_a_name_that_no_disk_takes_is_missing(tmp_path: Path) -> None:
    (tmp_path / "1.mp3").touch()
    rows = [(name, "happy", "train", "", "") for name in ("1.mp3", "x" * 5000)]
    found = open_dataset(table(tmp_path / "m.csv", rows), Data())
    assert found.warnings[0].startswith("missing files, left out: 1")
