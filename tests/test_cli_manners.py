"""What a person at a terminal, a script and a cron job may rely on: no traceback, no false word."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from tagkit.cli import writing
from tagkit.cli.main import app
from tagkit.library.containers import open_tags
from tests import library, media

pytestmark = pytest.mark.usefixtures("home")


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


def shell(words: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run ``tagkit ARGUMENTS`` followed by ``words`` of the shell's own."""
    return subprocess.run(
        [
            "sh",
            "-c",
            f'exec "$@" {words}',
            "sh",
            sys.executable,
            "-m",
            "tagkit",
            *map(str, arguments),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_same_broken_audio_fails_under_each_of_its_names(model: Path, music: Path) -> None:
    library.fill(music, ["flac"])
    for name in ("a.mp3", "b.mp3", "z.mp3"):
        (music / name).touch()
    first, again = (call("tag", music, "--model", model) for _ in range(2))
    for done in (first, again):
        assert done.exit_code == 1
        assert (
            "4 files" in done.stderr and "3 failed" in done.stderr and "1 with tags" in done.stderr
        )
        assert all(name in done.stderr for name in ("a.mp3", "b.mp3", "z.mp3"))


def test_a_dry_run_promises_only_what_a_write_does(model: Path, music: Path) -> None:
    plain, linked, fixed = library.fill(music, ["flac", "wav", "mp3"])
    os.link(linked, music.parent / "other-name.wav")
    fixed.chmod(0o444)
    dry = call("tag", music, "--model", model, "--dry-run")
    assert plain.name in dry.stdout
    assert linked.name not in dry.stdout and fixed.name not in dry.stdout
    assert "would rewrite 1 files" in dry.stderr
    real = call("tag", music, "--model", model, "--write")
    for done in (dry, real):
        assert done.exit_code == 1
        assert "1 skipped, 1 failed" in done.stderr
        assert "--through-links" in done.stderr and linked.name in done.stderr
    assert "3 files" in real.stderr and "1 tagged" in real.stderr
    assert call("undo", "--dry-run").stdout.count("Music") == 1


def test_what_folders_hold_beside_music_is_not_among_the_files(model: Path, music: Path) -> None:
    (path,) = library.fill(music, ["flac"])
    (music / "link.flac").symlink_to(path)
    said = call("tag", music, music / "gone.flac", "--model", model).stderr
    assert "2 files" in said and "1 with tags" in said and "1 failed" in said
    assert "skipped" not in said and "passed over 1: a symbolic link" in said


def test_a_second_write_leaves_no_empty_run(model: Path, music: Path) -> None:
    library.fill(music, ["flac", "mka"])
    for _ in range(2):
        assert call("tag", music, "--model", model, "--write").exit_code == 0
    assert len(call("history", "--format", "jsonl").stdout.splitlines()) == 1


def test_a_configured_write_gives_way_to_a_dry_run_and_a_plan(
    home: Path, model: Path, music: Path
) -> None:
    (path,) = library.fill(music, ["flac"])
    config = home / "config" / "tagkit" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'[tag]\nwrite = true\nmodel = "{model}"\n[weights.list]\nformat = "jsonl"\n')
    for option in (["--dry-run"], ["--plan", music.parent / "plan.jsonl"]):
        done = call("tag", music, *option)
        assert done.exit_code == 0, done.stderr
        assert open_tags(path).get("mood") == []
    assert call("weights", "list").stdout.startswith("{")
    assert call("tag", music).exit_code == 0
    assert open_tags(path).get("mood")
    assert call("tag", music, "--write", "--dry-run").exit_code == 2


def test_a_group_may_have_defaults_of_its_own_beside_its_commands(home: Path) -> None:
    config = home / "config" / "tagkit" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('[eval]\nformat = "json"\n[eval.reproduce]\nformat = "json"\n')
    assert call("recipes").exit_code == 0
    config.write_text('[eval]\nformatt = "json"\n')
    done = call("recipes")
    assert done.exit_code == 2
    assert "[eval] has no option formatt (did you mean format?)" in done.stderr


@pytest.mark.parametrize("target", [".", "nowhere/plan.jsonl", "/dev/null"])
def test_a_plan_that_cannot_be_saved_is_refused_before_listening(
    model: Path, music: Path, target: str
) -> None:
    library.fill(music, ["flac"])
    done = call("tag", music, "--model", model, "--plan", music / target)
    assert done.exit_code == 2
    assert "analysed" not in done.stderr
    assert not Path("/dev/null").is_file()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("form", ["jsonl", "csv", "table", "m3u8"])
def test_a_full_disk_behind_stdout_is_one_line(model: Path, music: Path, form: str) -> None:
    library.fill(music, ["flac"])
    call("tag", music, "--model", model)
    done = shell("> /dev/full", "tag", music, "--model", model, "--format", form)
    assert done.returncode == 1
    assert "error: stdout: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr


def test_closed_streams_and_a_reader_that_leaves(model: Path, music: Path) -> None:
    library.fill(music, ["flac"])
    call("tag", music, "--model", model)
    for words in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-", "| true"):
        done = shell(words, "tag", music, "--model", model, "--all-tags")
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), words + done.stderr
    empty = shell("<&-", "tag", "--input-list", "-", "--model", model)
    assert (empty.returncode, "Traceback" in empty.stderr) == (0, False)


def test_a_question_can_be_declined_or_interrupted(
    model: Path, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = library.fill(music, ["flac", "mp3"])
    monkeypatch.setattr(writing, "ASK_ABOVE", 1)
    monkeypatch.setattr(writing, "_answerable", lambda: True)
    monkeypatch.setattr(typer, "confirm", lambda *_, **__: False)
    declined = call("tag", music, "--model", model, "--write")
    assert declined.exit_code == 1 and "nothing is written" in declined.stderr

    def interrupted(*_: object, **__: object) -> None:
        raise typer.Abort

    monkeypatch.setattr(typer, "confirm", interrupted)
    assert call("tag", music, "--model", model, "--write").exit_code == 130
    assert open_tags(path).get("mood") == []


def test_ctrl_c_while_python_still_imports() -> None:
    code = (
        "import sys\n"
        "class Key:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'typer': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Key())\n"
        "from tagkit.__main__ import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (130, 1)


def test_the_table_keeps_names_whole_where_it_can(model: Path, music: Path) -> None:
    folder = (
        music / "An artist with [red]a name[/red]" / "An album of a quite long name, remastered"
    )
    folder.mkdir(parents=True)
    path = media.make(folder / "[bold]1[x].flac", "flac", seconds=1.0)
    lines = call("tag", path, "--model", model, "--format", "table").stdout.splitlines()
    assert any(line.endswith(f"remastered{os.sep}") for line in lines)
    assert any(line.startswith("  [bold]1[x].flac ") for line in lines)


def test_a_plan_from_elsewhere_says_how_to_find_the_files(model: Path, music: Path) -> None:
    (path,) = library.fill(music, ["flac"])
    plan = music.parent / "plan.jsonl"
    call("tag", music, "--model", model, "--plan", plan)
    here = music.rename(music.with_name("Elsewhere"))
    lost = call("apply", plan)
    assert lost.exit_code == 1 and "--root OLD=NEW" in lost.stderr
    assert call("apply", plan, "--root", f"{music}={here}").exit_code == 0
    assert open_tags(here / path.name).get("mood")
