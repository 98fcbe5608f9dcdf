"""Whose a remembered file is: read once, read anew when the file changes, gone when it is forgotten."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tagkit.library.origin import Origin, read_origin
from tagkit.library.payload import content_key
from tagkit.library.store import Store
from tagkit.vocab import Tag
from tests import media, people
from tests.people import Who

A = "a" * 64


class Counting:
    """Reads origins, and remembers of which files."""

    def __init__(self) -> None:
        self.asked: list[Path] = []

    def __call__(self, path: Path) -> Origin:
        self.asked.append(path)
        return read_origin(path)


@pytest.fixture
def reads() -> Counting:
    return Counting()


@pytest.fixture
def store(tmp_path: Path, reads: Counting) -> Iterator[Store]:
    with Store(tmp_path / "s.sqlite", origin_of=reads) as store:
        yield store


def song(path: Path, *who: str) -> Path:
    media.make(path, "flac", seconds=0.1, seed=len(path.name))
    return people.sign(path, "flac", Who(*who))


def origins(store: Store, *paths: Path) -> list[Origin]:
    return [placed.origin for placed in store.places.of(paths)]


def test_a_look_reads_whose_it_is_and_only_once(
    store: Store, tmp_path: Path, reads: Counting
) -> None:
    one, two = song(tmp_path / "1.flac", "Ann", "", "Ode"), song(tmp_path / "22.flac")
    for _ in range(2):
        list(store.look([one, two, one], ()))
    assert reads.asked == [one, two]
    (first, second) = store.places.all()
    assert (first.name, first.origin) == (os.fsencode(one), Origin("Ann", "", "Ode"))
    assert second.origin == Origin()
    assert origins(store, two, one, tmp_path / "never.flac") == [Origin("Ann", "", "Ode"), Origin()]
    assert store.places.unread() == []


def test_a_changed_tag_is_read_anew_and_our_own_write_is_not(
    store: Store, tmp_path: Path, reads: Counting
) -> None:
    path = song(tmp_path / "1.flac", "Ann", "", "Ode")
    list(store.look([path], ()))
    people.sign(path, "flac", Who("Bob", "", "Ode"))
    os.utime(path, ns=(5, 5))
    list(store.look([path], ()))
    assert origins(store, path) == [Origin("Bob", "", "Ode")]
    os.utime(path, ns=(9, 9))
    store.retagged(path, path.stat())
    list(store.look([path], ()))
    assert len(reads.asked) == 2
    assert origins(store, path) == [Origin("Bob", "", "Ode")]


def test_who_is_forgotten_is_nobodys(store: Store, tmp_path: Path) -> None:
    path = song(tmp_path / "1.flac", "Ann")
    list(store.look([path], ()))
    store.forget([path])
    assert list(store.places.all()) == store.places.unread() == []


def test_folders_that_were_named_are_remembered(store: Store, tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    store.places.add_roots([tmp_path / "b" / ".." / "a", odd])
    store.places.add_roots(path for path in [tmp_path / "a"])
    assert set(store.places.roots()) == {os.fsencode(tmp_path / "a"), os.fsencode(odd)}


def test_many_files_come_by_path(store: Store, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number:05}.mp3" for number in range(6000)]
    with store._db.transaction():
        store._db.run("INSERT INTO contents VALUES (1, 'k', 1)")
        rows = [(os.fsencode(path),) for path in paths]
        store._db.run_many("INSERT INTO paths VALUES (?, 1, 1, 1)", rows)
        store._db.run_many("INSERT INTO origins VALUES (?, 'Ann', '', '', 0)", rows)
    assert [Path(os.fsdecode(placed.name)) for placed in store.places.all()] == paths
    assert sum(1 for _ in store.places.of(reversed(paths))) == 6000


#: As the first tagkit made it.
FORMER = """
CREATE TABLE models (id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
    tags TEXT NOT NULL);
CREATE TABLE contents (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, duration REAL);
CREATE TABLE paths (path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    content INTEGER NOT NULL REFERENCES contents (id));
CREATE INDEX paths_by_content ON paths (content);
CREATE TABLE analyses (content INTEGER NOT NULL REFERENCES contents (id),
    model INTEGER NOT NULL REFERENCES models (id), analysed REAL NOT NULL, error TEXT,
    probabilities BLOB, embedding BLOB, PRIMARY KEY (content, model));
PRAGMA user_version = 1;
"""


def test_a_store_of_the_former_schema_keeps_its_analyses_and_learns_whose_they_are(
    tmp_path: Path,
) -> None:
    path, gone = song(tmp_path / "1.flac", "Ann"), tmp_path / "gone.flac"
    database, found = tmp_path / "old.sqlite", path.stat()
    with Store(tmp_path / "new.sqlite") as new, sqlite3.connect(database) as old:
        (mark,) = new._db.rows("PRAGMA application_id", make=lambda row: row[0])
        old.executescript(FORMER + f"PRAGMA application_id = {mark};")
        old.execute("INSERT INTO models VALUES (1, ?, 'A', '[[\"happy\", \"mood\"]]')", (A,))
        old.execute("INSERT INTO contents VALUES (1, ?, 0.1), (2, 'k', 0.1)", (content_key(path),))
        times = (os.fsencode(path), found.st_size, found.st_mtime_ns)
        old.execute("INSERT INTO paths VALUES (?, ?, ?, 1)", times)
        old.execute("INSERT INTO paths VALUES (?, 1, 1, 2)", (os.fsencode(gone),))
        heard = (b"\0\0\0\x3f",)
        old.execute("INSERT INTO analyses VALUES (1, 1, 0, NULL, ?, NULL)", heard)
    old.close()

    def no_key(path: Path) -> str:
        raise AssertionError(f"{path} is not changed, so its audio is not read")

    with Store(database, key_of=no_key) as store:
        assert store.models()[0].tags == (Tag("happy", "mood"),)
        assert store.places.unread() == [path, gone]
        assert [stored.results[A].tolist() for stored in store.read([path], [A])] == [[0.5]]
        looks = {look.path: look for look in store.look(store.places.unread(), [A])}
        assert (looks[path].missing, looks[path].error) == ((), None)
        assert looks[gone].key is None
        assert origins(store, path) == [Origin("Ann")]
        assert store.places.unread() == [gone]
        (placed,) = store.places.of([path])
        assert [dict(results)[A].tolist() for _, results in store.heard([placed.content], [A])]
