"""The store's tables, the rows that come out of them, and how arrays go in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from tagkit.library.database_checks import columns
from tagkit.vocab import Tag

FloatArray: TypeAlias = npt.NDArray[np.float32]

VERSION = 2
SCHEMA = """
CREATE TABLE models (
    id          INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    tags        TEXT NOT NULL              -- JSON [[name, category], ...], one an output, in order
);
CREATE TABLE contents (
    id       INTEGER PRIMARY KEY,
    key      TEXT NOT NULL UNIQUE,         -- payload.content_key
    duration REAL                          -- seconds; NULL before the first analysis
);
CREATE TABLE paths (
    path     BLOB PRIMARY KEY,             -- os.fsencode, absolute: names need not be text
    size     INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    content  INTEGER NOT NULL REFERENCES contents (id)
);
CREATE INDEX paths_by_content ON paths (content);
CREATE TABLE analyses (
    content       INTEGER NOT NULL REFERENCES contents (id),
    model         INTEGER NOT NULL REFERENCES models (id),
    analysed      REAL NOT NULL,           -- seconds since 1970
    error         TEXT,                    -- why there are no probabilities
    probabilities BLOB,                    -- float32, little-endian
    embedding     BLOB,                    -- float16, little-endian
    PRIMARY KEY (content, model)
);
"""

# Since format 2. A path without a row here is one whose tag nobody has read yet.
ORIGINS = """
CREATE TABLE origins (
    path         BLOB PRIMARY KEY REFERENCES paths (path) ON DELETE CASCADE,
    artist       TEXT NOT NULL,            -- these as the file spells them, '' where it does not say
    album_artist TEXT NOT NULL,
    album        TEXT NOT NULL,
    compilation  INTEGER NOT NULL          -- 1: the file says that it is on one
);
CREATE TABLE roots (
    path BLOB PRIMARY KEY                  -- of folders that were named as inputs, absolute
);
"""
SCHEMA += ORIGINS
UPGRADES = {1: ORIGINS}

# The columns of what is asked.
STATE = columns(str, int, str | None)
STORED = columns(
    *(bytes, int, str, float | None),
    *(int | None, str | None, bytes | None, bytes | None),
)
HEARD = columns(int, int, bytes)
TRACK = columns(bytes, str, float | None)
NUMBER = columns(str, int)
_MODEL = columns(str, str, str)

_SIZES = {"<f4": 4, "<f2": 2}  # bytes of a value


class Model(NamedTuple):
    """A model that has analyses here, and what its outputs are called, in their order."""

    fingerprint: str
    name: str
    tags: tuple[Tag, ...]


class Look(NamedTuple):
    """What the store knows of a file before it is analysed."""

    path: Path  # as given
    key: str | None  # content key; None where the file cannot be read
    missing: tuple[str, ...]  # fingerprints of the models that have not heard it
    error: str | None  # why it cannot be read, or why an earlier analysis failed


class Stored(NamedTuple):
    """What the models heard in a file."""

    path: Path  # as given
    content: int  # the number that its audio has in this store
    key: str
    duration: float | None  # seconds
    results: dict[str, FloatArray]  # fingerprint -> probabilities (tags,)
    embeddings: dict[str, FloatArray]  # fingerprint -> (dims,), to the precision of float16
    error: str | None  # of any of the models


class Track(NamedTuple):
    """A remembered file."""

    path: Path  # absolute
    key: str
    duration: float | None  # seconds


def floats(values: npt.ArrayLike) -> bytes:
    """Probabilities as float32."""
    return np.asarray(values, dtype="<f4").tobytes()


def halves(values: npt.ArrayLike) -> bytes:
    """An embedding as float16, cut to its range: half the bytes, and as good for neighbours."""
    most = np.finfo(np.float16).max
    return np.clip(np.asarray(values, dtype=np.float32), -most, most).astype("<f2").tobytes()


def array(blob: bytes, kind: str) -> FloatArray:
    """Values back from their bytes; ``kind`` is ``"<f4"`` or ``"<f2"``.

    Whole values only: a blob of a damaged store may end in the middle of one.
    """
    # Asked 400,000 times for 100,000 tracks: sizes from a table, no copy but the last.
    return np.frombuffer(blob, kind, len(blob) // _SIZES[kind]).astype(np.float32)


def make_model(row: tuple[Any, ...]) -> Model:
    fingerprint, name, tags = _MODEL(row)
    return Model(fingerprint, name, tuple(Tag(*tag) for tag in json.loads(tags)))
