"""Objects in S3 as inputs: found, looked at and fetched through Arrow's filesystem layer.

An object is named by its URL, which as a Path is ``s3:/bucket/key``. What it holds is known by its
URL, size and time of change, without a byte of it being read: an object that was moved is new.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from tagkit.errors import PassingError, UsageError

_SCHEME = "s3:/"


class Object(NamedTuple):
    """``size`` in bytes, ``mtime_ns`` since 1970."""

    path: Path
    size: int
    mtime_ns: int


def is_remote(path: str | os.PathLike[str]) -> bool:
    return os.fspath(path).startswith(_SCHEME)


def url(path: str | os.PathLike[str]) -> str:
    """Return ``s3://bucket/key`` of a remote path, and any other as it is."""
    text = os.fspath(path)
    return f"s3://{text.removeprefix(_SCHEME).lstrip('/')}" if is_remote(text) else text


def key(item: Object) -> str:
    """32 hex digits for what the object holds; another after any change."""
    text = f"{url(item.path)}\n{item.size}\n{item.mtime_ns}"
    return hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=16).hexdigest()


def look(paths: Sequence[Path]) -> Iterator[Object | OSError]:
    """Yield each path's object, or why there is none; many are asked at once. Raises UsageError."""
    for bucket, group in _by_bucket(paths):
        try:
            found = _filesystem(bucket).get_file_info([_inside(path) for path in group])
        except OSError as error:
            yield from (OSError(_reason(error)) for _ in group)
            continue
        for path, info in zip(group, found, strict=True):
            yield _object(path, info) if info.is_file else OSError("no such object")


def walk(root: Path) -> Iterator[Object]:
    """Yield the objects below a prefix in the order of their names, folder by folder; or ``root``
    itself where it is an object. Raises OSError, UsageError."""
    from pyarrow.fs import FileSelector

    filesystem = _filesystem(_bucket(root))
    (info,) = filesystem.get_file_info([_inside(root)])
    if info.is_file:
        yield _object(root, info)
        return
    stack = [[_inside(root)]]
    while stack:
        if not stack[-1]:
            stack.pop()
            continue
        entry = stack[-1].pop()
        if not isinstance(entry, str):
            yield _object(Path(f"{_SCHEME}{entry.path}"), entry)
            continue
        below = sorted(filesystem.get_file_info(FileSelector(entry)), key=lambda i: i.base_name)
        stack.append([item if item.is_file else item.path for item in reversed(below)])


def fetch(path: Path, folder: Path) -> Path:
    """Copy an object into a file of its own in ``folder`` and return it. Raises PassingError."""
    target = folder / f"{secrets.token_hex(8)}{path.suffix}"
    try:
        with (
            _filesystem(_bucket(path)).open_input_stream(_inside(path)) as source,
            target.open("xb") as file,
        ):
            while block := source.read(1 << 20):
                file.write(block)
    except (OSError, UsageError) as error:
        target.unlink(missing_ok=True)
        said = error.message if isinstance(error, UsageError) else _reason(error)
        raise PassingError(f"cannot be fetched: {said}", path=url(path)) from error
    return target


def _object(path: Path, info: Any) -> Object:
    return Object(path, info.size, info.mtime_ns or 0)


def _inside(path: Path) -> str:
    """``bucket/key``."""
    return os.fspath(path).removeprefix(_SCHEME).lstrip("/")


def _bucket(path: Path) -> str:
    return _inside(path).partition("/")[0]


def _by_bucket(paths: Sequence[Path]) -> Iterator[tuple[str, list[Path]]]:
    return ((bucket, list(group)) for bucket, group in groupby(paths, _bucket))


@cache
def _filesystem(bucket: str) -> Any:
    try:
        from pyarrow.fs import FileSystem
    except ImportError as error:
        raise UsageError(
            "s3:// needs pyarrow, which is not installed", hint="pip install 'tagkit[ray]'"
        ) from error
    try:
        return FileSystem.from_uri(f"s3://{bucket}")[0]
    except (OSError, ValueError) as error:
        raise UsageError(f"s3://{bucket} cannot be reached: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """The first line of Arrow's report."""
    return (str(error) or type(error).__name__).partition("\n")[0]
