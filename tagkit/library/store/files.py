"""Which audio is in which file: the paths and contents of the store, kept up to date."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

from tagkit.errors import AudioError
from tagkit.library.database import Database

Item = TypeVar("Item")


class _Seen(NamedTuple):
    """A row of ``paths`` with its content's key."""

    name: bytes
    size: int
    mtime_ns: int
    key: str


def encoded(path: Path) -> bytes:
    """The path as the store knows it: absolute, symbolic links left as they are."""
    return os.fsencode(os.path.abspath(path))  # noqa: PTH100 (Path.resolve follows links)


def refresh(
    db: Database, paths: Sequence[Path], key_of: Callable[[Path], str]
) -> tuple[dict[Path, str], dict[Path, str]]:
    """Return the content key of each file, and of the rest why it cannot be read.

    ``key_of`` is asked only for a file whose size or mtime is not as remembered; the new key is
    then remembered, and an earlier failure to analyse that content is forgotten.
    """
    names = [encoded(path) for path in paths]
    query = f"""
        SELECT p.path, p.size, p.mtime_ns, c.key FROM paths p JOIN contents c ON c.id = p.content
        WHERE p.path IN ({marks(names)})"""
    known = {seen.name: seen for seen in db.rows(query, *names, make=_Seen._make)}
    keys: dict[Path, str] = {}
    errors: dict[Path, str] = {}
    changed: dict[bytes, _Seen] = {}
    for path, name in zip(paths, names, strict=True):
        try:
            # Before the key is made: a change in between is then noticed by the next look.
            found = path.stat()
            seen = known.get(name)
            if seen is None or (seen.size, seen.mtime_ns) != (found.st_size, found.st_mtime_ns):
                seen = _Seen(name, found.st_size, found.st_mtime_ns, key_of(path))
                changed[name] = seen
            keys[path] = seen.key
        except AudioError as error:
            errors[path] = error.message
        except (OSError, ValueError) as error:  # ValueError: a NUL inside the name
            errors[path] = getattr(error, "strerror", None) or str(error)
    if changed:
        _save(db, changed)
    return keys, errors


def _save(db: Database, changed: Mapping[bytes, _Seen]) -> None:
    keys = [(seen.key,) for seen in changed.values()]
    with db.transaction():
        db.run_many("INSERT INTO contents (key) VALUES (?) ON CONFLICT (key) DO NOTHING", keys)
        db.run_many(
            "INSERT OR REPLACE INTO paths (path, size, mtime_ns, content)"
            " SELECT ?, ?, ?, id FROM contents WHERE key = ?",
            changed.values(),
        )
        db.run_many(
            "DELETE FROM analyses WHERE error IS NOT NULL"
            " AND content = (SELECT id FROM contents WHERE key = ?)",
            keys,
        )


def marks(values: Sequence[object]) -> str:
    """Placeholders for an SQL ``IN (...)``."""
    return ", ".join("?" * len(values))


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
