"""Ways to harm a database: what a disk, another program or a stranger may have made of the file."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

Harm = Callable[[Path], None]


def script(text: str) -> Harm:
    """Do to it what tagkit never does. Its log is folded in, so that all lies in one file."""

    def harm(path: Path) -> None:
        with closing(sqlite3.connect(path)) as db:
            db.executescript("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;")
            db.executescript("PRAGMA journal_mode = DELETE;" + text)

    return harm


def content(data: bytes) -> Harm:
    return lambda path: void(path.write_bytes(data))


def void(_: object) -> None:
    return None


def cut(part: float) -> Harm:
    return lambda path: os.truncate(path, round(path.stat().st_size * part))


def _edited(edit: Callable[[bytearray, random.Random], None], draws: random.Random) -> Harm:
    def harm(path: Path) -> None:
        data = bytearray(path.read_bytes())
        edit(data, draws)
        path.write_bytes(data)

    return harm


def flips(draws: random.Random) -> Harm:
    """Some bytes are others, anywhere behind the header's first words."""

    def edit(data: bytearray, draws: random.Random) -> None:
        for _ in range(draws.choice((1, 3, 10, 50, 300))):
            data[draws.randrange(16, len(data))] = draws.randrange(256)

    return _edited(edit, draws)


def pages(draws: random.Random) -> Harm:
    """A page is zeroes, or noise, or another page."""

    def edit(data: bytearray, draws: random.Random) -> None:
        start = draws.randrange(len(data) // 4096) * 4096
        other = draws.randrange(len(data) // 4096) * 4096
        new = draws.choice((bytes(4096), draws.randbytes(4096), bytes(data[other : other + 4096])))
        data[start : start + 4096] = new

    return _edited(edit, draws)


def beside(end: str, data: bytes) -> Harm:
    """What SQLite keeps beside the database has this content."""
    return lambda path: void(path.with_name(path.name + end).write_bytes(data))


def odd_beside(end: str, make: Harm) -> Harm:
    def harm(path: Path) -> None:
        odd = path.with_name(path.name + end)
        odd.unlink(missing_ok=True)
        make(odd)

    return harm


def instead(make: Harm) -> Harm:
    """Something else is there in its place; it itself is moved aside."""

    def harm(path: Path) -> None:
        path.rename(path.with_name("aside"))
        make(path)

    return harm


def unfinished_log(path: Path) -> bytes:
    """Return a log of this database that holds a change which is not in it yet."""
    copy = path.with_name("copy")
    shutil.copy(path, copy)
    log = path.with_name("copy-wal")
    with closing(sqlite3.connect(copy)) as db:
        db.executescript("PRAGMA journal_mode = WAL; PRAGMA user_version = 77;")
        data = log.read_bytes()
    for left in path.parent.glob("copy*"):
        left.unlink()
    return data


MOST_BYTES = 1 << 20  # of one value, in these tests: the real limit would fill the disk

#: What a column may hold in a hostile file, as SQL.
VALUES = {
    "nothing": "x''",
    "bytes": "x'00ff80'",
    "no UTF-8": "CAST(x'ff80fe' AS TEXT)",
    "text": "'none; of/your, business'",
    "escapes": "'../../' || char(27) || '[2J' || char(0) || char(10)",
    "path up": "CAST('/music/../etc/passwd' AS BLOB)",
    "number": "9223372036854775807",
    "negative": "-1",
    "infinite": "9e999",
    "deep JSON": "replace(printf('%.9000c', '['), '[', '[')",
    "JSON of lone surrogates": """'["\\ud800", "\\udfff"]'""",
    "JSON object": """'{"mood": 1, "": null}'""",
    "JSON rows": """'[["mood", ["a"], [1]], ["mood", [], []], ["no field", [], []]]'""",
    "JSON of a huge number": "'[1e400, ' || printf('%.5000c', '9') || ']'",
    "too much": f"zeroblob({MOST_BYTES + 1})",
}
