"""Time: what takes minutes to read, or is never filled, is refused in seconds: TOML, patterns, pipes."""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pathspec import GitIgnoreSpec
from typer.testing import CliRunner

from tagkit import recipe, strangers
from tagkit.cli.main import app
from tagkit.data import manifest, mels, mtat, open_dataset, pickles, tables
from tagkit.errors import TagkitError, UsageError
from tagkit.evaluation import arrays
from tagkit.inference import ensemble_file
from tagkit.library.fields import load_fields
from tagkit.library.finding import ignore, scan
from tagkit.library.finding.patterns import LinearPattern
from tagkit.library.plan import load_plan
from tagkit.weights import convert
from tests.trust import bounds, command, size

# ------------------------------------------------------------------------------------------- TOML

_BIG = strangers.SMALL - 100

TOML = {
    "a key of 500,000 parts": "a." * (_BIG // 2) + "a = 1",
    "a quoted key of many parts": '"a".' * (_BIG // 4) + "a = 1",
    "a spaced key of many parts": "a . " * (_BIG // 4) + "a = 1",
    "a table of many parts": "[" + "a." * (_BIG // 2) + "a]",
    "a key behind a text": 'x = """#"\n"""\n' + "a." * (_BIG // 3) + "a = 1",
    "a key in a table": "x = {" + "a." * (_BIG // 3) + "a = 1}",
    "brackets": "a = " + "[" * _BIG,
    "tables in tables": "a = " + "{a = " * (_BIG // 6),
    "a number of a million digits": "a = " + "9" * _BIG,
    "a hexadecimal one": "a = 0x" + "f" * _BIG,
    "two megabytes": "a = 1\n" * (_BIG // 3),
    "a text without an end": 'a = "' + '\\"' * (_BIG // 2),
    "three quotes, many times": '"""a' * (_BIG // 4),
    "nothing but quotes": "'" * _BIG,
}


def _config(path: Path) -> object:
    done = CliRunner().invoke(app, ["--config", str(path), "history"])
    if done.exit_code == 2:
        raise UsageError(done.stderr, path=path)
    return done


READERS: dict[str, Callable[[Path], object]] = {
    "a recipe": lambda path: recipe.load(str(path)),
    "an ensemble": ensemble_file.read,
    "a fields file": load_fields,
    "a configuration": _config,
}


@pytest.mark.parametrize("text", TOML.values(), ids=TOML.keys())
@pytest.mark.parametrize("read", READERS.values(), ids=READERS.keys())
def test_no_toml_takes_long(read: Callable[[Path], object], text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(text, encoding="utf-8")
    with bounds.soon(6), bounds.within(bounds.GIB // 4):
        with pytest.raises(TagkitError) as caught:
            read(path)
        assert str(path) in str(caught.value)


def test_a_hundred_megabytes_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    with path.open("wb") as file:
        file.truncate(100 << 20)
    for read in READERS.values():
        with (
            bounds.soon(2),
            bounds.within(32 << 20),
            pytest.raises(TagkitError, match="larger than"),
        ):
            read(path)


def test_what_people_write_is_read() -> None:
    text = 'a.b.c.d = 1\n"x.y" = """\n1.2.3.4.5 ""quoted"" a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w\n"""\n'
    text += f"# {'a.' * 5000}\nlong = '{'x' * 9000}'\nnumbers = [{'0.25, ' * 5000}]\n[t.u.'v.w']\n"
    found = strangers.toml_table(text)
    assert found["a"]["b"]["c"]["d"] == 1 and len(found["long"]) == 9000
    for name in recipe.names():
        assert recipe.load(name)


# ------------------------------------------------------------------------------------- ignore files

NAME = "a" * 250
DEEP = "/".join("a" * 2000)
SLOW = {
    "stars": ("*a" * 100 + "b", NAME),
    "four stars": ("*a*a*a*a*b", NAME),
    "classes": ("*[ab]*[ab]*[ab]*[ab]*[ab]*c", NAME),
    "question marks": ("*?*?*?*?*?*?*?b", NAME),
    "stars in a row": ("*" * 500 + "b", NAME),
    "folders": ("**/a/**/a/**/a/**/a/**/b", DEEP),
    "many folders": ("**/a/" * 300 + "b", DEEP),
    "folders and stars": ("**/*a*a*/" * 20 + "b", "/".join(["a" * 20] * 190)),
    "stars, deep down": ("*a*a*a*b", "/".join([NAME] * 16)),
    "long and long": ("a/" * 900 + "**/" + "a/" * 900 + "b", DEEP),
}


@pytest.mark.parametrize(("pattern", "path"), SLOW.values(), ids=SLOW.keys())
def test_no_pattern_takes_long(pattern: str, path: str) -> None:
    found = ignore.parse("/x", [pattern, f"!{pattern}"], "here")
    with bounds.soon(0.5):
        assert ignore.ignores([found], f"/x/{path}", is_folder=False) is False
        assert ignore.ignores([found], f"/x/{path}", is_folder=True) is False


def test_two_thousand_lines_and_a_thousand_names(tmp_path: Path) -> None:
    lines = [f"*{number}*a*a*a*b" for number in range(1_999)]
    with bounds.soon(10):
        found = ignore.parse(str(tmp_path), lines, "here")
    with bounds.soon(5):
        for _ in range(20):
            assert not ignore.ignores([found], f"{tmp_path}/{NAME}", is_folder=False)


def test_patterns_say_what_pathspec_says() -> None:
    """But that no class takes the slash behind a folder, which git does not either."""
    draw = size.draws("patterns")
    seen = 0
    for _ in range(size.of(3_000, 100_000)):
        pattern = "".join(draw.choice(PIECES) for _ in range(draw.randint(1, 9)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            try:
                theirs = GitIgnoreSpec.from_lines([pattern])
            except Exception:
                theirs = None
        if theirs is None:
            with pytest.raises(ValueError):
                LinearPattern(pattern)
            continue
        ours = GitIgnoreSpec([LinearPattern(pattern)])
        for _ in range(5):
            path = _path(draw)
            found = theirs.check_file(path).include
            assert ours.check_file(path).include == found, (pattern, path)
            seen += found is not None
    assert seen > size.of(500, 20_000)


PIECES = (
    "*",
    "*",
    "**",
    "a",
    "b",
    "?",
    "[ab]",
    "[]a]",
    "/",
    "/",
    "**/",
    "/**/",
    "a",
    "\\*",
    "!",
    ".",
    " ",
)


def _path(draw: random.Random) -> str:
    names = (
        "".join(draw.choice("aab.]*") for _ in range(draw.randint(1, 3)))
        for _ in range(draw.randint(1, 5))
    )
    return "/".join(names) + draw.choice(("", "/"))


@pytest.mark.parametrize(
    ("pattern", "path", "matched"),
    [
        ("a[!b]c", "a/c", False),
        ("a[!b]c", "axc", True),
        ("??[!a]", "xy/", False),
        ("[[a]", "[", True),
        ("[a&&b]", "&", True),
        ("a\nb", "a\nb", True),
        ("b", "a\nx/b", True),
    ],
)
def test_patterns_where_git_knows_better(pattern: str, path: str, matched: bool) -> None:
    assert bool(GitIgnoreSpec([LinearPattern(pattern)]).check_file(path).include) == matched


@pytest.mark.parametrize("kind", ["a pipe", "a device", "a folder", "100 MB", "no text"])
def test_an_ignore_file_that_is_none_costs_its_folder_only(kind: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.mp3").touch()
    place = tmp_path / "a" / ignore.NAME
    _be(place, kind)
    with bounds.soon(2), bounds.within(64 << 20):
        reports = list(scan.scan([tmp_path]))
    found = [report.path for report in reports if isinstance(report, scan.Found)]
    assert tmp_path / "b" / "1.mp3" in found
    # Bytes that are no text are patterns for names that are none.
    assert (tmp_path / "a" / "1.mp3" in found) == (kind == "no text")
    if kind != "no text":
        (failure,) = (report for report in reports if isinstance(report, scan.Skipped))
        assert failure.failed and str(place) in failure.reason


def _be(place: Path, kind: str) -> None:
    if kind == "100 MB":
        with place.open("wb") as file:
            file.truncate(100 << 20)
    elif kind != "no text":
        bounds.make_odd(place, kind)
    else:
        place.write_bytes(b"\xff\xfe*\n\x80[\xff]\n")


# ----------------------------------------------------------------------- pipes, devices, long lines


OPENED: dict[str, Callable[[Path], Any]] = {
    "a plan": load_plan,
    "a list of tags": convert.read_labels,
    "a checkpoint": convert.read_checkpoint,
    "lines": arrays.read_lines,
    "an array": arrays.read_npy,
    "arrays": arrays.read_npz,
    "a pickle": pickles.load,
    "mel-spectrograms": mels.probe,
    "a manifest": lambda path: list(manifest.rows(path)),
    "a table": lambda path: list(tables.rows(path)),
    **READERS,
}


@pytest.mark.parametrize("kind", ["a pipe", "a device", "a folder"])
@pytest.mark.parametrize("read", OPENED.values(), ids=OPENED.keys())
def test_nothing_waits_for_a_pipe_or_reads_a_device(
    read: Callable[[Path], Any], kind: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.toml"
    _be(path, kind)
    with bounds.soon(3), bounds.within(64 << 20):
        with pytest.raises(TagkitError) as caught:
            read(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["m.csv", "m.tsv", "m.jsonl"])
def test_a_line_without_an_end_is_refused(name: str, tmp_path: Path) -> None:
    with (tmp_path / name).open("wb") as file:
        file.write(b"path,tags\n" if name == "m.csv" else b"")
        file.truncate(200 << 20)
    with (
        bounds.soon(4),
        bounds.within(64 << 20),
        pytest.raises(TagkitError, match="million letters"),
    ):
        list(manifest.rows(tmp_path / name))
    with (
        bounds.soon(4),
        bounds.within(64 << 20),
        pytest.raises(TagkitError, match="million letters"),
    ):
        list(tables.rows(tmp_path / name))


def test_json_without_a_bottom_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    for text in ("[" * 900_000, '{"a":' * 150_000, '{"path": ' + "9" * 900_000 + "}"):
        path.write_text(text)
        with bounds.soon(3), pytest.raises(TagkitError, match="line 1"):
            list(manifest.rows(path))
        with bounds.soon(3), pytest.raises(TagkitError, match="line 1"):
            load_plan(path)


def test_the_command_waits_for_nobody(tmp_path: Path) -> None:
    """A folder out of an archive, in which everything is a pipe."""
    for name in ("x.toml", "plan.jsonl", "m.csv", ignore.NAME):
        os.mkfifo(tmp_path / name)
    for words in (
        ("recipes", tmp_path / "x.toml"),
        ("apply", tmp_path / "plan.jsonl"),
        ("data", "check", tmp_path),
    ):
        done = command.run(tmp_path / "home", *words, seconds=60)
        assert done.returncode in (1, 2) and "error: " in done.stderr


def test_a_data_set_of_pipes_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / mtat.ANNOTATIONS)
    with bounds.soon(3), pytest.raises(TagkitError, match="is a pipe or a device"):
        open_dataset(tmp_path, recipe.Data())
