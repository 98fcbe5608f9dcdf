"""Is this file, and what is in it, a database that tagkit has made? For a file may be damaged, or a stranger's."""

from __future__ import annotations

import functools
import os
import re
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias, get_args

Row: TypeAlias = tuple[Any, ...]

ODD_ROW = (ValueError, TypeError, OverflowError, RecursionError)
"""What a function that makes something of a damaged row may stumble over."""

_BESIDE = ("-wal", "-shm", "-journal")  # where SQLite keeps what is not in the database yet


def odd_files(path: Path) -> tuple[str, str] | None:
    """Return what is wrong with the file or those beside it, and what to do; None where nothing is.

    SQLite would wait for a FIFO, write into a device, or follow a link that a stranger has put
    beside the database.
    """
    real = os.path.realpath(path)  # where SQLite looks for those beside it
    # The log first: there is none before the database has its first page.
    beside = {name: _lstat(name) for name in (real + end for end in _BESIDE)}
    itself = _lstat(real)
    for name, found in beside.items():
        if found is not None and not stat.S_ISREG(found.st_mode):
            return f"has something odd beside it: {name} is no regular file", "move that away"
    if itself is not None and not stat.S_ISREG(itself.st_mode):
        return "is no regular file", "name another file"
    if itself is None and path.is_symlink():
        return f"is a link to {real}, which is not there", "is its disk mounted? else remove it"
    log = beside[real + "-wal"]
    if log is not None and log.st_size and (itself is None or not itself.st_size):
        # SQLite would throw the log away.
        return f"is gone or empty, but {real}-wal is not", "keep that, but move it away"
    return None


def has_log(path: Path) -> bool:
    """Whether something lies beside the database that is not in it yet."""
    log = _lstat(os.path.realpath(path) + "-wal")
    return log is not None and log.st_size > 0


def is_cut_off(path: Path, page: int) -> bool:
    """Whether the last of its pages is not whole. SQLite takes what is missing there for zeroes."""
    # Another process may just be folding its log in: then there is one, or the page is whole by now.
    return bool(_size(path) % page and not has_log(path) and _size(path) % page)


def _size(path: Path) -> int:
    found = _lstat(os.path.realpath(path))
    return 0 if found is None else found.st_size


def _lstat(name: str) -> os.stat_result | None:
    try:
        return os.lstat(name)
    except OSError:  # where it is not merely absent, SQLite will say what is wrong
        return None


def odd_tables(connection: sqlite3.Connection, schema: str | None) -> str:
    """Name what ``schema`` does not make, or is not there; "" where all is as it should be.

    Without a schema (an older format) only what runs by itself is odd: triggers and views. In a
    stranger's file a view could stand for a table, and a trigger change what nobody asked for.
    """
    found = _objects(connection)
    if schema is None:
        odd = frozenset(thing for thing in found if thing[0] not in ("table", "index"))
    else:
        odd = found ^ _made_by(schema)
    return ", ".join(sorted({f"{kind} {name}" for kind, name, *_ in odd}))


@functools.cache
def _made_by(schema: str) -> frozenset[tuple[str, ...]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(schema)
        return _objects(connection)


def _objects(connection: sqlite3.Connection) -> frozenset[tuple[str, ...]]:
    rows = connection.execute(
        "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema"
        " WHERE name NOT LIKE 'sqlite\\_stat%' ESCAPE '\\'"  # of somebody's ANALYZE
    )
    return frozenset((*map(str, thing), _plain(str(sql))) for *thing, sql in rows)


def _plain(sql: str) -> str:
    """Return a statement without its comments and layout, which an added column disturbs."""
    words = " ".join(re.sub(r"--[^\n]*", "", sql).split())
    return re.sub(r" ?([(),]) ?", r"\1", words)


def columns(*kinds: Any) -> Callable[[Row], Row]:
    """Return what lets rows of these types through, and raises TypeError for any other.

    SQLite keeps anything in any column. A kind is a type or a union, such as ``float | None``.
    """
    # Asked 400,000 times for 100,000 tracks: one look into a set.
    allowed = frozenset(product(*(get_args(kind) or (kind,) for kind in kinds)))

    def checked(row: Row) -> Row:
        if tuple(map(type, row)) not in allowed:
            raise TypeError(f"a row of {', '.join(type(value).__name__ for value in row)}")
        return row

    return checked
