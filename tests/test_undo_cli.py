"""``tagkit undo``, ``history``, ``strip`` and ``apply``: the real commands on real files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tagkit.cli.main import app
from tagkit.errors import StoreError
from tagkit.library.layout import Layout, load_layout
from tagkit.library.payload import audio_digest
from tagkit.library.plan import Header, save_plan
from tagkit.library.runs.journal import Journal
from tagkit.library.saving.safesave import SaveOptions
from tagkit.library.writer import Writer
from tests import media
from tests.test_writer import LAYOUT, Library, everything, untouched

KINDS = ("mp3_id3v23", "flac", "m4a")


class Shell(Library):
    """A library, and the command line on it."""

    def run(self, *arguments: object) -> Result:
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result

    def tagged(self, *paths: Path, layout: Layout = LAYOUT, **wanted) -> int:
        """One run over several files, as ``tagkit tag --write`` makes it."""
        run = self.journal.begin(
            "tag", command=["tagkit", "tag"], version="0.1.0", settings=layout.settings()
        )
        writer = Writer(self.journal, run, layout.open, SaveOptions())
        for path in paths:
            change = self.propose(path, wanted or None, layout=layout)
            assert writer.apply(change).status == "written"
        self.journal.finish(run)
        return run


@pytest.fixture
def tmp_path(tmp_path):
    """In memory where there is such a place: these tests wait for a disk a thousand times, and
    what reaches the disk is the writer's tests' question."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


@pytest.fixture
def shell(tmp_path, monkeypatch):
    monkeypatch.setenv("TAGKIT_JOURNAL", str(tmp_path / "journal.sqlite3"))
    monkeypatch.setenv("TAGKIT_CONFIG", str(tmp_path / "none.toml"))
    (tmp_path / "none.toml").touch()
    shell = Shell(tmp_path)
    yield shell
    shell.journal.close()


def test_undo_brings_the_last_run_back_and_an_undo_can_be_undone(shell):
    paths = [shell.make(kind) for kind in KINDS]
    before = [everything(path) for path in paths]
    run = shell.tagged(*paths)
    after = [everything(path) for path in paths]

    result = shell.run("undo")
    assert result.exit_code == 0 and result.stdout == ""
    assert "3 restored" in result.stderr
    assert [everything(path) for path in paths] == before

    assert f"taken back from run {run};" in result.stderr
    assert shell.run("undo", run + 1).exit_code == 0
    assert [everything(path) for path in paths] == after
    assert shell.run("undo", run).exit_code == 0
    assert [everything(path) for path in paths] == before


def test_undo_again_goes_one_run_further_back_until_nothing_is_left(shell):
    path = shell.make()
    states = [everything(path)]
    for mood in ("happy", "sad", "dark"):
        shell.tagged(path, mood=[mood])
        states.append(everything(path))
    for before in reversed(states[:-1]):
        assert shell.run("undo").exit_code == 0
        assert everything(path) == before
    result = shell.run("undo")
    assert result.exit_code == 2 and "nothing to take back" in result.stderr


def test_undo_leaves_what_was_edited_since_and_says_so(shell):
    path = shell.make()
    shell.tagged(path, mood=["happy"], theme=["love"])
    tags = LAYOUT.open(path)
    tags.set("mood", ["Mine"])
    tags.save()
    result = shell.run("undo")
    assert result.exit_code == 0 and "left" in result.stderr and "mood" in result.stderr
    tags = LAYOUT.open(path)
    assert (tags.get("mood"), tags.get("theme"), tags.get("tagkit")) == (["Mine"], [], [])
    assert shell.run("undo").exit_code == 2  # that was all that could be taken back


def test_undo_of_an_earlier_run_leaves_the_later_one_its_claims(shell):
    path = shell.make()
    first = shell.tagged(path, mood=["happy"])
    shell.tagged(path, theme=["love"])
    assert shell.run("undo", first).exit_code == 0
    tags = LAYOUT.open(path)
    assert (tags.get("mood"), tags.get("theme")) == ([], ["love"])
    shell.tagged(path, theme=["summer"])  # the theme is still known as tagkit's
    assert LAYOUT.open(path).get("theme") == ["summer"]


