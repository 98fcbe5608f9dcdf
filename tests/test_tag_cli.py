"""``tagkit tag`` keeps its promises: the real command on real files of every format."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import mutagen
import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner, Result

from tagkit.cli.main import app
from tagkit.library.change import FileChange
from tagkit.library.containers import open_tags
from tagkit.library.payload import audio_digest
from tests import library, media

NO_WRITER = ["mka", "webm", "aac", "dff"]


pytestmark = pytest.mark.usefixtures("home")


def tag(*arguments: object, **options: Any) -> Result:
    return CliRunner().invoke(app, ["tag", *map(str, arguments)], **options)


def rows(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in sorted(folder.iterdir())
    }


def test_every_format_is_heard_and_written_and_can_be_taken_back(model: Path, music: Path) -> None:
    writable = library.fill(music, list(media.WRITABLE), foreign=True)
    paths = writable + library.fill(music, NO_WRITER)
    before = {path: (audio_digest(path), fields(path)) for path in writable}
    done = tag(music, "--model", model, "--write", "--existing", "replace")
    assert done.exit_code == 0, done.stderr
    assert {Path(row["path"]).name for row in rows(done)} == {path.name for path in paths}
    assert f"skipped {len(NO_WRITER)}: no writer" in done.stderr
    for path in writable:
        tags = open_tags(path)
        assert sorted(tags.get("mood")) == ["happy", "sad"], path.name
        assert (tags.get("theme"), tags.get("instrument")) == (["film"], ["piano"]), path.name
        assert audio_digest(path) == before[path][0], path.name

    written = state(music)
    again = tag(music, "--model", model, "--write", "--existing", "replace")
    assert again.exit_code == 0
    assert "analysed" not in again.stderr
    assert f"{len(writable)} unchanged" in again.stderr
    assert state(music) == written, "writing the same again changed a file"

    back = CliRunner().invoke(app, ["undo"])
    assert back.exit_code == 0, back.stderr
    for path in writable:
        assert (audio_digest(path), fields(path)) == before[path], path.name


def fields(path: Path) -> tuple[Any, ...]:
    tags = open_tags(path)
    names = ("mood", "theme", "instrument", "genre", "tagkit")
    return (tuple(tuple(tags.get(name)) for name in names), tags.foreign())


def test_a_broken_file_is_named_and_the_rest_is_done(model: Path, music: Path) -> None:
    good = library.fill(music, ["flac", "mp3"])
    (music / "broken.flac").write_bytes(b"fLaC" + bytes(300))
    (music / "empty.mp3").touch()
    done = tag(music, "--model", model, "--write")
    assert done.exit_code == 1
    assert "broken.flac" in done.stderr and "empty.mp3" in done.stderr
    assert "2 tagged" in done.stderr and "2 failed" in done.stderr
    assert all(open_tags(path).get("mood") for path in good)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("odd", ["a\0b", "x" * 1_200_000])
def test_a_tag_that_no_plan_can_carry_fails_its_file_and_no_other(
    model: Path, music: Path, odd: str
) -> None:
    strange, good = library.fill(music, ["flac", "ogg"])
    tags = mutagen.File(strange)
    tags["TAGKIT"] = [odd]
    tags.save()
    before = strange.read_bytes()
    done = tag(music, "--model", model, "--write")
    assert done.exit_code == 1
    assert "1 tagged" in done.stderr and "1 failed" in done.stderr
    assert f"failed: {strange}: its fields are odd" in done.stderr
    assert open_tags(good).get("mood") and strange.read_bytes() == before


def test_jsonl_holds_the_decision_and_on_request_every_probability(
    model: Path, music: Path
) -> None:
    library.fill(music, ["wav"])
    (row,) = rows(tag(music, "--model", model, "--all-tags"))
    assert row["duration"] == pytest.approx(1.0, abs=0.01)
    assert {t["tag"]: t["category"] for t in row["tags"]} == {
        "happy": "mood",
        "sad": "mood",
        "film": "theme",
        "piano": "instrument",
    }
    assert set(row["probabilities"]) == set(library.TAGS)
    for given in row["tags"]:
        assert given["probability"] == row["probabilities"][given["tag"]]


def test_csv_and_m3u8_are_clean(model: Path, music: Path) -> None:
    paths = library.fill(music, ["wav", "flac"])
    text = tag(music, "--model", model, "--format", "csv", "--categories", "mood").stdout
    table = list(csv.DictReader(io.StringIO(text)))
    assert {row["category"] for row in table} == {"mood"}
    assert len(table) == 4
    playlist = tag(music, "--model", model, "--format", "m3u8", "--include", "sad").stdout
    lines = [line for line in playlist.splitlines() if not line.startswith("#")]
    assert sorted(lines) == sorted(map(str, paths))
    nothing = tag(music, "--model", model, "--format", "m3u8", "--threshold", "1").stdout
    assert [line for line in nothing.splitlines() if not line.startswith("#")] == []


def test_the_table_is_for_people(model: Path, music: Path) -> None:
    library.fill(music, ["wav"])
    text = tag(music, "--model", model, "--format", "table").stdout
    assert "Music/" in text and "wav.wav" in text and "happy" in text and "instrument" in text


@pytest.mark.parametrize("output", ["table", "jsonl", "csv", "m3u8"])
@pytest.mark.parametrize("wish", [(), ("--write",), ("--dry-run",), ("--plan", "plan.jsonl")])
def test_a_folder_without_music_is_no_error(
    model: Path, music: Path, monkeypatch: pytest.MonkeyPatch, output: str, wish: tuple[str, ...]
) -> None:
    monkeypatch.chdir(music.parent)
    done = tag(music, "--model", model, "--format", output, *wish)
    assert done.exit_code == 0, done.output
    assert "0 files" in done.stderr
    assert len(done.stdout.splitlines()) <= 1  # a header


def test_what_decides(model: Path, music: Path) -> None:
    library.fill(music, ["wav"])

    def given(*options: object) -> set[str]:
        return {t["tag"] for t in rows(tag(music, "--model", model, *options))[0]["tags"]}

    assert given("--threshold", 1) == set()
    assert given("--min-confidence", 1) == set()
    assert len(given("--top-k", 1)) == 3
    assert given("--include", "Sad", "--include", "film") == {"sad", "film"}
    assert given("--exclude", "sad") == {"happy", "film", "piano"}
    assert given("--categories", "genre,vocals") == {"pop", "vocals"}


def test_nothing_decided_writes_nothing_and_is_counted(model: Path, music: Path) -> None:
    library.fill(music, ["flac", "mp3"])
    before = state(music)
    done = tag(music, "--model", model, "--write", "--threshold", 1)
    assert done.exit_code == 0
    assert "2 without tags" in done.stderr
    assert state(music) == before


def test_a_file_that_is_moved_right_after_its_write_is_no_error(
    model: Path, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tagkit.library.writer import Outcome, Writer

    (path,) = library.fill(music, ["flac"])
    apply = Writer.apply

    def moved(self: Writer, change: FileChange) -> Outcome:
        outcome = apply(self, change)
        path.rename(music / "elsewhere.flac")
        return outcome

    monkeypatch.setattr(Writer, "apply", moved)
    done = tag(music, "--model", model, "--write")
    assert done.exit_code == 0, done.output
    assert "1 tagged" in done.stderr
    monkeypatch.undo()
    assert open_tags(music / "elsewhere.flac").get("instrument") == ["piano"]


def test_a_users_mood_and_genre_are_kept(model: Path, music: Path) -> None:
    (path,) = library.fill(music, ["flac"])
    tags = open_tags(path)
    tags.set("mood", ["Serene"])
    tags.set("genre", ["Zydeco"])
    tags.save()
    done = tag(music, "--model", model, "--write", "--genre", "fill")
    assert "1 with fields kept because they are yours" in done.stderr
    tags = open_tags(path)
    assert (tags.get("mood"), tags.get("genre")) == (["Serene"], ["Zydeco"])
    assert tags.get("instrument") == ["piano"]
    tag(music, "--model", model, "--write", "--genre", "add", "--existing", "add")
    tags = open_tags(path)
    assert tags.get("genre") == ["Zydeco", "pop"]
    assert tags.get("mood")[0] == "Serene" and len(tags.get("mood")) == 3


def test_a_run_for_some_tags_leaves_the_other_categories(model: Path, music: Path) -> None:
    (path,) = library.fill(music, ["flac"])
    tag(music, "--model", model, "--write")
    tag(music, "--model", model, "--write", "--include", "sad")
    tags = open_tags(path)
    assert (tags.get("mood"), tags.get("instrument")) == (["sad"], ["piano"])


def test_genre_is_written_only_when_asked(model: Path, music: Path) -> None:
    (path,) = library.fill(music, ["ogg"])
    tag(music, "--model", model, "--write", "--categories", "mood,genre")
    assert open_tags(path).get("genre") == []
    tag(music, "--model", model, "--write", "--genre", "fill")
    assert open_tags(path).get("genre") == ["pop"]


def test_probabilities_go_to_fields_of_their_own(model: Path, music: Path) -> None:
    (path,) = library.fill(music, ["mp3_id3v24"])
    tag(music, "--model", model, "--write", "--probabilities")
    (text,) = open_tags(path).get("probability:instrument")
    name, _, value = text.partition("=")
    assert name == "piano" and 0 <= float(value) <= 1


def test_a_dry_run_shows_and_changes_nothing(model: Path, music: Path) -> None:
    library.fill(music, ["flac"])
    before = state(music)
    done = tag(music, "--model", model, "--dry-run")
    assert "instrument: (none) → piano" in done.stdout
    assert len(rows(tag(music, "--model", model, "--dry-run", "--format", "jsonl"))) == 1
    assert "would rewrite 1 files" in done.stderr
    assert state(music) == before


def test_a_plan_is_applied_exactly(model: Path, music: Path, tmp_path: Path) -> None:
    plain, edited = library.fill(music, ["flac", "mp3_id3v24"])
    plan = tmp_path / "plan.jsonl"
    before = state(music)
    assert tag(music, "--model", model, "--plan", plan).exit_code == 0
    assert state(music) == before
    tags = open_tags(edited)
    tags.set("mood", ["mine"])
    tags.save()
    done = CliRunner().invoke(app, ["apply", str(plan)])
    assert done.exit_code == 1
    assert edited.name in done.stderr
    assert sorted(open_tags(plain).get("mood")) == ["happy", "sad"]
    assert open_tags(edited).get("mood") == ["mine"]


def test_a_filled_store_needs_no_network_library(model: Path, music: Path) -> None:
    (path,) = library.fill(music, ["flac"])
    tag(music, "--model", model)
    blocked = (
        "import sys; sys.modules['torch'] = None; sys.argv[0] = 'tagkit';"
        "from tagkit.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", blocked, "tag", str(music), "--model", str(model), "--write"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert open_tags(path).get("instrument") == ["piano"]


def test_moved_and_retagged_files_are_recognised(model: Path, music: Path) -> None:
    flac, mp3 = library.fill(music, ["flac", "mp3_id3v23"])
    tag(music, "--model", model)
    flac.rename(music / "renamed.flac")
    tags = open_tags(mp3)
    tags.set("genre", ["Polka"])
    tags.save()
    done = tag(music, "--model", model)
    assert "analysed" not in done.stderr
    assert len(rows(done)) == 2


def test_another_model_listens_for_itself_only(model: Path, music: Path) -> None:
    library.fill(music, ["flac"])
    other = library.small_model(model.with_name("other.safetensors"), seed=5)
    assert "1 analysed" in tag(music, "--model", model).stderr
    assert "1 analysed" in tag(music, "--model", model, "--model", other).stderr
    assert "analysed" not in tag(music, "--model", other).stderr


@pytest.mark.parametrize("how", ["--write", "--plan"])
def test_audio_that_changed_under_its_size_and_time_is_heard_again(
    model: Path, music: Path, tmp_path: Path, how: str
) -> None:
    words = (music, "--model", model, how, *([tmp_path / "p.jsonl"] if how == "--plan" else []))
    (path,) = library.fill(music, ["wav"])
    assert "1 analysed" in tag(music, "--model", model).stderr
    stamp = path.stat()
    media.make(path, "wav", seconds=1.0, seed=1)
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert path.stat().st_size == stamp.st_size
    before = path.read_bytes()
    refused = tag(*words)
    assert refused.exit_code == 1 and "other audio" in refused.stderr
    assert path.read_bytes() == before
    done = tag(*words)
    assert done.exit_code == 0 and "1 analysed" in done.stderr
    assert ("1 tagged" in done.stderr) == (how == "--write")


def test_the_same_audio_twice_is_heard_once(model: Path, music: Path) -> None:
    (path,) = library.fill(music, ["flac"])
    (music / "copy.flac").write_bytes(path.read_bytes())
    done = tag(music, "--model", model)
    assert "1 analysed" in done.stderr
    first, second = rows(done)
    assert first["tags"] == second["tags"]


def test_lists_ignore_files_and_patterns(model: Path, music: Path) -> None:
    flac, wav = library.fill(music, ["flac", "wav"])
    listed = tag("--input-list", "-", "--model", model, input=f"{wav}\n")
    assert [row["path"] for row in rows(listed)] == [str(wav)]
    (music / ".tagkitignore").write_text("*.wav\n")
    assert [row["path"] for row in rows(tag(music, "--model", model))] == [str(flac)]
    assert rows(tag(music, "--model", model, "--ignore", "*.flac")) == []
    missing = tag(music / "nowhere", "--model", model)
    assert missing.exit_code == 1 and "nowhere" in missing.stderr


def test_the_config_file_gives_defaults_and_the_command_line_wins(
    home: Path, model: Path, music: Path
) -> None:
    library.fill(music, ["flac"])
    config = home / "config" / "tagkit" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'[tag]\nmodel = ["{model}"]\ntop-k = 1\ncategories = "mood"\n')
    assert len(rows(tag(music))[0]["tags"]) == 1
    assert len(rows(tag(music, "--top-k", 2))[0]["tags"]) == 2
    config.write_text("[tag]\ntopk = 1\n")
    wrong = tag(music)
    assert wrong.exit_code == 2
    assert "did you mean top-k" in wrong.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["."],
        ["--format", "xml"],
        ["--existing", "destroy"],
        ["--categories", "colour"],
        ["--include", "hapy"],
        ["--threshold", "2"],
        ["--device", "gpu"],
        ["--categories", ","],
        ["--v23-separator", " "],
        ["--write", "--dry-run"],
    ],
)
def test_impossible_wishes_are_usage_errors(model: Path, music: Path, arguments: list[str]) -> None:
    library.fill(music, ["wav"])
    words = arguments if arguments != ["."] else []
    done = tag(*([music, "--model", model, *words] if words else ["--model", model]))
    assert done.exit_code == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) <= 2 and "Traceback" not in done.stderr


def test_ctrl_c_ends_soon_and_keeps_what_is_finished(home: Path, model: Path, music: Path) -> None:
    noise = np.random.default_rng(0)
    for number in range(400):
        soundfile.write(music / f"{number:03}.wav", noise.uniform(-0.5, 0.5, 16000), 16000)
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tagkit",
            "tag",
            str(music),
            "--model",
            str(model),
            "--windows",
            "1",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    store = home / "data" / "tagkit" / "library.sqlite"
    deadline = time.monotonic() + 60
    while (known := _analysed(store)) < 10 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert known >= 10
    process.send_signal(signal.SIGINT)
    asked = time.monotonic()
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert time.monotonic() - asked < 5  # a second or two, on a machine that does other things too
    assert "kept" in said and "Traceback" not in said
    kept = _analysed(store)
    assert known <= kept < 400
    done = tag(music, "--model", model, "--windows", 1)
    assert f"{400 - kept} analysed" in done.stderr


def _analysed(store: Path) -> int:
    import sqlite3

    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as db:
            count: int = db.execute("SELECT count(*) FROM analyses").fetchone()[0]
    except sqlite3.OperationalError:
        return 0
    finally:
        if "db" in locals():
            db.close()
    return count


def test_writing_many_files_from_a_terminal_asks(
    model: Path, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tagkit.cli import writing

    library.fill(music, ["flac", "mp3"])
    before = state(music)
    monkeypatch.setattr(writing, "ASK_ABOVE", 1)
    monkeypatch.setattr(writing, "_answerable", lambda: True)
    assert tag(music, "--model", model, "--write", input="n\n").exit_code == 1
    assert state(music) == before
    assert tag(music, "--model", model, "--write", "--yes").exit_code == 0
    assert state(music) != before


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['tagkit', '--help']\n"
        "from tagkit.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'numpy', 'sklearn', 'mutagen', 'av', 'soundfile'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
