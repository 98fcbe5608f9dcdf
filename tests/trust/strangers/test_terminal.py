"""The terminal: what strangers call their files, tags, models and tables steers nobody's screen."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from tagkit.cli.main import app
from tagkit.cli.render import FORMATS
from tagkit.evaluation.predictions import Predictions
from tagkit.library.deciding import Decision, Track
from tagkit.vocab import Tag
from tests import media
from tests.trust import command
from tests.trust.shelf import Shelf

#: A title for the window, colours, the cursor's home, a bell, eight-bit escapes, turned writing, lines.
EVIL = "\x1b]0;owned\x07\x1b[31m\x1b[2J\x1b[H\x9b2J\u202egpj.\u2066x\u2028y\rz\x08\x7f"
MARKUP = "[red]a[bold]b[link=x]c[blink]"


def steers(text: str) -> list[str]:
    """The characters in what was printed that a terminal obeys, or that turn what is read."""
    return [
        f"U+{ord(c):04X}"
        for c in text
        if (unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Co") and c not in "\n\t")
        or c == "\r"
    ]


def quiet(done: Result) -> Result:
    assert not steers(done.stdout) and not steers(done.stderr), (done.stdout, done.stderr)
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done


def run(*arguments: object) -> Result:
    return quiet(CliRunner().invoke(app, list(map(str, arguments))))


def test_the_sample_would_be_noticed() -> None:
    assert len(steers(EVIL)) == 12
    assert not steers("Ünïcode → ✓ 漢字\n\tx")


# ----------------------------------------------------------------------------------- the real command


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """Music whose names, tags and folders mean harm, heard already."""
    made = Shelf(tmp_path_factory.mktemp("terminal"), ["flac", "mp3_id3v24"])
    folder = made.music / f"{EVIL}\n{MARKUP}"
    folder.mkdir()
    for number, kind in enumerate(("flac", "mp3_id3v24")):
        path = folder / f"{EVIL}{MARKUP}\n{number}{media.KINDS[kind].suffix}"
        media.make(path, kind, seconds=0.3, seed=10 + number, foreign=True)
        made.files.append(path)
    _own_moods(made.files[-2], [EVIL, MARKUP, "\x1b[2J"])
    made.hear()
    (folder / "broken.flac").write_bytes(b"fLaC" + bytes(99))
    return made


def _own_moods(path: Path, moods: list[str]) -> None:
    import mutagen

    tags = mutagen.File(path)
    tags["MOOD"] = moods
    tags["ARTIST"] = tags["ALBUM"] = [EVIL + MARKUP]
    tags.save()


@pytest.mark.parametrize(
    "wish",
    [
        ("--dry-run", "--existing", "replace"),
        ("--format", "table"),
        ("--format", "csv", "--all-tags"),
        ("--format", "jsonl"),
        ("--format", "m3u8"),
        ("--write",),
    ],
    ids=lambda wish: " ".join(wish),
)
def test_no_name_and_no_tag_moves_the_cursor(wish: tuple[str, ...], shelf: Shelf) -> None:
    done = shelf.run(*shelf.tag(*wish))
    assert not steers(done.stdout), done.stdout
    assert not steers(done.stderr), done.stderr
    assert "broken.flac" in done.stderr
    if "table" in wish:
        assert "[red]a" in done.stdout  # as it stands, in no colour
    if "jsonl" in wish:
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert str(shelf.files[-1]) in {row["path"] for row in rows}
    if "--write" in wish:
        for words in (("history",), ("history", "--format", "jsonl"), ("undo", "--dry-run")):
            told = shelf.run(*words)
            assert not steers(told.stdout) and not steers(told.stderr), told.stdout


# --------------------------------------------------------------------------------- texts in files


def test_tags_of_a_bundle_are_printed_as_they_stand(capsys: pytest.CaptureFixture[str]) -> None:
    """A card refuses these; who gets them in another way still prints nothing that steers."""
    tag = Tag(EVIL + MARKUP, "mood")
    track = Track(Path(f"/x/{EVIL}.mp3"), "0" * 32, 1.0, [Decision(*tag, 0.5)], np.ones(1))
    for name, render in FORMATS.items():
        list(render([track], [tag], True))
        said = capsys.readouterr().out
        assert not steers(said), name
        assert said


RECIPE = 'name = "x"\narchitecture = "fcn"\n'


@pytest.mark.parametrize(
    "text",
    [
        f'{RECIPE}# \x9b2J\u202e turned\ntitle = "\x9b2J \u2066"\n',
        f'{RECIPE}title = "\\u001b[2J\\u009b2J\\u202e\\u007f"\n',
        f'{RECIPE}"\\u001b[2J" = 1\n',
        f'{RECIPE}[loss]\nname = "\\u001b[2J"\n',
        f'{RECIPE}[train]\noptimizer = "\\u001b[2J\\u202e"\n',
        'name = "\\u001b[2J"\narchitecture = "fcn"\n',
        'name = "x"\narchitecture = "\\u001b[2J"\n',
    ],
)
def test_a_recipe_steers_nothing(text: str, tmp_path: Path) -> None:
    path = tmp_path / f"{EVIL[:7].replace(chr(7), '')}.toml"
    path.write_text(text, encoding="utf-8")
    run("recipes", path)
    run("recipes", path, "--resolved")


def test_a_printed_recipe_is_still_one(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(f'{RECIPE}title = "\\u001b[2J\x9b é"\n', encoding="utf-8")
    for words in ((), ("--resolved",)):
        (tmp_path / "b.toml").write_text(run("recipes", tmp_path / "a.toml", *words).stdout)
        assert run("recipes", tmp_path / "b.toml", "--resolved").stdout == (
            run("recipes", tmp_path / "a.toml", "--resolved").stdout
        )


@pytest.mark.parametrize(
    "text",
    [
        'members = ["\\u001b[2J\\u202e.safetensors"]',
        'name = "\\u001b[2J\\u009b"\nmembers = ["tagkit-ds-cnn"]',
        '"\\u001b[2J" = 1',
        'members = ["a"]\n[thresholds]\n"\\u001b[2J" = 2',
        "members = [1979-05-27]",
        'name = 1979-05-27\nmembers = ["a"]',
        'members = ["a"]\n[thresholds]\na = nan',
    ],
)
@pytest.mark.usefixtures("home")
def test_an_ensemble_steers_nothing(text: str, tmp_path: Path) -> None:
    path = tmp_path / "e.toml"
    path.write_text(text, encoding="utf-8")
    run("weights", "info", path)
    found = run("weights", "info", path, "--format", "json")
    if found.exit_code == 0:
        json.loads(found.stdout)
    run("weights", "verify", path)


def test_predictions_and_manifests_steer_nothing(tmp_path: Path) -> None:
    names = (EVIL + MARKUP, "=1+1", "b")
    found = Predictions(
        np.linspace(0, 1, 60).reshape(20, 3).astype(np.float32),
        np.arange(60).reshape(20, 3) % 2 == 0,
        outputs=names,
        tags=tuple(Tag(name, "mood") for name in names),
        ids=(EVIL,) * 20,
        artists=(EVIL,) * 20,
        albums=("",) * 20,
        name=EVIL + MARKUP,
    )
    found.save(tmp_path / "p.npz")
    for form in ("table", "csv", "json"):
        done = run("eval", "--predictions", tmp_path / "p.npz", "--format", form, "--resamples", 0)
        assert done.exit_code == 0, done.output
    manifest = tmp_path / "m.csv"
    manifest.write_text(f'path,tags,split,artist\n"{EVIL}",mood---{EVIL[1:5]}\x9b,train,"{EVIL}"\n')
    for form in ("table", "json"):
        assert run("data", "check", manifest, "--format", form).exit_code in (0, 1)
    manifest.write_text(f'path,tags\nx,"{EVIL}"\n')
    run("data", "check", manifest)


@pytest.mark.parametrize("name", [".tagkitignore", "list"])
def test_lists_and_ignore_files_steer_nothing(name: str, tmp_path: Path, home: Path) -> None:
    music = tmp_path / "Music"
    music.mkdir()
    (music / name).write_bytes(b"[\x1b[2J\x9b-a]\n" + EVIL.encode() + b"[z-a]\n")
    words = ("--input-list", music / name) if name == "list" else (music,)
    done = command.run(home, "tag", *words, "--context", "none")
    assert not steers(done.stdout) and not steers(done.stderr), done.stderr
    assert done.returncode == 1


@pytest.mark.usefixtures("home")
def test_errors_name_files_that_mean_harm(tmp_path: Path) -> None:
    odd = tmp_path / f"{EVIL}{MARKUP}.toml"
    odd.write_bytes(b"\xff")
    for words in (
        ("recipes", odd),
        ("weights", "info", odd),
        ("weights", "info", EVIL),
        ("apply", odd),
        ("tag", odd, "--fields", odd),
        ("data", "check", odd),
        ("eval", "--predictions", odd),
        ("--config", odd, "history"),
    ):
        done = run(*words)
        assert done.exit_code in (1, 2), words
    assert os.path.exists(odd)  # noqa: PTH110