@pytest.mark.parametrize("again", [{"mood": ["sad"]}, {"mood": ["sad"], "theme": ["summer"]}])
def test_an_undo_that_came_too_early_can_be_finished_after_the_later_run(shell, again):
    """What a later run has written anew is left, and is still the first one's when that is taken back."""
    path = shell.make()
    before = everything(path)
    first = shell.tagged(path, mood=["happy"], theme=["love"])
    later = shell.tagged(path, **again)
    early = shell.run("undo", first)
    assert early.exit_code == 0
    assert f"left: {path}: its mood was written by the later run {later}" in early.stderr
    assert LAYOUT.open(path).get("mood") == ["sad"]
    for _ in range(2):
        assert shell.run("undo").exit_code == 0
    assert everything(path) == before
    assert shell.run("undo").exit_code == 2


def test_undo_finds_a_file_that_was_moved_and_retagged(shell, tmp_path):
    path, other = shell.make(seed=1), shell.make(seed=2)
    before = everything(path)
    run = shell.tagged(path, other)
    moved = tmp_path / "elsewhere" / "renamed.mp3"
    moved.parent.mkdir()
    path.rename(moved)

    result = shell.run("undo")
    assert result.exit_code == 1
    assert "no longer there" in result.stderr and f"undo {run} NEW-PATH" in result.stderr
    assert LAYOUT.open(other).get("theme") == []
    assert shell.run("undo", run, moved.parent).exit_code == 0
    assert everything(moved) == before


def test_undo_of_paths_takes_back_the_last_write_of_each(shell):
    one, two = shell.make(seed=1), shell.make(seed=2)
    shell.tagged(one, two, mood=["happy"])
    shell.tagged(one, mood=["sad"])
    assert shell.run("undo", shell.music).exit_code == 0
    assert LAYOUT.open(one).get("mood") == ["happy"]
    assert LAYOUT.open(two).get("mood") == []


def test_undo_dry_run_shows_and_writes_nothing(shell):
    path = shell.make()
    shell.tagged(path, mood=["happy", "calm"])
    before = untouched(path)
    result = shell.run("undo", "--dry-run")
    assert result.exit_code == 0 and untouched(path) == before
    assert result.stdout.splitlines() == [str(path), "  mood: happy; calm → (none)"]
    assert len(shell.journal.runs()) == 1


def test_a_file_that_cannot_be_restored_now_is_restored_by_the_next_undo(shell):
    one, two = shell.make(seed=1), shell.make(seed=2)
    shell.tagged(one)
    shell.tagged(one, two, mood=["sad"])
    two.chmod(0o444)
    result = shell.run("undo")
    assert result.exit_code == 1 and "read-only" in result.stderr and str(two) in result.stderr
    two.chmod(0o644)
    assert shell.run("undo").exit_code == 0
    assert LAYOUT.open(two).get("mood") == []
    assert LAYOUT.open(one).get("mood") == ["happy", "calm"]


def test_undo_knows_the_fields_that_the_run_wrote_to(shell, tmp_path):
    (tmp_path / "fields.toml").write_text('theme = "grouping"\n')
    layout = load_layout(tmp_path / "fields.toml")
    path = shell.make("flac")
    shell.tagged(path, layout=layout, theme=["love"])
    assert layout.open(path).get("theme") == ["love"] and LAYOUT.open(path).get("theme") == []
    assert shell.run("undo").exit_code == 0
    assert layout.open(path).get("theme") == []


@pytest.mark.parametrize("target", ["99", "9" * 30, "/no/such/file.mp3"])
def test_undo_of_what_does_not_exist_says_so(shell, target):
    shell.tagged(shell.make())
    result = shell.run("undo", target)
    assert result.exit_code in (1, 2) and target in result.stderr


def test_undo_waits_for_a_run_that_is_at_work(shell):
    path = shell.make()
    run = shell.journal.begin("tag", command=[], version="0", settings=LAYOUT.settings())
    Writer(shell.journal, run, LAYOUT.open).apply(shell.propose(path))
    result = shell.run("undo", run)
    assert result.exit_code == 2 and "still at work" in result.stderr


def test_history_lists_runs_newest_first_as_json_lines(shell):
    path = shell.make()
    run = shell.tagged(path, mood=["happy"])
    shell.run("undo")
    result = shell.run("history", "--format", "jsonl")
    undo, tag = map(json.loads, result.stdout.splitlines())
    assert result.exit_code == 0 and result.stderr == ""
    assert (tag["run"], tag["kind"], tag["files"], tag["undone"]) == (run, "tag", 1, 1)
    assert (undo["kind"], undo["state"], undo["undone"]) == ("undo", "finished", 0)
    (line,) = shell.run("history", run, "--format", "jsonl").stdout.splitlines()
    change = json.loads(line)
    assert change["path"] == str(path) and change["changes"][0]["new"] == ["happy"]


