"""The store: what was heard in which audio, so that no file is listened to twice.

::

    origins ─────▶ paths ───────────▶ contents ◀─────────── analyses ──────────▶ models
    artist, album  size, mtime        content key,          probabilities,       fingerprint,
                                      duration              embedding, error     tags

A path whose size and mtime are unchanged is not read at all. Any other is looked up by its content
key: a moved or re-tagged file finds its analyses again. A path that is gone does not take its
analyses with it, for it may come back elsewhere. Whose a file is, its own tag says (`origin`); that is
read with the key.

A run goes like this: `Store.add_model`, then `Store.look` at every path, analyse what is missing
and `Store.record` it; then `Store.read` everything. Each record is a transaction of its own: a
killed run loses the track that it was at.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy.typing as npt

from tagkit.errors import StoreError
from tagkit.library.database import Database
from tagkit.library.origin import Origin, read_origin
from tagkit.library.payload import content_key
from tagkit.library.store.files import Readers, batches, encoded, marks, mtime, refresh
from tagkit.library.store.places import Placed, Places
from tagkit.library.store.tables import (
    HEARD,
    NUMBER,
    SCHEMA,
    STATE,
    STORED,
    TRACK,
    UPGRADES,
    VERSION,
    FloatArray,
    Look,
    Model,
    Stored,
    Track,
    array,
    floats,
    halves,
    make_model,
)
from tagkit.vocab import Tag

__all__ = ["Look", "Model", "Placed", "Store", "Stored", "Track", "default_path", "encoded"]

_LONGEST = 1e9  # seconds; what a player could not show is no duration
_BATCH = 100  # files looked up at once: enough to make queries cheap, few enough to begin soon


def default_path() -> Path:
    """Where the store lies if nothing else is said: hours of computing, so no cache folder."""
    import platformdirs

    return platformdirs.user_data_path("tagkit", appauthor=False) / "library.sqlite"


class Store:
    """An open store. Every method raises StoreError where the database cannot be used.

    Several processes may work on one store, and several threads on one `Store`. Iterators hold no
    lock between their items. Models are named by their fingerprints, which `add_model` must have
    made known. ``places`` tells whose the remembered files are.
    """

    def __init__(
        self,
        path: Path,
        *,
        key_of: Callable[[Path], str] = content_key,
        origin_of: Callable[[Path], Origin] = read_origin,
    ) -> None:
        self._db = Database(
            path,
            name="library store",
            schema=SCHEMA,
            version=VERSION,
            upgrades=UPGRADES,
            durable=False,
        )
        self._read = Readers(key_of, origin_of)
        self.places = Places(self._db)
        self._ids: dict[str, int] = {}

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    @property
    def path(self) -> Path:
        return self._db.path

    def damaged(self, what: str) -> StoreError:
        """Return the error for what somebody found in here that cannot be."""
        return self._db.damaged(what)

    def add_model(self, fingerprint: str, name: str, tags: Sequence[Tag]) -> None:
        """Make a model known; once known it stays as it is."""
        with self._db.transaction():
            self._db.run(
                "INSERT INTO models (fingerprint, name, tags) VALUES (?, ?, ?)"
                " ON CONFLICT (fingerprint) DO NOTHING",
                fingerprint,
                name,
                json.dumps(tags),
            )

    def models(self) -> list[Model]:
        """Return the known models, in the order in which they came."""
        query = "SELECT fingerprint, name, tags FROM models ORDER BY id"
        return self._db.rows(query, make=make_model)

    def look(
        self, paths: Iterable[Path], models: Sequence[str], *, retry: bool = False
    ) -> Iterator[Look]:
        """Yield for each path, in order, what is left to do for these models.

        Reads a file (three pieces of it, and its tag) only where its size or mtime is not as
        remembered. A failure is remembered, and is not missing, until the file changes or ``retry``
        asks again. Paths of equal audio are each reported missing until one of them is recorded.
        """
        for batch in batches(paths, _BATCH):
            keys, errors = refresh(self._db, batch, self._read)
            states = self._states(sorted(set(keys.values())), models)
            for path in batch:
                if path in errors:
                    yield Look(path, None, (), errors[path])
                else:
                    known = states.get(keys[path], {})
                    failed = [error for error in known.values() if error is not None]
                    missing = [m for m in models if m not in known or (retry and known[m])]
                    error = failed[0] if failed and not retry else None
                    yield Look(path, keys[path], tuple(missing), error)

    def _states(
        self, keys: Sequence[str], models: Sequence[str]
    ) -> dict[str, dict[str, str | None]]:
        """content key -> {fingerprint: error, None where it succeeded}."""
        query = f"""
            SELECT c.key, a.model, a.error FROM contents c JOIN analyses a ON a.content = c.id
            WHERE c.key IN ({marks(keys)}) AND a.model IN ({marks(models)})"""
        names = {self._id(model): model for model in models}
        if not names:
            return {}
        states: dict[str, dict[str, str | None]] = {}
        rows = self._db.rows(query, *keys, *names, make=STATE)
        for key, model, error in rows:
            states.setdefault(key, {})[names[model]] = error
        return states

    def record(
        self,
        key: str,
        results: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike | None]],
        *,
        duration: float,
    ) -> None:
        """Remember what each model heard in a content; ``key`` is from `look`.

        ``results``: fingerprint -> (probabilities (tags,), embedding (dims,) or None);
        ``duration`` in seconds.
        """
        self._record(
            key,
            duration,
            [
                (model, None, floats(heard), None if embedding is None else halves(embedding))
                for model, (heard, embedding) in results.items()
            ],
        )

    def record_failure(self, key: str, models: Iterable[str], error: str) -> None:
        """Remember why a content cannot be analysed; an analysis that is there stays."""
        self._record(key, None, [(model, error, None, None) for model in models])

    def _record(
        self,
        key: str,
        duration: float | None,
        rows: Sequence[tuple[str, str | None, bytes | None, bytes | None]],
    ) -> None:
        now = time.time()
        values = [(self._id(model), now, *value, key) for model, *value in rows]
        with self._db.transaction():
            self._db.run(
                "INSERT INTO contents (key, duration) VALUES (?, ?) ON CONFLICT (key) DO UPDATE"
                " SET duration = coalesce(excluded.duration, duration)",
                key,
                duration,
            )
            self._db.run_many(
                "INSERT INTO analyses (model, analysed, error, probabilities, embedding, content)"
                " SELECT ?, ?, ?, ?, ?, id FROM contents WHERE key = ?"
                " ON CONFLICT (content, model) DO UPDATE SET analysed = excluded.analysed,"
                " error = excluded.error, probabilities = excluded.probabilities,"
                " embedding = excluded.embedding"
                " WHERE excluded.error IS NULL OR analyses.error IS NOT NULL",
                values,
            )

    def read(
        self, paths: Iterable[Path], models: Sequence[str], *, embeddings: bool = False
    ) -> Iterator[Stored]:
        """Yield what is remembered of each path, in order, without a look at the file.

        A path that no `look` has seen is left out. 100,000 tracks take a few seconds.
        """
        for batch in batches(paths, 5 * _BATCH):
            names = [encoded(path) for path in batch]
            found = self._stored(dict(zip(names, batch, strict=True)), models, embeddings)
            for path, name in zip(batch, names, strict=True):
                if (stored := found.get(name)) is not None:
                    # One file may be named twice, and spelt in two ways.
                    yield stored if stored.path is path else stored._replace(path=path)

    def _stored(
        self, paths: Mapping[bytes, Path], models: Sequence[str], embeddings: bool
    ) -> dict[bytes, Stored]:
        query = f"""
            SELECT p.path, c.id, c.key, c.duration, a.model, a.error, a.probabilities,
                   {"a.embedding" if embeddings else "NULL"}
            FROM paths p JOIN contents c ON c.id = p.content
            LEFT JOIN analyses a ON a.content = c.id AND a.model IN ({marks(models)})
            WHERE p.path IN ({marks(paths)})"""
        ids = {self._id(model): model for model in models}
        found: dict[bytes, Stored] = {}
        rows = self._db.rows(query, *ids, *paths, make=STORED)
        for name, content, key, duration, model, error, heard, embedding in rows:
            stored = found.get(name)
            if stored is None:
                if duration is not None and not 0 <= duration < _LONGEST:
                    raise self.damaged(f"a track of {duration} seconds")
                stored = found[name] = Stored(paths[name], content, key, duration, {}, {}, None)
            if heard is not None:
                stored.results[ids[model]] = array(heard, "<f4")
            if embedding is not None:
                stored.embeddings[ids[model]] = array(embedding, "<f2")
            if error is not None and stored.error is None:
                found[name] = stored._replace(error=error)
        return found

    def heard(
        self, contents: Iterable[int], models: Sequence[str]
    ) -> Iterator[tuple[int, dict[str, FloatArray]]]:
        """Yield (number of the content, fingerprint -> probabilities (tags,)) of those of these contents
        that all of these models have heard."""
        ids = {self._id(model): model for model in models}
        for batch in batches(contents, 5 * _BATCH):
            query = f"""
                SELECT content, model, probabilities FROM analyses
                WHERE content IN ({marks(batch)}) AND model IN ({marks(models)})
                AND probabilities IS NOT NULL"""
            found: dict[int, dict[str, FloatArray]] = {}
            for content, model, heard in self._db.rows(query, *batch, *ids, make=HEARD):
                found.setdefault(content, {})[ids[model]] = array(heard, "<f4")
            yield from (item for item in found.items() if len(item[1]) == len(ids))

    def tracks(self) -> Iterator[Track]:
        """Yield every remembered file, by path."""
        query = """
            SELECT p.path, c.key, c.duration FROM paths p JOIN contents c ON c.id = p.content
            WHERE p.path > ? ORDER BY p.path LIMIT 1000"""
        last = b""
        while rows := self._db.rows(query, last, make=TRACK):
            for name, key, duration in rows:
                yield Track(Path(os.fsdecode(name)), key, duration)
            last = self._db.onwards(last, rows[-1][0])

    def retagged(self, path: Path, now: os.stat_result) -> None:
        """Take over a file's size and mtime: it has new tags, and the same audio as before.

        The next `look` then need not read it. ``now`` is what was written, not what is there by now.
        """
        with self._db.transaction():
            self._db.run(
                "UPDATE paths SET size = ?, mtime_ns = ? WHERE path = ?",
                now.st_size,
                mtime(now),
                encoded(path),
            )

    def doubt(self, key: str) -> None:
        """Have the next `look` read the files of this content, whatever their size and mtime.

        One of them holds other audio than is remembered here.
        """
        with self._db.transaction():
            self._db.run(
                "UPDATE paths SET size = -1 WHERE content = (SELECT id FROM contents WHERE key = ?)",
                key,
            )

    def vanished(self) -> Iterator[Path]:
        """Yield the remembered paths that are not there (now: a drive may be unplugged)."""
        return (track.path for track in self.tracks() if not os.path.lexists(track.path))

    def forget(self, paths: Iterable[Path]) -> None:
        """Forget these paths. What was heard stays, for the files may only have moved."""
        for batch in batches(paths, 5 * _BATCH):
            names = [encoded(path) for path in batch]
            with self._db.transaction():
                self._db.run(f"DELETE FROM paths WHERE path IN ({marks(names)})", *names)

    def sweep(self) -> None:
        """Forget what was heard in audio that no remembered path holds any more."""
        orphans = "SELECT id FROM contents WHERE id NOT IN (SELECT content FROM paths)"
        with self._db.transaction():
            self._db.run(f"DELETE FROM analyses WHERE content IN ({orphans})")
            self._db.run(f"DELETE FROM contents WHERE id IN ({orphans})")

    def _id(self, fingerprint: str) -> int:
        if fingerprint not in self._ids:
            self._ids = dict(self._db.rows("SELECT fingerprint, id FROM models", make=NUMBER))
        try:
            return self._ids[fingerprint]
        except KeyError:
            raise StoreError(
                f"the library store has no model {fingerprint[:12]}", path=self._db.path
            ) from None
