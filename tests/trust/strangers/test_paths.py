"""Places: whatever a stranger's file names, nothing is written outside of where it was sent."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tagkit import files, recipe
from tagkit.errors import PlanError, RecipeError
from tagkit.library.containers import open_tags
from tagkit.library.layout import Layout
from tagkit.library.payload import audio_digest, content_key
from tagkit.library.plan import load_plan
from tagkit.training.runs import Run
from tests import media
from tests.trust import bounds, command
from tests.trust.shelf import Shelf

RECIPE = 'name = "x"\narchitecture = "fcn"\n'
ODD_NAMES = ("../x", "/etc/x", "a/b", "..", ".", ".x", "", "x\n", "\x1b[2J", "a" * 101, "x\0", "~")


def everything(folder: Path) -> dict[Path, bytes | None]:
    """What lies below a folder, to the byte."""
    return {
        path: path.read_bytes() if path.is_file() and not path.is_symlink() else None
        for path in folder.rglob("*")
    }


@contextmanager
def untouched(folder: Path) -> Iterator[None]:
    before = everything(folder)
    yield
    assert everything(folder) == before


# ------------------------------------------------------------------------------------------ recipes


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_recipes_name_is_no_path(name: str, tmp_path: Path) -> None:
    """The bundle in the run folder is called so."""
    text = f"name = {json.dumps(name)}\narchitecture = 'fcn'\n"
    with pytest.raises(RecipeError):
        recipe.parse(text, tmp_path / "r.toml")
    with pytest.raises(RecipeError):
        recipe.parse(RECIPE, tmp_path / "r.toml", [f"name={json.dumps(name)}"])


def test_every_recipe_that_ships_has_such_a_name() -> None:
    assert {recipe.load(name).name for name in recipe.names()}


def test_training_by_a_strangers_recipe_writes_nothing_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "r.toml").write_text("name = '../../outside'\narchitecture = 'fcn'\n")
    with untouched(tmp_path):
        done = command.run(
            tmp_path.parent / "home", "train", tmp_path / "r.toml", "--data", tmp_path / "data"
        )
    assert done.returncode == 1 and "which no bundle can have" in done.stderr


# --------------------------------------------------------------------------------------- run folders


@pytest.mark.parametrize(
    "name", [".lock", "log.jsonl", "best.pt", "recipe.toml", "tensorboard", "x"]
)
def test_a_strangers_run_folder_leads_nowhere(name: str, tmp_path: Path) -> None:
    """Going on in it would write over whatever a link in it leads to."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "precious").write_text(RECIPE)
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(mine if name == "tensorboard" else mine / "precious")
    with untouched(mine):
        run = Run(folder, recipe.parse(RECIPE, folder), {}, resume=True)
        with pytest.raises(RecipeError, match="is a link"):
            run.begin({})


def test_whatever_the_files_of_a_run_hold_ends_in_words(tmp_path: Path) -> None:
    plan = recipe.parse(RECIPE, tmp_path)
    for name, text in (
        ("data.json", "[" * 100_000),
        ("environment.json", "[" * 100_000),
        ("recipe.toml", "a." * 100_000),
        ("last.pt", "\x80\x02]" + "]" * 100_000),
    ):
        folder = tmp_path / name.replace(".", "-")
        Run(folder, plan, {}).begin({})
        (folder / name).write_text(text, encoding="latin-1")
        with bounds.soon(5):
            try:
                run = Run(folder, plan, {}, resume=True)
                run.begin({})
                run.read("last")
            except RecipeError as error:
                assert str(folder) in str(error)


def test_what_is_written_whole_stays_in_its_folder(tmp_path: Path) -> None:
    """Neither a pipe nor a folder is replaced, and a link goes on being one."""
    for name, make in (("pipe", os.mkfifo), ("folder", os.mkdir)):
        make(tmp_path / name)
        with untouched(tmp_path), pytest.raises(OSError), files.whole(tmp_path / name):
            pass


# ---------------------------------------------------------------------------------------------- plans


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return Shelf(tmp_path_factory.mktemp("plans"), ["flac", "mp3_id3v24"])