def test_history_is_a_table_for_people_and_empty_at_first(shell):
    assert "started" in shell.run("history").stdout
    run = shell.tagged(shell.make())
    assert f"{run} " in shell.run("history").stdout
    assert "mood: (none) → happy; calm" in shell.run("history", run).stdout
    assert shell.run("history", 99).exit_code == 2


def test_a_hostile_name_does_not_reach_the_terminal(shell):
    path = shell.music / "a\x1b[2J\u202e.mp3"
    shell.make().rename(path)
    run = shell.tagged(path, mood=["happy"])
    for command in (["undo", "--dry-run"], ["history", run], ["strip", "--dry-run", path]):
        result = shell.run(*command)
        assert "\\x1b[2J\\u202e" in result.output
        assert "\x1b[2J" not in result.output and "\u202e" not in result.output


@pytest.mark.parametrize("journal_lost", [False, True])
def test_strip_removes_what_tagkit_wrote_and_nothing_else(
    shell, tmp_path, monkeypatch, journal_lost
):
    paths = [shell.make(kind) for kind in KINDS]
    before = [everything(path) for path in paths]
    audio = [audio_digest(path) for path in paths]
    other = shell.make("ogg", seed=9)
    seen = untouched(other)
    shell.tagged(*paths)
    if journal_lost:
        monkeypatch.setenv("TAGKIT_JOURNAL", str(tmp_path / "another.sqlite3"))
    result = shell.run("strip", shell.music)
    assert result.exit_code == 0 and "3 stripped" in result.stderr
    for path, old in zip(paths, before, strict=True):
        assert {k: v for k, v in everything(path).items() if k != "snapshot"} == {
            k: v for k, v in old.items() if k != "snapshot"
        }
    assert [audio_digest(path) for path in paths] == audio
    assert untouched(other) == seen
    assert "4 unchanged" in shell.run("strip", shell.music).stderr


def test_strip_keeps_the_users_part_and_can_be_undone(shell):
    path = shell.make()
    tags = LAYOUT.open(path)
    tags.set("mood", ["Zen"])
    tags.save()
    shell.apply(shell.propose(path, {"mood": ["calm"], "theme": ["love"]}, existing="add"))
    after = everything(path)
    result = shell.run("strip", "--dry-run", path)
    assert "  mood: Zen; calm → Zen" in result.stdout.splitlines()
    assert everything(path) == after
    assert shell.run("strip", path).exit_code == 0
    assert LAYOUT.open(path).get("mood") == ["Zen"] and LAYOUT.open(path).get("theme") == []
    assert shell.run("undo").exit_code == 0
    assert everything(path) == after


def test_strip_uses_the_fields_that_the_file_was_written_with(shell, tmp_path):
    (tmp_path / "fields.toml").write_text('theme = "grouping"\n')
    layout = load_layout(tmp_path / "fields.toml")
    path = shell.make("flac")
    shell.tagged(path, layout=layout, theme=["love"])
    assert shell.run("strip", path).exit_code == 0
    assert layout.open(path).get("theme") == []


def test_strip_reads_a_run_once_however_many_files_it_wrote(shell, monkeypatch):
    """To read one counts its writes: once a file, that took hours for 100,000 files."""
    asked = []
    read = Journal.run
    monkeypatch.setattr(
        Journal, "run", lambda self, number: asked.append(number) or read(self, number)
    )
    run = shell.tagged(*(shell.make("flac", seed=seed) for seed in range(4)))
    assert "4 stripped" in shell.run("strip", shell.music).stderr
    assert asked == [run]


def test_history_shows_a_file_before_it_reads_the_next(shell, monkeypatch):
    """The half a million of a large run are not held in memory."""
    paths = [shell.make("flac", seed=seed) for seed in range(3)]
    run = shell.tagged(*paths)
    read = Journal.write

    def gone(self, number):
        found = read(self, number)
        if found.path == paths[0]:  # the run's last one first, so this is read at the end
            raise StoreError("the disk is gone")
        return found

    monkeypatch.setattr(Journal, "write", gone)
    shown = shell.run("history", run, "--format", "jsonl")
    assert shown.exit_code == 1 and len(shown.stdout.splitlines()) == 2


