"""The store and the journal as damaged, locked or hostile files.

No traceback; a sentence that names the database and the next step; what is refused is left as it is; and
the music is untouched or whole.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tagkit.library import database
from tests.trust import command, damage, size
from tests.trust.shelf import Seen, Shelf, see

pytestmark = pytest.mark.timeout(0 if size.FULL else 300)

KINDS = ("mp3_id3v23", "flac", "m4a")


class Case:
    """A library that was tagged by one run, has been edited since, and could be tagged by another.

    It is put back before each test, to the very times of its files: the store knows them by these.
    """

    def __init__(self, folder: Path) -> None:
        self._kept = folder / "kept"
        self.shelf = Shelf(folder / "live", KINDS)
        self.databases = {"store": self.shelf.store, "journal": self.shelf.journal}
        self.shelf.hear()
        self.run("tag --write", "--include", "happy", "--include", "piano")
        self.plan = folder / "live" / "plan.jsonl"
        self.run("tag", "--plan", self.plan)
        shutil.copytree(folder / "live", self._kept)
        self.before = self.shelf.seen()
        self.run("tag --write")
        self.after = self.shelf.seen()
        self.foreign = self.before[self.shelf.files[0]].foreign
        self.restore()

    def restore(self) -> None:
        live = self.plan.parent
        shutil.rmtree(live)
        shutil.copytree(self._kept, live)

    def run(self, words: str, *more: object) -> subprocess.CompletedProcess[str]:
        return command.call(self.shelf.home, *self.words(words), *more)

    def words(self, words: str) -> list[object]:
        name, *options = words.split()
        if name == "tag":
            return [*self.shelf.tag(), *options]
        targets: dict[str, list[object]] = {
            "apply": [self.plan],
            "strip": [self.shelf.music],
            "undo": [self.shelf.music] if "all" in options else [],
        }
        return [name, *targets.get(name, []), *(word for word in options if word != "all")]

    def left_whole(self) -> None:
        """The music has its audio and all foreign tags, and nothing lies beside it."""
        for path, was in self.before.items():
            is_now = see(path)
            assert (is_now.audio, is_now.foreign) == (was.audio, was.foreign)
        assert self.shelf.strays() == []

    def untouched(self) -> None:
        assert self.shelf.seen() == self.before and self.shelf.strays() == []


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return Case(tmp_path_factory.mktemp("databases"))


@pytest.fixture
def case(made: Case) -> Iterator[Case]:
    made.restore()
    yield made


WRITING = ("tag --write", "tag", "tag --format m3u8", "tag --format table", "tag --all-tags")
JOURNALLED = ("tag --write", "undo", "undo all", "history", "history 1", "strip", "apply")


def commands(which: str) -> tuple[str, ...]:
    """Return the commands that use a database."""
    return WRITING if which == "store" else JOURNALLED


def named(done: subprocess.CompletedProcess[str], path: Path) -> bool:
    """Whether a command failed with a sentence that names the database, and what to do about it."""
    last = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    return done.returncode == 1 and len(last) == 1 and str(path) in last[0] and last[0][-1] == ")"


def tree(folder: Path) -> dict[Path, bytes]:
    """Return what lies in a folder, but for the shared memory, which is scratch paper."""
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith("-shm")
    }


TABLES = {"store": ("models", "contents", "paths", "analyses"), "journal": ("runs", "writes")}
NOTHING_ELSE = "CREATE TABLE photos (name);"


def refused(which: str) -> dict[str, damage.Harm]:
    """Return what is refused when the database is opened, and left as it is."""
    found: dict[str, damage.Harm] = {
        "text": damage.content(b"A text, and no database. " * 400),
        "picture": damage.content(b"\x89PNG\r\n\x1a\n" + bytes(9000)),
        "newer": damage.script("PRAGMA user_version = 9;"),
        "negative version": damage.script("PRAGMA user_version = -9;"),
        "another application's": damage.instead(damage.script(NOTHING_ELSE)),
        "another application's, of our version": damage.instead(
            damage.script(NOTHING_ELSE + "PRAGMA user_version = 1;")
        ),
        "folder": damage.instead(lambda path: path.mkdir()),
        "FIFO": damage.instead(lambda path: os.mkfifo(path)),
        "device": damage.instead(lambda path: path.symlink_to("/dev/full")),
        "dangling link": damage.instead(lambda path: path.symlink_to("nowhere")),
        "link to itself": damage.instead(lambda path: path.symlink_to(path)),
        "header lost": lambda path: damage.content(bytes(100) + path.read_bytes()[100:])(path),
        "first page lost": lambda path: damage.content(bytes(4096) + path.read_bytes()[4096:])(
            path
        ),
        "trigger": damage.script(
            f"CREATE TRIGGER t AFTER INSERT ON {TABLES[which][0]}"
            f" BEGIN DELETE FROM {TABLES[which][-1]}; END;"
        ),
        "UTF-8 lost in a name": damage.script(
            "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET name = CAST(x'ff80' AS TEXT)"
            f" WHERE name = '{TABLES[which][-1]}';"
        ),
        "schema lost": damage.script(
            "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE (';"
        ),
        "empty, but for its log": lambda path: (
            damage.beside("-wal", damage.unfinished_log(path))(path),
            damage.cut(0)(path),
        )[0],
    }
    if which == "store":  # the journal's is the same folder
        found["no folder"] = lambda path: damage.instead(damage.content(b""))(path.parent)
    for end in ("-wal", "-shm", "-journal"):
        found |= {
            f"{end} is a folder": damage.odd_beside(end, lambda path: path.mkdir()),
            f"{end} is a FIFO": damage.odd_beside(end, lambda path: os.mkfifo(path)),
            f"{end} is a link": damage.odd_beside(
                end, lambda path: path.symlink_to(path.with_name("elsewhere"))
            ),
        }
    for table in TABLES[which]:
        rename = f"ALTER TABLE {table} RENAME TO other;"
        found |= {
            f"{table} is gone": damage.script(f"DROP TABLE {table};"),
            f"{table} is a view": damage.script(
                f"{rename} CREATE VIEW {table} AS SELECT * FROM other;"
            ),
            f"{table} lacks a column": damage.script(
                f"{rename} CREATE TABLE {table} (id INTEGER PRIMARY KEY);"
            ),
            f"{table} has another column": damage.script(
                f"ALTER TABLE {table} ADD COLUMN more TEXT;"
            ),
        }
    return found


def chosen(part: str, cases: list[tuple[str, ...]], ci: int) -> list[tuple[str, ...]]:
    """Return all cases in full size, and so many of them, drawn, in CI's."""
    return cases if size.FULL else sorted(size.draws(part).sample(cases, min(ci, len(cases))))