HEADER = {"tagkit-plan": 1, "version": "9", "model": "\x1b[2Jx", "settings": Layout().settings()}


def row(path: Path, /, **parts: Any) -> dict[str, Any]:
    tags = open_tags(path)
    change = {"field": "mood", "old": list(tags.get("mood")), "new": ["happy"]}
    stat = path.stat()
    return {
        "path": str(path),
        "container": tags.container,
        "size": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
        "content": content_key(path),
        "changes": [change],
        "kept": [],
    } | parts


def save(place: Path, *rows: object, header: object = HEADER) -> Path:
    place.write_text("".join(json.dumps(line) + "\n" for line in (header, *rows)))
    return place


def changed(**parts: Any) -> list[dict[str, Any]]:
    return [{"field": "mood", "old": [], "new": ["x"]} | parts]


REFUSED: dict[str, dict[str, Any]] = {
    "up and away": {"path": "/music/../../etc/passwd"},
    "a relative path": {"path": "a.flac"},
    "a NUL": {"path": "/a\0b.flac"},
    "a name that is none": {"path": "/\ud800.flac"},
    "the title": {"changes": changed(field="title")},
    "a native field": {"changes": changed(field="TPE1")},
    "a native field, freely": {"changes": changed(field="----:com.apple.iTunes:ARTIST")},
    "a NUL in a value": {"changes": changed(new=["a\0b"])},
    "a thousand and one values": {"changes": changed(new=["a"] * 1001)},
    "the same field twice": {"changes": changed() * 2},
    "a snapshot": {"changes": changed(new=[{"raw": "x"}])},
    "no content key": {"content": "*"},
    "a size that is none": {"size": "1"},
}


@pytest.mark.parametrize("parts", REFUSED.values(), ids=REFUSED.keys())
def test_a_plan_that_reaches_further_is_refused_before_anything_is_written(
    parts: dict[str, Any], shelf: Shelf, tmp_path: Path
) -> None:
    plan = save(tmp_path / "p.jsonl", row(shelf.files[0]), row(shelf.files[1], **parts))
    with pytest.raises(PlanError, match="line 3"):
        load_plan(plan)


def test_a_strangers_plan_by_the_command(shelf: Shelf, tmp_path: Path) -> None:
    """Each of these is well formed; none of them may be written, and none may hold the command up."""
    first, second = shelf.files
    other = tmp_path / "notes.txt"
    other.write_text("mine")
    pipe = tmp_path / "pipe.flac"
    os.mkfifo(pipe)
    link = tmp_path / "link.flac"
    link.symlink_to(first)
    rows = [
        row(first, content=content_key(second)),  # other audio
        row(first, changes=changed(old=["never there"])),  # other values
        row(first, path=str(other)),
        row(first, path=str(pipe)),
        row(first, path="/dev/zero"),
        row(first, path="/proc/self/mem"),
        row(first, path=str(tmp_path)),
        row(first, path="/" + "x/" * 2000 + "a.flac"),
        row(first, path=str(tmp_path / ("x" * 5000))),
    ]
    plan = save(tmp_path / "p.jsonl", *rows)
    seen = shelf.seen()
    for words in (("--dry-run",), (), ("--root", f"/dev={tmp_path}")):
        done = shelf.run("apply", plan, *words, seconds=60)
        assert done.returncode == 1, done.stderr
        assert "\x1b" not in done.stdout + done.stderr
    assert shelf.seen() == seen and other.read_text() == "mine"
    assert not shelf.strays() and link.is_symlink()


