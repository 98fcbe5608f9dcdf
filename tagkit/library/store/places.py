"""Whose the remembered files are, and which folders a person named: what the store knows of a library
beside its sound."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tagkit.library.database import Database
from tagkit.library.database_checks import columns
from tagkit.library.origin import Origin
from tagkit.library.store.files import batches, encoded, marks

_BATCH = 1000
_NAME = columns(bytes)
_PLACED = columns(bytes, int, str, str, str, int)


class Placed(NamedTuple):
    """Whose a remembered file is, and which audio is in it."""

    name: bytes  # the path as the store knows it
    content: int  # the number that its audio has in this store
    origin: Origin


class Places:
    """Read from the store, without a look at the files. Every method raises StoreError."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def of(self, paths: Iterable[Path]) -> Iterator[Placed]:
        """Yield these files; those are left out whose tag nobody has read."""
        for batch in batches(paths, _BATCH):
            names = list(map(encoded, batch))
            yield from self._rows(f"p.path IN ({marks(names)})", *names)

    def all(self) -> Iterator[Placed]:
        """Yield every remembered file whose tag was read, by path."""
        last = b""
        while rows := self._rows(f"p.path > ? ORDER BY p.path LIMIT {5 * _BATCH}", last):
            yield from rows
            last = self._db.onwards(last, rows[-1].name)

    def unread(self) -> list[Path]:
        """Return the remembered files whose tag was never read: an older tagkit did not.

        A `Store.look` at them reads it.
        """
        query = "SELECT path FROM paths WHERE path NOT IN (SELECT path FROM origins) ORDER BY path"
        return self._db.rows(query, make=lambda row: Path(os.fsdecode(_NAME(row)[0])))

    def add_roots(self, folders: Iterable[Path]) -> None:
        """Remember that these folders were named as inputs."""
        with self._db.transaction():
            self._db.run_many(
                "INSERT OR IGNORE INTO roots (path) VALUES (?)",
                [(encoded(folder),) for folder in folders],
            )

    def roots(self) -> list[bytes]:
        """Return the folders that were ever named as inputs, as the store knows paths."""
        return self._db.rows(
            "SELECT path FROM roots ORDER BY path", make=lambda row: bytes(_NAME(row)[0])
        )

    def _rows(self, condition: str, *parameters: object) -> list[Placed]:
        query = f"""
            SELECT p.path, p.content, o.artist, o.album_artist, o.album, o.compilation
            FROM origins o JOIN paths p ON p.path = o.path WHERE {condition}"""

        def make(row: tuple[Any, ...]) -> Placed:
            name, content, artist, album_artist, album, compilation = _PLACED(row)
            return Placed(name, content, Origin(artist, album_artist, album, bool(compilation)))

        return self._db.rows(query, *parameters, make=make)
