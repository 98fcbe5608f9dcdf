"""The ground of the store and the journal: durable, patient, and plain about what is wrong."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tagkit.errors import StoreError
from tagkit.library import database
from tagkit.library.database import Database
from tagkit.library.database_checks import columns

SCHEMA = "CREATE TABLE things (name TEXT UNIQUE);\nCREATE INDEX by_name ON things (name);\n"


def made(path: Path, **options: bool) -> Database:
    return Database(path, name="shelf", schema=SCHEMA, version=1, **options)


def pragma(db: Database, name: str) -> object:
    return db.rows(f"PRAGMA {name}", make=lambda row: row[0])[0]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made" / "shelf.sqlite"


@pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 1)])
def test_a_log_ahead_and_flushed_as_often_as_asked(path: Path, durable: bool, level: int) -> None:
    db = made(path, durable=durable)
    assert pragma(db, "journal_mode") == "wal"
    assert pragma(db, "synchronous") == level
    assert pragma(db, "foreign_keys") == 1
    assert pragma(db, "busy_timeout") == database.BUSY_SECONDS * 1000
    db.close()


def test_a_transaction_happens_whole_or_not_at_all(path: Path) -> None:
    db = made(path)
    with pytest.raises(KeyboardInterrupt), db.transaction():
        db.run("INSERT INTO things VALUES (?)", "half")
        raise KeyboardInterrupt
    with db.transaction():
        assert db.run("INSERT INTO things VALUES (?)", "whole") == 1
    assert db.rows("SELECT name FROM things", make=lambda row: row[0]) == ["whole"]
    db.close()
    assert pragma(made(path), "user_version") == 1  # nor is anything made twice


def test_who_finds_it_busy_waits(path: Path) -> None:
    db = made(path)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.2, lambda: other.execute("ROLLBACK"))
    timer.start()
    db.run("INSERT INTO things VALUES ('late')")
    timer.join()
    other.close()
    db.close()


def test_who_has_waited_long_enough_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(path).close()
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.01)
    db = made(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with (
        pytest.raises(StoreError, match=r"shelf cannot be used.*locked") as caught,
        db.transaction(),
    ):
        pass
    assert caught.value.path == str(path) and "another program" in (caught.value.hint or "")
    other.close()
    db.close()


def test_a_full_disk_undoes_the_transaction_and_is_said(path: Path) -> None:
    db = made(path)
    db.run("PRAGMA max_page_count = 1")
    with pytest.raises(StoreError, match="full") as caught, db.transaction():
        for number in range(1000):
            db.run("INSERT INTO things VALUES (?)", str(number) * 100)
    assert "disk full" in (caught.value.hint or "")
    assert db.rows("SELECT count(*) FROM things", make=lambda row: row[0]) == [0]
    db.close()


COLOURS = "ALTER TABLE things ADD COLUMN colour TEXT;\n"
SIZES = "ALTER TABLE things ADD COLUMN size REAL;\n"


def grown(path: Path, script: str = SIZES) -> Database:
    schema = SCHEMA.replace("UNIQUE)", "UNIQUE, colour TEXT, size REAL  -- in metres\n)")
    return Database(path, name="shelf", schema=schema, version=3, upgrades={1: COLOURS, 2: script})


def test_an_older_one_is_brought_up_and_keeps_what_it_holds(path: Path) -> None:
    old = made(path)
    old.run("INSERT INTO things VALUES ('vase')")
    for _ in range(2):
        db = grown(path)
        assert db.rows("SELECT * FROM things", make=tuple) == [("vase", None, None)]
        assert pragma(db, "user_version") == 3
        db.close()
    old.close()
    fresh = grown(path.with_name("fresh.sqlite"))
    assert fresh.rows("SELECT name, colour, size FROM things", make=tuple) == []
    assert pragma(fresh, "user_version") == 3
    fresh.close()


def test_what_cannot_be_brought_up_stays_what_it_was(path: Path) -> None:
    made(path).close()
    with pytest.raises(StoreError, match="shelf"):
        grown(path, "ALTER TABLE nothing ADD COLUMN size REAL;\n")
    db = made(path)
    db.run("INSERT INTO things VALUES ('vase')")
    assert pragma(db, "user_version") == 1
    db.close()


def test_many_that_bring_up_the_same_one_at_once_take_turns(path: Path) -> None:
    made(path).close()
    found: list[object] = []

    def bring_up() -> None:
        db = grown(path)
        found.append(pragma(db, "user_version"))
        db.close()

    threads = [threading.Thread(target=bring_up) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [3] * 8


def test_a_newer_one_is_left_alone_and_the_way_out_is_said(path: Path) -> None:
    db = made(path)
    db.run("PRAGMA user_version = 2")
    db.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="newer tagkit") as caught:
        made(path)
    assert "update tagkit" in (caught.value.hint or "")
    assert path.read_bytes() == before


def test_a_database_of_another_kind_is_left_alone(path: Path) -> None:
    made(path).close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another kind"):
        Database(path, name="cellar", schema=SCHEMA, version=1)
    assert path.read_bytes() == before


def test_a_damaged_one_is_called_damaged(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database at all, and long enough to see it. " * 50)
    with pytest.raises(StoreError, match="damaged") as caught:
        made(path)
    assert "move it away" in (caught.value.hint or "")


def test_our_own_mistakes_are_not_blamed_on_the_disk(path: Path) -> None:
    db = made(path)
    with pytest.raises(sqlite3.ProgrammingError):
        db.run("INSERT INTO things VALUES (?)")
    db.close()


def test_what_only_a_damaged_index_can_refuse_is_called_damaged(path: Path) -> None:
    db = made(path)
    db.run("INSERT INTO things VALUES ('a')")
    with pytest.raises(StoreError, match="damaged: UNIQUE"):
        db.run("INSERT INTO things VALUES ('a')")
    db.close()


def change(path: Path, script: str) -> bytes:
    """Do to a database what tagkit never does; return its bytes."""
    made(path).close()
    with closing(sqlite3.connect(path)) as other:
        other.executescript("PRAGMA journal_mode = DELETE;" + script)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("script", "odd"),
    [
        ("CREATE TRIGGER t AFTER INSERT ON things BEGIN SELECT 1; END;", "trigger t"),
        ("ALTER TABLE things RENAME TO o; CREATE VIEW things AS SELECT * FROM o;", "view things"),
        ("DROP INDEX by_name;", "index by_name"),
        ("DROP TABLE things; CREATE TABLE things (name TEXT);", "table things"),
        ("CREATE UNIQUE INDEX u ON things (upper(name));", "index u"),
        ("CREATE VIEW notes AS SELECT 1;", "view notes"),
    ],
)
def test_tables_that_are_not_ours_are_named_and_left_alone(
    path: Path, script: str, odd: str
) -> None:
    before = change(path, script)
    with pytest.raises(StoreError, match=odd) as caught:
        made(path)
    assert "move it away" in (caught.value.hint or "") and path.read_bytes() == before


def test_an_old_one_with_a_trigger_is_not_brought_up(path: Path) -> None:
    before = change(path, "CREATE TRIGGER t AFTER INSERT ON things BEGIN SELECT 1; END;")
    with pytest.raises(StoreError, match="trigger t"):
        grown(path)
    assert path.read_bytes() == before


def test_an_analyze_of_the_owner_does_no_harm(path: Path) -> None:
    change(path, "INSERT INTO things VALUES ('vase'); ANALYZE;")
    made(path).close()


@pytest.mark.parametrize("end", ["", "-wal", "-shm", "-journal"])
@pytest.mark.parametrize("kind", ["folder", "FIFO", "link"])
def test_what_is_no_file_is_not_used(path: Path, kind: str, end: str) -> None:
    made(path).close()
    odd, elsewhere = path.with_name(path.name + end), path.with_name("elsewhere")
    odd.unlink(missing_ok=True)
    elsewhere.write_text("somebody's")
    if kind == "folder":
        odd.mkdir()
    elif kind == "FIFO":
        os.mkfifo(odd)
    else:
        odd.symlink_to(elsewhere if end else "nowhere")
    with pytest.raises(StoreError, match=r"no regular file|which is not there") as caught:
        made(path)
    assert caught.value.hint and elsewhere.read_text() == "somebody's"


def test_a_link_to_a_database_is_followed(path: Path) -> None:
    made(path).close()
    link = path.with_name("link")
    link.symlink_to(path)
    made(link).close()


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: os.truncate(path, 0)])
def test_a_log_whose_database_is_gone_is_kept(path: Path, damage: Callable[[Path], None]) -> None:
    db = made(path)
    db.run("INSERT INTO things VALUES ('vase')")
    log = path.with_name(path.name + "-wal")
    kept = log.read_bytes()
    db.close()
    log.write_bytes(kept)
    damage(path)
    with pytest.raises(StoreError, match="gone or empty"):
        made(path)
    assert log.read_bytes() == kept


def test_a_log_of_another_database_is_not_folded_into_ours(path: Path) -> None:
    made(path).close()
    before = path.read_bytes()
    other = path.with_name("other")
    log = path.with_name(path.name + "-wal")
    with closing(sqlite3.connect(other)) as foreign:
        foreign.executescript("PRAGMA journal_mode = WAL; CREATE TABLE photos (name);")
        log.write_bytes(path.with_name("other-wal").read_bytes())
    with pytest.raises(StoreError, match="another kind"):
        made(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["a b?mode=ro#%41", os.fsdecode(b"caf\xe9 \xff"), "naïve"])
def test_its_name_may_be_anything(path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path.parent.mkdir()
    monkeypatch.chdir(path.parent)
    for spelt in (Path(name), path.parent / name, Path(f"/{path.parent}") / name):
        db = made(spelt)
        db.close()
        assert [file.name for file in path.parent.iterdir()] == [name]


def test_one_whose_last_page_was_cut_is_damaged(path: Path) -> None:
    made(path).close()
    os.truncate(path, path.stat().st_size - 1)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="its end is missing"):
        made(path)
    assert path.read_bytes() == before


def test_a_row_that_is_not_what_it_should_be_is_damage(path: Path) -> None:
    db = made(path)
    db.run("INSERT INTO things VALUES (x'00')")
    with pytest.raises(StoreError, match="damaged: a row of bytes"):
        db.rows("SELECT name FROM things", make=columns(str | None))
    db.close()


def test_a_value_of_absurd_size_is_damage(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db = made(path)
    db.run("INSERT INTO things VALUES (?)", "x" * 5000)
    db.close()
    monkeypatch.setattr(database, "MOST_BYTES", 3000)
    db = made(path)
    with pytest.raises(StoreError, match=r"damaged: .*too big"):
        db.rows("SELECT name FROM things", make=tuple)
    db.close()
