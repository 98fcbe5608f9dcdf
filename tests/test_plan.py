"""A plan says exactly what will be written, survives the way, and can do nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tagkit.errors import PlanError
from tagkit.library.change import FieldChange, FileChange
from tagkit.library.layout import Layout
from tagkit.library.plan import Header, load_plan, save_plan

HEADER = Header("0.1.0", "9f3c", Layout().settings())
KEY = "0f" * 16
CHANGE = FileChange(
    path=Path("/music/a/Björk — “Jóga”.mp3"),
    container="mp3",
    size=81,
    mtime_ns=17,
    content=KEY,
    changes=(FieldChange("mood", ("Zen",), ("happy", "calm")), FieldChange("theme", (), ("x",))),
    kept=("genre",),
)


def test_what_was_saved_is_what_is_loaded(tmp_path):
    other = FileChange(Path("/b.flac"), "flac", 1, 2, KEY, (FieldChange("mood", ("a",), ()),))
    unchanged = FileChange(Path("/c.flac"), "flac", 1, 2, KEY)
    file = tmp_path / "plan.jsonl"
    assert save_plan(file, [CHANGE, unchanged, other], HEADER) == 2
    plan = load_plan(file)
    assert plan.header == HEADER and plan.count == 2
    assert list(plan) == list(plan) == [CHANGE, other]
    assert [path.name for path in tmp_path.iterdir()] == ["plan.jsonl"]


@pytest.mark.parametrize(
    "name", [b"\xff\xfe caf\xe9.mp3", b"two\nlines\t\x1b[31m.mp3", b"\xf0\x9f\x8e\xb5"]
)
def test_any_file_name_survives_as_its_bytes_in_plain_ascii(tmp_path, name):
    path = tmp_path / os.fsdecode(name)
    save_plan(tmp_path / "plan", [FileChange(path, "mp3", 1, 2, KEY, CHANGE.changes)], HEADER)
    assert (tmp_path / "plan").read_bytes().isascii()
    assert (tmp_path / "plan").read_bytes().count(b"\n") == 2
    (loaded,) = load_plan(tmp_path / "plan")
    assert os.fsencode(loaded.path) == os.fsencode(tmp_path) + b"/" + name


text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
values = st.lists(text, max_size=4).map(tuple)


@given(old=values, new=values)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_value_survives(tmp_path, old, new):
    change = FileChange(Path("/a"), "mp3", 0, 0, KEY, (FieldChange("mood", old, new),))
    save_plan(tmp_path / "plan", [change], HEADER)
    assert list(load_plan(tmp_path / "plan")) == [change]


def test_a_relative_path_is_saved_with_its_folder_resolved(tmp_path, monkeypatch):
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real" / "deep")
    monkeypatch.chdir(tmp_path)
    change = FileChange(Path("link/../a.mp3"), "mp3", 0, 0, KEY, CHANGE.changes)
    save_plan("plan", [change], HEADER)
    assert [c.path for c in load_plan("plan")] == [tmp_path / "real" / "a.mp3"]


def test_a_plan_that_cannot_be_written_is_an_error_and_leaves_the_old_one(tmp_path):
    file = tmp_path / "plan"
    save_plan(file, [CHANGE], HEADER)
    with pytest.raises(PlanError):
        save_plan(tmp_path / "missing" / "plan", [CHANGE], HEADER)

    def interrupted():
        yield CHANGE
        raise OSError(28, "No space left on device")

    with pytest.raises(PlanError, match="No space"):
        save_plan(file, interrupted(), HEADER)
    assert list(load_plan(file)) == [CHANGE]


def row(**changed: object) -> str:
    good = {
        "path": "/a.mp3",
        "container": "mp3",
        "size": 1,
        "mtime_ns": 2,
        "content": KEY,
        "changes": [{"field": "mood", "old": [], "new": ["happy"]}],
        "kept": [],
    }
    return json.dumps({k: v for k, v in (good | changed).items() if v is not ...})


def mood(**changed: object) -> list[object]:
    return [{"field": "mood", "old": [], "new": ["x"]} | changed]


@pytest.mark.parametrize(
    "line",
    MALFORMED := [
        "",
        "{",
        "[]",
        "null",
        "9" * 5000,
        "[" * 100_000,
        '"' + "x" * (1 << 20),
        "\ufeff{}",
        *(row(**{key: ...}) for key in ("path", "container", "size", "content", "changes", "kept")),
        row(path=""),
        row(path="a.mp3"),
        row(path="/music/../etc/passwd"),
        row(path="/a\0b"),
        row(path="/\ud800"),
        row(path=["/a"]),
        row(size=True),
        row(size="1"),
        row(mtime_ns=1.5),
        row(content="../../x"),
        row(content=""),
        row(changes=[]),
        row(changes={}),
        row(changes=["mood"]),
        row(changes=mood() + mood()),
        row(changes=mood(new="happy")),
        row(changes=mood(new=[1])),
        row(changes=mood(new=["a\0b"])),
        row(changes=mood(new=["x"] * 1001)),
        row(changes=mood(old=None)),
        *(row(changes=mood(field=field)) for field in ("title", "TXXX:MOOD", "", "MOOD", 1, None)),
    ],
    ids=range(len(MALFORMED)),
)
def test_a_malformed_line_is_named_before_anything_is_written(tmp_path, line):
    file = tmp_path / "plan"
    save_plan(file, [CHANGE], HEADER)
    with file.open("a", encoding="utf-8") as out:
        out.write(line + "\n" + row() + "\n")
    with pytest.raises(PlanError, match="line 3") as caught:
        load_plan(file)
    assert caught.value.path == str(file)


@pytest.mark.parametrize(
    "header",
    ["", "{}", "[]", "not json", '{"tagkit-plan": 2}', '{"tagkit-plan": 1}', row()],
)
def test_a_file_that_is_no_plan_of_this_version_is_refused(tmp_path, header):
    file = tmp_path / "plan"
    file.write_text(header and header + "\n")
    with pytest.raises(PlanError, match="line 1"):
        load_plan(file)


def test_a_plan_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(PlanError, match="cannot be read"):
        load_plan(tmp_path / "missing")
    with pytest.raises(PlanError, match="cannot be read"):
        load_plan(tmp_path)


def test_a_plan_cannot_bring_an_exact_snapshot(tmp_path):
    """Snapshots hold raw frames: only one's own journal may restore them."""
    file = tmp_path / "plan"
    save_plan(file, [], HEADER)
    with file.open("a") as out:
        out.write(row(changes=mood(exact="[]")) + "\n")
    (change,) = load_plan(file)
    assert change.changes[0].exact is None
