"""Which audio is in which file, and whose it is: the paths of the store, kept up to date."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

from tagkit.errors import AudioError
from tagkit.library.database import Database
from tagkit.library.database_checks import columns
from tagkit.library.finding import remote
from tagkit.library.origin import Origin

Item = TypeVar("Item")

_HALF = 1 << 63
_COARSEST = 2 * 10**9  # nanoseconds: FAT's times
_UNSETTLED = -1  # bytes: no file has that size, so the next look reads it again


class _Seen(NamedTuple):
    """A row of ``paths`` with its content's key."""

    name: bytes
    size: int
    mtime_ns: int
    key: str


class _Known(NamedTuple):
    """``placed``: the file's origin is known too."""

    seen: _Seen
    placed: bool


class Readers(NamedTuple):
    """What is read of a file: the key of its audio (raises AudioError), and whose it is."""

    key: Callable[[Path], str]
    origin: Callable[[Path], Origin]


def encoded(path: Path) -> bytes:
    """The path as the store knows it: absolute, symbolic links left as they are."""
    text = os.fspath(path)
    if remote.is_remote(text):
        return remote.url(text).encode(errors="surrogateescape")
    # A Path has no "." and no empty parts: an absolute one without ".." is normal already.
    if not text.startswith("/") or "/.." in text:
        text = os.path.abspath(text)  # noqa: PTH100 (Path.resolve follows links)
    return os.fsencode(text)


def mtime(found: os.stat_result) -> int:
    """Return a file's time, as SQLite can keep it: one after the year 2262 has more than 64 bits."""
    return (found.st_mtime_ns + _HALF) % (2 * _HALF) - _HALF


def _may_change_unseen(found: os.stat_result) -> bool:
    """Whether a change from now on may leave the file's time as it is.

    On a disk that knows whole seconds only (FAT: two), and in those seconds. Where times are finer, two
    changes seldom share one.
    """
    age = time.time_ns() - found.st_mtime_ns
    return found.st_mtime_ns % 10**9 == 0 and abs(age) <= _COARSEST


def refresh(
    db: Database, paths: Sequence[Path], read: Readers
) -> tuple[dict[Path, str], dict[Path, str]]:
    """Return the content key of each file, and of the rest why it cannot be read.

    ``read.key`` is asked only for a file whose size or mtime is not as remembered; the new key is
    then remembered, and an earlier failure to analyse that content is forgotten. A file that has just been
    written is read by the next look too, where its time is too coarse to tell. ``read.origin`` is
    asked then too, and for a file that was last seen by a tagkit that did not ask.
    """
    names = [encoded(path) for path in paths]
    known = _known(db, names)
    keys: dict[Path, str] = {}
    errors: dict[Path, str] = {}
    changed: dict[bytes, _Seen] = {}
    origins: dict[bytes, Origin] = {}
    objects = _objects(paths, errors)
    for path, name in zip(paths, names, strict=True):
        if path in objects:
            seen, placed = known.get(name, (None, False))
            if seen != objects[path]:
                changed[name] = objects[path]
            if seen != objects[path] or not placed:
                origins[name] = Origin()  # to read its tag would be to fetch it
            keys[path] = objects[path].key
        if remote.is_remote(path):
            continue
        try:
            # Before the key is made: a change in between is then noticed by the next look.
            found = os.stat(path)  # noqa: PTH116 (half the time of Path.stat)
            seen, placed = known.get(name, (None, False))
            if seen is None or (seen.size, seen.mtime_ns) != (found.st_size, mtime(found)):
                size = _UNSETTLED if _may_change_unseen(found) else found.st_size
                seen = _Seen(name, size, mtime(found), read.key(path))
                changed[name] = seen
                placed = False
            if not placed and name not in origins:
                origins[name] = read.origin(path)
            keys[path] = seen.key
        except AudioError as error:
            errors[path] = error.message
        except (OSError, ValueError) as error:  # ValueError: a NUL inside the name
            errors[path] = getattr(error, "strerror", None) or str(error)
    if changed or origins:
        with db.transaction():
            _save(db, changed)
            _place(db, origins)
    return keys, errors


def _objects(paths: Sequence[Path], errors: dict[Path, str]) -> dict[Path, _Seen]:
    """Return what remote paths hold now; why others cannot be read is put into ``errors``."""
    there = [path for path in paths if remote.is_remote(path)]
    found = {}
    for path, item in zip(there, remote.look(there), strict=True):
        if isinstance(item, OSError):
            errors[path] = str(item)
        else:
            found[path] = _Seen(encoded(path), item.size, item.mtime_ns, remote.key(item))
    return found


def _known(db: Database, names: Sequence[bytes]) -> dict[bytes, _Known]:
    query = f"""
        SELECT p.path, p.size, p.mtime_ns, c.key, o.path IS NOT NULL
        FROM paths p JOIN contents c ON c.id = p.content LEFT JOIN origins o ON o.path = p.path
        WHERE p.path IN ({marks(names)})"""
    rows = db.rows(query, *names, make=columns(bytes, int, int, str, int))
    found = (_Known(_Seen._make(row[:4]), bool(row[4])) for row in rows)
    return {known.seen.name: known for known in found}


def _save(db: Database, changed: Mapping[bytes, _Seen]) -> None:
    keys = [(seen.key,) for seen in changed.values()]
    db.run_many("INSERT INTO contents (key) VALUES (?) ON CONFLICT (key) DO NOTHING", keys)
    db.run_many(  # a path that is replaced takes its origin with it
        "INSERT OR REPLACE INTO paths (path, size, mtime_ns, content)"
        " SELECT ?, ?, ?, id FROM contents WHERE key = ?",
        changed.values(),
    )
    db.run_many(
        "DELETE FROM analyses WHERE error IS NOT NULL"
        " AND content = (SELECT id FROM contents WHERE key = ?)",
        keys,
    )


def _place(db: Database, origins: Mapping[bytes, Origin]) -> None:
    db.run_many(  # nothing for a path that another process has forgotten meanwhile
        "INSERT OR REPLACE INTO origins (path, artist, album_artist, album, compilation)"
        " SELECT path, ?, ?, ?, ? FROM paths WHERE path = ?",
        [(*origin, name) for name, origin in origins.items()],
    )


def marks(values: Sized) -> str:
    """Placeholders for an SQL ``IN (...)``."""
    return ", ".join("?" * len(values))


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
