"""Results as Parquet files: what many machines write at once and the store takes over one by one.

::

    key          the content's key, as the store knows it
    model        the model's id
    duration     of the track in seconds, 0 where it failed
    error        why it failed, or null
    probabilities, embedding    float32, null where it failed

A shard is there whole or not at all. It may be taken over twice, or never be heard of again by the run
that made it: rows name contents and models, and say the same each time.
"""

from __future__ import annotations

import contextlib
import io
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from tagkit.errors import StoreError
from tagkit.files import whole
from tagkit.library.store import Store

SCHEMA = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("duration", pa.float64(), nullable=False),
        ("error", pa.string()),
        ("probabilities", pa.list_(pa.float32())),
        ("embedding", pa.list_(pa.float32())),
    ]
)

#: What a model says of a track: its probabilities (outputs,) and its embedding (dims,).
Said: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32]]

_SUFFIX = ".parquet"
_ABANDONED = 7 * 86400.0  # seconds: what else lies there so long was left by a killed process


class Result(NamedTuple):
    """What came of a content: ``results`` by model id, or ``error`` for the ``models`` that were asked.

    ``passing``: the error need not be the content's own. No shard has such a result.
    """

    key: str
    models: tuple[str, ...]
    duration: float  # seconds
    results: Mapping[str, Said]
    error: str | None
    passing: bool = False


def encode(results: Iterable[Result]) -> bytes:
    """Return the results as a Parquet file."""
    rows: list[dict[str, Any]] = []
    for key, models, duration, heard, error, _ in results:
        for model in models:
            said = heard.get(model)
            rows.append(
                {
                    "key": key,
                    "model": model,
                    "duration": duration,
                    "error": error,
                    "probabilities": None if said is None else said[0],
                    "embedding": None if said is None else said[1],
                }
            )
    out = io.BytesIO()
    pa.parquet.write_table(pa.Table.from_pylist(rows, SCHEMA), out)
    return out.getvalue()


def decode(data: bytes) -> Iterator[Result]:
    """Yield the results in a Parquet file, in their order. Raises ValueError where it is none."""
    table = pa.parquet.read_table(io.BytesIO(data)).cast(SCHEMA)
    columns = [table.column(name) for name in ("key", "model", "duration", "error")]
    values = zip(*(column.to_pylist() for column in columns), strict=True)
    arrays = zip(*(_arrays(table.column(name)) for name in SCHEMA.names[4:]), strict=True)
    for key, found in groupby(zip(values, arrays, strict=True), lambda row: row[0][0]):
        group = list(found)
        _, _, duration, error = group[0][0]
        results = {} if error is not None else {row[1]: said for row, said in group}
        yield Result(key, tuple(row[1] for row, _ in group), duration, results, error)


def _arrays(column: Any) -> Iterator[Any]:
    return (value.values.to_numpy() if value.is_valid else None for value in column)


def merge(store: Store, data: bytes) -> None:
    """Take a shard over into the store. Raises StoreError, ValueError."""
    for key, models, duration, results, error, _ in decode(data):
        if error is None:
            store.record(key, results, duration=duration)
        else:
            store.record_failure(key, models, error)


def place(store: Store) -> Path:
    """Where the shards of a store wait to be merged: a folder beside it."""
    return store.path.absolute().with_name(f"{store.path.name}.ray")


class Folder:
    """That folder, during a run. Raises StoreError."""

    def __init__(self, store: Store) -> None:
        self.path = place(store)
        self._store = store

    def __enter__(self) -> Folder:
        """Mark the folder, for workers that can see it."""
        self.marker = self.path / f"{secrets.token_hex(8)}.run"
        try:
            self.path.mkdir(exist_ok=True)
            self.marker.touch()
        except OSError as error:
            raise StoreError(f"cannot be made: {error.strerror}", path=self.path) from error
        return self

    def __exit__(self, *_: object) -> None:
        # What workers may still be writing is for the next run.
        with contextlib.suppress(OSError):
            self.marker.unlink()
            self.path.rmdir()

    def take(self, name: str, data: bytes | None) -> None:
        """Merge a shard that a worker wrote here as ``name``, or sent; a file is then removed."""
        if data is not None:
            merge(self._store, data)
            return
        path = self.path / name
        with contextlib.suppress(FileNotFoundError):  # another run on this store took it
            merge(self._store, path.read_bytes())
            path.unlink()

    def take_rest(self) -> None:
        """Merge what an earlier run left, killed before it could."""
        for path in sorted(self.path.iterdir()):
            if path.suffix == _SUFFIX and not path.name.startswith("."):
                try:
                    self.take(path.name, None)
                except ValueError as error:
                    raise StoreError(
                        "is no shard of results", path=path, hint="remove it"
                    ) from error
                continue
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _ABANDONED:
                    path.unlink()
        with contextlib.suppress(OSError):  # in use
            self.path.rmdir()


class Shelf:
    """A worker's side: where it puts its shards, if it sees the folder at all."""

    def __init__(self, marker: str) -> None:
        self._marker = Path(marker)

    def put(self, results: Iterable[Result]) -> tuple[str, bytes | None]:
        """Return the name of the shard in the run's folder, or its bytes where that is out of reach:
        another machine's disk, a full one."""
        data = encode(results)
        name = secrets.token_hex(16) + _SUFFIX
        if self._marker.exists():
            with contextlib.suppress(OSError), whole(self._marker.with_name(name)) as file:
                file.write(data)
                return name, None
        return name, data


#: What the run gets to know: a row a shard. ``data``: the shard itself where it is in no folder.
SUMMARY = pa.schema(
    [
        ("shard", pa.string()),
        ("data", pa.large_binary()),
        ("keys", pa.list_(pa.string())),
        ("durations", pa.list_(pa.float64())),
        ("errors", pa.list_(pa.string())),
    ]
)


def summary(results: Iterable[Result], name: str, data: bytes | None) -> pa.Table:
    """Return the shard's row."""
    keys, _, durations, _, errors, _ = zip(*results, strict=True)
    row = {"shard": name, "data": data, "keys": keys, "durations": durations, "errors": errors}
    return pa.Table.from_pylist([row], SUMMARY)