def every_command_refuses(case: Case, which: str) -> None:
    """Each names the database and leaves it, all else of the home, and the music as they are."""
    before = tree(case.shelf.home)
    for words in commands(which):
        done = case.run(words)
        assert named(done, case.databases[which]), (words, done.stderr)
        assert tree(case.shelf.home).items() >= before.items(), words
    case.untouched()


REFUSED = [(which, name) for which in TABLES for name in refused(which)]


@pytest.mark.parametrize(("which", "name"), chosen("refused", REFUSED, 24))
def test_what_is_no_database_of_ours_is_refused_and_left_as_it_is(
    case: Case, which: str, name: str
) -> None:
    refused(which)[name](case.databases[which])
    every_command_refuses(case, which)


CUTS = [(which, str(part)) for which in TABLES for part in range(50)]


@pytest.mark.parametrize(("which", "part"), chosen("cuts", CUTS, 6))
def test_a_database_that_was_cut_off_is_refused(case: Case, which: str, part: str) -> None:
    path = case.databases[which]
    damage.cut(int(part) / 50)(path)
    if int(part) == 0:  # an empty file is an empty database, as one that mktemp has made
        assert case.run("history").returncode == 0
        return
    every_command_refuses(case, which)


def rows(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return what can still be read of a database, with SQLite alone."""
    found = {}
    for table in (*TABLES["store"], *TABLES["journal"]):
        try:
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
                db.text_factory = bytes
                found[table] = db.execute(f"SELECT * FROM {table}").fetchall()
        except sqlite3.Error:
            continue
    return found


def survives(case: Case, which: str, seed: str, hurt: Callable[[Path], None], most: int = 9) -> str:
    """Harm a database, run commands on it in some order; return how it ended."""
    path = case.databases[which]
    hurt(path)
    ends = set()
    for words in size.draws(seed + "order").sample(commands(which), len(commands(which)))[:most]:
        done = case.run(words)
        if done.returncode:  # by the database, or by what is not so in it
            said = re.search("^failed: |nothing to take back|there is no run", done.stderr, re.M)
            assert said or named(done, path), (words, done.stderr)
        assert path.exists()
        case.left_whole()
        ends.add("refused" if done.returncode else "went on")
    return "refused" if ends == {"refused"} else "went on"


HARMS = {
    "flips": damage.flips,
    "pages": damage.pages,
    "-wal of noise": lambda draws: damage.beside("-wal", draws.randbytes(9000)),
    "-shm of noise": lambda draws: damage.beside("-shm", draws.randbytes(32768)),
    "-journal of noise": lambda draws: damage.beside("-journal", draws.randbytes(9000)),
}
OFTEN = {"flips": size.of(6, 80), "pages": size.of(5, 40)}


@pytest.mark.parametrize("which", TABLES)
@pytest.mark.parametrize("name", HARMS)
def test_damage_anywhere_ends_in_a_sentence_or_does_no_harm(
    case: Case, which: str, name: str
) -> None:
    started, ends = time.monotonic(), Counter[str]()
    for number in range(OFTEN.get(name, size.of(1, 5))):
        case.restore()
        seed = f"{which}/{name}/{number}"
        ends[survives(case, which, seed, HARMS[name](size.draws(seed)))] += 1
    size.tell(f"databases: {which}: {name}", time.monotonic() - started, **ends)


def hostile_columns() -> list[tuple[str, str, str, str]]:
    """Return every column of every table, with every odd value."""
    from tagkit.library.runs import records
    from tagkit.library.store import tables

    found = []
    for which, schema in (("store", tables.SCHEMA), ("journal", records.SCHEMA)):
        with closing(sqlite3.connect(":memory:")) as db:
            db.executescript(schema)
            names = (
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
            )
            for (table,) in db.execute(names).fetchall():
                for column in db.execute(f"PRAGMA table_info({table})").fetchall():
                    if column[2] != "INTEGER" or not column[5]:  # else a row's number
                        found += [(which, table, column[1], value) for value in damage.VALUES]
    return found


COLUMNS = hostile_columns()


def test_hostile_values_in_any_column_end_in_a_sentence_or_do_no_harm(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "MOST_BYTES", damage.MOST_BYTES)
    started, ends = time.monotonic(), Counter[str]()
    for which, table, column, value in chosen("columns", COLUMNS, 30):
        case.restore()
        change = f"UPDATE OR IGNORE {table} SET {column} = {damage.VALUES[value]};"
        ends[survives(case, which, table + column + value, damage.script(change), 2)] += 1
    size.tell("databases: hostile values", time.monotonic() - started, **ends)


@pytest.mark.parametrize("which", TABLES)
def test_a_log_of_another_database_is_not_believed(case: Case, which: str) -> None:
    path = case.databases[which]
    (other,) = (there for name, there in case.databases.items() if name != which)
    before = rows(path)
    damage.beside("-wal", damage.unfinished_log(other))(path)
    for words in commands(which):
        assert named(case.run(words), path)
    case.untouched()
    path.with_name(path.name + "-wal").unlink(missing_ok=True)
    assert rows(path) == before != {}


def test_a_snapshot_in_the_journal_puts_back_its_own_field_and_no_other(case: Case) -> None:
    """Whoever can write the journal may not rewrite a title."""
    title = """[["vorbis", "MOOD", "", "VElUTEU9ZXZpbA=="], ["vorbis", 7, [], "AA=="], 5]"""
    for snapshots in (title, "[]", "7", "[[]]", '[["vorbis", "TITLE", "", "VElUTEU9ZXZpbA=="]]'):
        case.restore()
        text = '{"mood": ' + "'||json_quote(" + f"'{snapshots}')" + "||'}"
        damage.script(f"UPDATE writes SET before = '{text}';")(case.shelf.journal)
        done = case.run("undo")
        assert done.returncode in (0, 1), done.stderr
        case.left_whole()


def hold(path: Path, statement: str) -> sqlite3.Connection:
    """Be another program that keeps the database to itself."""
    other = sqlite3.connect(path, isolation_level=None)
    if "EXCLUSIVE" in statement:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        statement = "BEGIN IMMEDIATE"
    other.execute(statement)
    return other


@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "EXCLUSIVE"])
@pytest.mark.parametrize("which", TABLES)
def test_a_locked_database_is_waited_for_and_then_named(
    case: Case, which: str, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    path = case.databases[which]
    with closing(hold(path, statement)):
        for words in commands(which):
            done = case.run(words)
            if done.returncode or words.endswith("write"):  # who only reads need not wait
                assert named(done, path) and "another program" in done.stderr, done.stderr
    case.untouched()
    assert case.run("tag --write").returncode == 0
    assert case.shelf.seen() == case.after


@pytest.mark.skipif(not size.FULL, reason="waits half a minute, in full size")
@pytest.mark.parametrize("which", TABLES)
def test_a_locked_database_is_waited_for_half_a_minute(case: Case, which: str) -> None:
    with closing(hold(case.databases[which], "BEGIN IMMEDIATE")):
        done = case.shelf.run(*case.words("tag --write"))
    assert named(done, case.databases[which]) and "another program" in done.stderr
    case.untouched()


@pytest.mark.parametrize("which", TABLES)
def test_a_database_that_may_not_be_read_or_written_is_named(case: Case, which: str) -> None:
    if not shutil.which("setpriv"):
        pytest.skip("needs setpriv: for root nothing is forbidden")
    path = case.databases[which]
    powerless = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if not os.getuid() else ()
    for mode in (0o000, 0o400, 0o200):
        path.chmod(mode)
        done = case.shelf.run(*case.words("tag --write"), before=powerless)
        assert named(done, path), (oct(mode), done.stderr)
        assert path.stat().st_mode & 0o777 == mode
    case.untouched()


@pytest.mark.parametrize("which", TABLES)
def test_the_real_command_waits_for_no_fifo(case: Case, which: str) -> None:
    """In a process of its own, for it would hang in this one."""
    path = case.databases[which]
    damage.instead(lambda path: os.mkfifo(path))(path)
    assert named(case.shelf.run(*case.words("tag --write"), seconds=30), path)
    case.untouched()


def test_what_is_whole_is_used(case: Case) -> None:
    """The other tests prove nothing where these commands fail by themselves."""
    codes = {words: case.run(words).returncode for words in (*WRITING, "history", "history 1")}
    assert set(codes.values()) == {0}, codes
    assert case.shelf.seen() == case.after != case.before
    assert case.run("undo").returncode == 0
    assert seen_fields(case.shelf.seen()) == seen_fields(case.before)
    assert case.run("apply").returncode == 0
    assert case.run("strip").returncode == 0


def seen_fields(seen: dict[Path, Seen]) -> dict[Path, dict[str, str]]:
    return {path: found.fields for path, found in seen.items()}
