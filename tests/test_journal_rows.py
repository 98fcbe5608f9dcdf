"""A journal may be damaged, or a stranger's: what its rows hold is checked before it is believed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tagkit.errors import StoreError
from tagkit.library.runs.journal import Journal
from tests.test_writer import Library


@pytest.fixture
def library(tmp_path: Path):
    library = Library(tmp_path)
    library.tag(library.make())
    yield library
    library.journal.close()


def read_all(journal: Journal) -> None:
    for run in journal.runs():
        for number in journal.writes(run.id):
            journal.run_of(journal.write(number))


ODD = [
    ("runs", "started", "yesterday"),
    ("runs", "started", "9999-12-31T23:59:59-23:00"),
    ("runs", "kind", "game"),
    ("runs", "command", json.dumps("rm")),
    ("runs", "settings", "[]"),
    ("runs", "version", b"\xff"),
    ("writes", "path", "/music/a.mp3"),
    ("writes", "path", b"a.mp3"),
    ("writes", "path", b"/music/../etc/passwd"),
    ("writes", "path", b"/music/a\0.mp3"),
    ("writes", "redo", b"copy"),
    ("writes", "changes", json.dumps([["title", [], ["a"]]])),
    ("writes", "changes", json.dumps([["mood", [], ["a"]]] * 2)),
    ("writes", "changes", json.dumps([["mood", [], [7]]])),
    ("writes", "changes", json.dumps([["mood", "a", []]])),
    ("writes", "changes", "[" * 100_000),
    ("writes", "before", json.dumps(["mood"])),
    ("writes", "before", json.dumps({"mood": 7})),
    ("writes", "undone", "yes"),
    ("writes", "run", 77),
]


@pytest.mark.parametrize(("table", "column", "value"), ODD)
def test_a_row_that_tagkit_has_not_written_is_named(library, table, column, value):
    read_all(library.journal)
    library.journal._db.run("PRAGMA foreign_keys = OFF")
    library.journal._db.run(f"UPDATE {table} SET {column} = ?", value)
    with pytest.raises(StoreError, match=rf"damaged: {table[:-1]} 1") as raised:
        read_all(library.journal)
        library.journal.write(1)
        library.journal.run_of(library.journal.write(1))
    assert raised.value.path == str(library.journal.path) and raised.value.hint


def test_a_write_that_an_index_knows_and_the_table_does_not_is_damage(library):
    with pytest.raises(StoreError, match="no write 99"):
        library.journal.write(99)
