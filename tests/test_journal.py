"""The journal: durable before the file changes, shared by processes, honest after a crash."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tagkit.errors import StoreError
from tagkit.library import marker as marks
from tagkit.library.change import FieldChange, FileChange
from tagkit.library.layout import Layout
from tagkit.library.runs.journal import Journal
from tagkit.library.runs.records import read_write
from tagkit.library.runs.settle import settle

KEY = "ab" * 16


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path / "data" / "journal.sqlite3") as journal:
        yield journal


def begin(journal: Journal, kind="tag") -> int:
    return journal.begin(kind, command=["tagkit", kind, "/m"], version="0.1.0", model="9f3c")


def change(path: Path, old=(), new=("happy",), content=KEY) -> FileChange:
    fields = (FieldChange("mood", tuple(old), tuple(new)),)
    return FileChange(path, "mp3", 1, 2, content, fields)


def write(journal: Journal, run: int, what: FileChange, reverts: int | None = None) -> int:
    number = journal.pending(run, what, before={"mood": "[]"}, reverts=reverts)
    journal.done(number)
    return number


def test_what_was_recorded_is_there_for_the_next_process(journal, tmp_path):
    run = begin(journal)
    path = tmp_path / "Björk — “Jóga”.mp3"
    number = write(journal, run, change(path, old=["a\nb", "�"], new=["sad"]))
    journal.finish(run)
    with Journal(tmp_path / "data" / "journal.sqlite3") as again:
        (found,) = again.runs()
        assert (found.id, found.kind, found.command) == (run, "tag", ("tagkit", "tag", "/m"))
        assert (found.version, found.model, found.files, found.undone) == ("0.1.0", "9f3c", 1, 0)
        assert found.finished is not None
        (row,) = map(again.write, again.writes(run))
        assert (row.id, row.path, row.content, row.state) == (number, path, KEY, "done")
        assert row.changes == (FieldChange("mood", ("a\nb", "�"), ("sad",)),)
        assert row.before == {"mood": "[]"}


def test_a_file_name_that_is_no_text_survives(journal):
    path = Path(os.fsdecode(b"/m/\xff\xfe caf\xe9.mp3"))
    run = begin(journal)
    write(journal, run, change(path))
    (row,) = map(journal.write, journal.writes(run))
    assert os.fsencode(row.path) == b"/m/\xff\xfe caf\xe9.mp3"


def test_a_commit_reaches_the_disk_and_not_only_the_cache(journal):
    (level,) = journal._db.rows("PRAGMA synchronous", make=lambda row: row[0])
    assert level == 2  # FULL


def test_the_last_run_is_the_newest_with_something_to_take_back(journal, tmp_path):
    first, second, empty = begin(journal), begin(journal), begin(journal)
    one = write(journal, first, change(tmp_path / "1"))
    two = write(journal, second, change(tmp_path / "2"))
    journal.void(journal.pending(empty, change(tmp_path / "3"), before={}))
    assert journal.last_run().id == second
    undo = begin(journal, "undo")
    back = write(journal, undo, change(tmp_path / "2"), reverts=two)
    assert journal.last_run().id == first
    redo = begin(journal, "undo")
    write(journal, redo, change(tmp_path / "2"), reverts=back)
    assert journal.last_run().id == second
    journal.nothing_left(two)
    journal.nothing_left(one)
    assert journal.last_run() is None


def test_a_moved_file_is_known_by_its_audio_a_copy_is_not(journal, tmp_path):
    old, moved = tmp_path / "old.mp3", tmp_path / "moved.mp3"
    signed = marks.text(marks.Marker("0.1.0", "m", {"mood": marks.claim(["happy"], 1)}))
    fields = (FieldChange("tagkit", (), signed),)
    write(journal, begin(journal), FileChange(old, "mp3", 1, 2, KEY, fields))
    assert journal.remembered(moved, KEY) == marks.parse(signed)
    assert journal.remembered(moved, "cd" * 16) is None
    old.touch()
    assert journal.remembered(moved, KEY) is None
    assert journal.remembered(old, KEY) == marks.parse(signed)


def test_a_later_write_counts_before_it_is_recorded_as_done(journal, tmp_path):
    """An undo may meet the new values in the file a moment before the journal hears of them."""
    path, other = tmp_path / "a.mp3", tmp_path / "b.mp3"
    first = journal.write(write(journal, begin(journal), change(path)))
    write(journal, begin(journal), change(other))
    void = journal.pending(begin(journal), change(path), before={})
    journal.void(void)
    assert journal.later(first, path) == []
    under_way = journal.pending(begin(journal), change(path), before={})
    assert [w.id for w in journal.later(first, path)] == [under_way]
    journal.done(under_way)
    assert [w.id for w in journal.later(first, tmp_path / "moved.mp3")] == [under_way]
    write(journal, begin(journal, "undo"), change(path), reverts=under_way)
    assert journal.later(first, path) == []


def test_a_thousand_copies_are_not_all_read_for_each_of_them(journal, tmp_path, monkeypatch):
    """Else a library of equal files, silent tracks maybe, takes a run the square of their number."""
    run = begin(journal)
    copies = [tmp_path / f"{number}.mp3" for number in range(1000)]
    for path in copies:
        path.touch()
    before = copies[0], tmp_path / "gone.mp3", copies[0]
    numbers = [write(journal, run, change(path)) for path in before]
    with journal._db.transaction():
        journal._db.run_many(
            "INSERT INTO writes (run, path, content, container, changes, before, state)"
            " VALUES (?, ?, ?, 'mp3', '[]', '{}', 'done')",
            [(run, bytes(path), KEY) for path in copies[1:150]],
        )
    read: list[object] = []
    monkeypatch.setattr(
        "tagkit.library.runs.journal.read_write", lambda row: read.append(row) or read_write(row)
    )
    assert [w.id for w in journal.history(copies[0], KEY)] == numbers[::-1]
    assert len(read) == 3
    with journal._db.transaction():
        journal._db.run_many(
            "INSERT INTO writes (run, path, content, container, changes, before, state)"
            " VALUES (?, ?, ?, 'mp3', '[]', '{}', 'done')",
            [(run, bytes(path), KEY) for path in copies[150:]],
        )
    # The move lies too many writes back to be found. What the file is known by itself still is.
    assert [w.id for w in journal.history(copies[0], KEY)] == [numbers[2], numbers[0]]


def test_a_file_that_is_reached_through_a_symlink_is_the_same_file(journal, tmp_path):
    real, link = tmp_path / "real.mp3", tmp_path / "link.mp3"
    real.touch()
    link.symlink_to(real)
    write(journal, begin(journal), change(real))
    assert [w.path for w in journal.history(link, KEY)] == [real]


class Tags:
    def __init__(self, mood):
        self.mood = mood

    def get(self, _field):
        return self.mood


@pytest.mark.parametrize(
    ("holds", "state"), [(["happy"], "done"), (["old"], "void"), (["edited"], "done")]
)
def test_after_a_crash_the_file_says_what_happened(journal, tmp_path, monkeypatch, holds, state):
    run = journal.begin("tag", command=[], version="0", settings=Layout().settings())
    number = journal.pending(run, change(tmp_path / "a.mp3", old=["old"]), before={})
    journal._locks.release_all()  # as the kernel does when the process dies
    monkeypatch.setattr(Layout, "open", lambda _layout, _path: Tags(holds))
    assert settle(journal) == 1
    rows = journal._db.rows("SELECT id, state FROM writes", make=tuple)
    assert rows == [(number, state)]


def test_a_file_that_cannot_be_seen_now_is_settled_later(journal, tmp_path):
    journal.pending(begin(journal), change(tmp_path / "a.mp3"), before={})
    journal._locks.release_all()
    assert settle(journal) == 0
    assert len(journal.unsettled()) == 1


def test_what_is_settled_stays_as_the_first_found_it(journal, tmp_path):
    """Of two commands that settle a dead run's write the slower one may find the faster one's."""
    run = begin(journal)
    first, void = (
        journal.pending(run, change(tmp_path / name), before={}) for name in ("1.mp3", "2.mp3")
    )
    journal.done(first)
    journal.void(void)
    back = write(journal, begin(journal, "undo"), change(tmp_path / "1.mp3"), reverts=first)
    again = write(journal, begin(journal, "undo"), change(tmp_path / "1.mp3"), reverts=back)
    for late in (first, void, back, again):
        journal.done(late)
        journal.void(late)
    rows = journal._db.rows("SELECT state, undone FROM writes ORDER BY id", make=tuple)
    assert rows == [("done", 0), ("void", 0), ("done", 1), ("done", 0)]


def test_a_run_that_ends_while_it_is_looked_at_leaves_nothing_unsettled(
    journal, tmp_path, monkeypatch
):
    run = begin(journal)
    number = journal.pending(run, change(tmp_path / "a.mp3"), before={})
    with Journal(tmp_path / "data" / "journal.sqlite3") as other:

        def ends(asked: int) -> bool:
            journal.done(number)
            journal.finish(run)
            return Journal.is_alive(other, asked)

        monkeypatch.setattr(other, "is_alive", ends)
        assert other.unsettled() == []


def test_a_living_run_is_not_settled_by_another_process(journal, tmp_path):
    run = begin(journal)
    journal.pending(run, change(tmp_path / "a.mp3"), before={})
    with Journal(tmp_path / "data" / "journal.sqlite3") as other:
        assert other.is_alive(run) and other.unsettled() == []
        journal.finish(run)
        assert not other.is_alive(run) and len(other.unsettled()) == 1


KILLED = """
import sys, os, signal
from pathlib import Path
from tests.test_journal import Journal, begin, change
journal = Journal(Path(sys.argv[1]))
journal.pending(begin(journal), change(Path("/m/a.mp3")), before={})
os.kill(os.getpid(), signal.SIGKILL)
"""
CROWD = """
import sys
from pathlib import Path
from tests.test_journal import Journal, begin, change, write
with Journal(Path(sys.argv[1])) as journal:
    run = begin(journal)
    for number in range(20):
        write(journal, run, change(Path(f"/m/{number}.mp3")))
    journal.finish(run)