def plan_of(shell: Shell, *paths: Path, layout: Layout = LAYOUT, **wanted) -> Path:
    file = shell.music.parent / "plan.jsonl"
    changes = [shell.propose(path, wanted or None, layout=layout) for path in paths]
    save_plan(file, changes, Header("0.1.0", "9f3c", layout.settings()))
    return file


def test_apply_writes_exactly_the_plan_and_a_second_time_nothing(shell):
    paths = [shell.make(kind) for kind in KINDS]
    plan = plan_of(shell, *paths)
    result = shell.run("apply", plan, "--dry-run")
    assert result.exit_code == 0 and result.stdout.count("mood: (none) → happy; calm") == 3
    assert all(LAYOUT.open(path).get("mood") == [] for path in paths)

    result = shell.run("apply", plan)
    assert result.exit_code == 0 and "3 written" in result.stderr
    assert all(LAYOUT.open(path).get("mood") == ["happy", "calm"] for path in paths)
    times = [untouched(path) for path in paths]
    assert "3 unchanged" in shell.run("apply", plan).stderr
    assert [untouched(path) for path in paths] == times
    assert shell.run("undo").exit_code == 0
    assert all(LAYOUT.open(path).get("mood") == [] for path in paths)


def test_apply_refuses_what_has_changed_since_and_does_the_rest(shell):
    edited, replaced, gone, good = (shell.make(seed=seed) for seed in range(4))
    plan = plan_of(shell, edited, replaced, gone, good)
    tags = LAYOUT.open(edited)
    tags.set("mood", ["Mine"])
    tags.save()
    media.make(replaced, "mp3_id3v24", seconds=0.3, seed=77)
    gone.unlink()
    for dry in (["--dry-run"], []):
        result = shell.run("apply", plan, *dry)
        assert result.exit_code == 1 and "3 failed" in result.stderr
        for path, reason in ((edited, "mood"), (replaced, "other audio"), (gone, "")):
            assert any(str(path) in x and reason in x for x in result.stderr.splitlines())
    assert LAYOUT.open(edited).get("mood") == ["Mine"]
    assert LAYOUT.open(replaced).get("mood") == []
    assert LAYOUT.open(good).get("mood") == ["happy", "calm"]


def test_apply_on_another_machine_with_another_root(shell, tmp_path):
    path = shell.make()
    plan = plan_of(shell, path)
    there = tmp_path / "mnt" / "nas"
    there.parent.mkdir()
    shell.music.rename(there)
    assert shell.run("apply", plan).exit_code == 1
    assert shell.run("apply", plan, "--root", f"{shell.music}={there}").exit_code == 0
    assert LAYOUT.open(there / path.name).get("mood") == ["happy", "calm"]
    assert shell.run("apply", plan, "--root", "nonsense").exit_code == 2


def test_apply_never_follows_the_field_layout_of_a_plan(shell, tmp_path):
    (tmp_path / "fields.toml").write_text('theme = "grouping"\n')
    layout = load_layout(tmp_path / "fields.toml")
    path = shell.make("flac")
    plan = plan_of(shell, path, layout=layout, theme=["love"])
    data = path.read_bytes()
    result = shell.run("apply", plan)
    assert result.exit_code == 1 and "--fields" in result.stderr and path.read_bytes() == data
    result = shell.run("apply", plan, "--fields", tmp_path / "fields.toml")
    assert result.exit_code == 0 and layout.open(path).get("theme") == ["love"]


def test_a_broken_plan_writes_nothing(shell):
    path = shell.make()
    plan = plan_of(shell, path)
    with plan.open("a") as out:
        out.write("{broken\n")
    result = shell.run("apply", plan)
    assert result.exit_code == 1 and "line 3" in result.stderr
    assert LAYOUT.open(path).get("mood") == []


def test_none_of_these_commands_needs_torch_or_a_model(shell):
    path = shell.make()
    plan = plan_of(shell, path)
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from tagkit.cli.main import app\n"
        "for argv in (['apply', sys.argv[1]], ['history'], ['strip', sys.argv[2]], ['undo']):\n"
        "    app(argv, standalone_mode=False)\n"
    )
    argv = [sys.executable, "-c", code, str(plan), str(path)]
    done = subprocess.run(argv, cwd=Path(__file__).parents[1], env=os.environ, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert LAYOUT.open(path).get("mood") == ["happy", "calm"]