def test_a_plan_brings_no_field_layout_of_its_own(shelf: Shelf, tmp_path: Path) -> None:
    """ "mood goes to the artist": what the header says is compared with this machine, never followed."""
    mine = Layout().settings()
    artist = dict.fromkeys(("id3v24", "id3v23"), "TPE1") | dict.fromkeys(
        ("vorbis", "asf"), "ARTIST"
    )
    seen = shelf.seen()
    for settings, says in (
        (mine | {"fields": {"mood": artist | {"mp4": "©ART", "apev2": "Artist"}}}, "field layout"),
        (mine | {"fields": json.loads("[" * 400 + "]" * 400)}, "field layout"),
        ({"mood": ["TPE1"]}, "cannot be read"),
        (mine | {"options": mine["options"] | {"v23_separator": "\x1b[2J"}}, "cannot be read"),
    ):
        plan = save(
            tmp_path / "p.jsonl", row(shelf.files[0]), header=HEADER | {"settings": settings}
        )
        done = shelf.run("apply", plan)
        assert done.returncode == 1 and says in done.stderr, done.stderr
    assert shelf.seen() == seen


def test_an_honest_plan_writes_what_it_says_and_nothing_else(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "shelf", ["flac"])
    (path,) = shelf.files
    audio, seen = audio_digest(path), shelf.seen()[path]
    plan = save(
        tmp_path / "p.jsonl", row(path, changes=changed(old=row(path)["changes"][0]["old"]))
    )
    done = shelf.run("apply", plan)
    assert done.returncode == 0, done.stderr
    now = shelf.seen()[path]
    assert now.foreign == seen.foreign and audio_digest(path) == audio
    assert [name for name in now.fields if now.fields[name] != seen.fields[name]] == ["mood"]


# -------------------------------------------------------------------------------- data sets and lists


def test_data_prepare_writes_into_its_cache_only(tmp_path: Path) -> None:
    """A manifest may name any file of the machine: it is read, and its features stay in the cache."""
    data, outside = tmp_path / "data" / "in", tmp_path / "outside"
    for folder in (data, outside):
        folder.mkdir(parents=True)
    media.make(outside / "a.wav", "wav", seconds=1.0, seed=1)
    media.make(data / "b.wav", "wav", seconds=1.0, seed=2)
    (data / "link.wav").symlink_to(outside / "a.wav")
    os.mkfifo(data / "pipe.wav")
    names = ["../../outside/a.wav", str(outside / "a.wav"), "b.wav", "link.wav", "pipe.wav"]
    names += ["/dev/zero", "/proc/self/mem", "x" * 5000, "..", "gone.wav", "n\x01.wav"]
    lines = [f"{json.dumps(name)},mood---happy,train" for name in names]
    (data / "manifest.csv").write_text("path,tags,split\n" + "\n".join(lines) + "\n")
    words = ("data", "prepare", "fcn", data, "--cache", tmp_path / "cache", "--jobs", 2)
    with untouched(outside), untouched(data):
        done = command.run(tmp_path / "home", *words, seconds=120)
    assert done.returncode == 1, done.stderr
    made = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")}
    assert made <= {"data", "outside", "cache", "home"}
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert {path.suffix for path in kept} == {".npy"} and len(kept) == 2, kept


def test_a_list_holds_names_and_no_options(shelf: Shelf, tmp_path: Path) -> None:
    names = ["--write", "-y", "../../../etc/passwd", "/dev/zero", "/proc/self/mem", "x" * 5000, "~"]
    names += [f"{shelf.files[0]}", "$(touch owned)", "`touch owned`", "; touch owned", "| owned"]
    (tmp_path / "list").write_text("\n".join(names))
    shelf.hear()
    seen = shelf.seen()
    with bounds.soon(30):
        done = shelf.run(
            "tag", "--input-list", tmp_path / "list", "--model", shelf.model, "--context", "none"
        )
    assert done.returncode == 1
    assert shelf.seen() == seen and not list(command.ROOT.glob("owned"))
    assert "--write: " in done.stderr and "/dev/zero" in done.stderr


def test_a_million_lines_are_no_weight(tmp_path: Path) -> None:
    from tagkit.library.finding.input_list import input_list

    (tmp_path / "list").write_bytes(b"/music/some folder/a file.mp3\n" * 300_000)
    with bounds.soon(5), bounds.within(64 << 20):
        assert sum(1 for _ in input_list(str(tmp_path / "list"))) == 300_000