"""


def python(code: str, *arguments: object) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(argv, cwd=Path(__file__).parents[1])


def test_a_killed_run_is_dead_and_its_record_is_not(tmp_path):
    path = tmp_path / "journal.sqlite3"
    assert python(KILLED, path).wait() == -signal.SIGKILL
    with Journal(path) as journal:
        (left,) = journal.unsettled()
        assert left.path == Path("/m/a.mp3")
        settle(journal)
    assert not list(tmp_path.glob("*.lock"))


def test_processes_that_create_and_fill_one_journal_lose_nothing(tmp_path):
    path = tmp_path / "journal.sqlite3"
    crowd = [python(CROWD, path) for _ in range(3)]
    assert [process.wait() for process in crowd] == [0, 0, 0]
    with Journal(path) as journal:
        assert [run.files for run in journal.runs()] == [20, 20, 20]
    assert not list(tmp_path.glob("*.lock"))


def test_a_journal_from_a_newer_tagkit_is_not_touched(journal, tmp_path):
    journal.close()
    path = tmp_path / "data" / "journal.sqlite3"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match="newer"):
        Journal(path)


@pytest.mark.parametrize(
    "damage", [b"not a database, but long enough to be one" * 99, b"\0" * 5000]
)
def test_a_file_that_is_no_journal_is_said_to_be_none(tmp_path, damage):
    path = tmp_path / "journal.sqlite3"
    path.write_bytes(damage)
    with pytest.raises(StoreError) as caught:
        Journal(path)
    assert "journal" in str(caught.value) and caught.value.hint


@pytest.mark.parametrize(
    ("column", "value"),
    [("changes", "{"), ("changes", "[1]"), ("before", "]"), ("changes", json.dumps([["a"]]))],
)
def test_a_damaged_row_is_named(journal, tmp_path, column, value):
    run = begin(journal)
    write(journal, run, change(tmp_path / "a.mp3"))
    journal._db.run(f"UPDATE writes SET {column} = ?", value)
    with pytest.raises(StoreError, match="write 1"):
        journal.write(journal.writes(run)[0])
