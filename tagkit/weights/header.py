"""The outside of a bundle: its header, its identity, and how it gets onto the disk whole.

Everything here works on bytes and JSON; no network library is needed. A header is a stranger's word:
lengths are bounded before anything is read, and each failure is a WeightsError.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any

import safetensors

from tagkit.errors import WeightsError
from tagkit.files import whole

# 16 MB hold the card of 10,000 tags many times over.
_MOST_HEADER = 16_000_000
# Above any published tagger (75 MB) by far, below what fills a small machine's memory.
_MOST_FILE = 1 << 30
# Everything after the decoding may then recurse.
_MOST_LEVELS = 20
_METADATA = "__metadata__"
_KEY = "tagkit"
_FINGERPRINT = re.compile(r"[0-9a-f]{64}", re.ASCII)
# What decides the outputs besides the tensors. Front-end fields of a later version are hashed as they
# were written, not as they are understood.
_DECIDES = ("architecture", "arguments", "front_end")


def read_head(path: str | os.PathLike[str]) -> tuple[dict[str, Any], str]:
    """Return the card's record and the stated fingerprint; the tensors are not read."""
    with naming(path), _regular(path).open("rb") as file:
        length = _header_length(file.read(8), os.fstat(file.fileno()).st_size)
        return _head(file.read(length))


def read_all(path: str | os.PathLike[str]) -> tuple[dict[str, Any], str, bytes]:
    """Return the record, the fingerprint and the whole file, after the fingerprint was proven.

    The file is read, not mapped: a mapped file that someone truncates kills the process.
    """
    with naming(path):
        file = _regular(path)
        if file.stat().st_size > _MOST_FILE:
            raise WeightsError(f"larger than {_MOST_FILE:,} bytes: no bundle is")
        data = file.read_bytes()
        length = _header_length(data[:8], len(data))
        record, stated = _head(data[8 : 8 + length])
        if digest(record, data) != stated:
            raise WeightsError(
                "its tensors are not those that its card was written for",
                hint="the file is damaged or was changed; pull, import or copy it again",
            )
        return record, stated, data


def digest(record: dict[str, Any], data: bytes) -> str:
    """Return the fingerprint of the tensors in ``data``, a whole safetensors file, under ``record``.

    sha256 over the deciding part of the card as canonical JSON, then each tensor by name: its name,
    type and shape as JSON, and its bytes.
    """
    try:
        tensors = safetensors.deserialize(data)  # type: ignore[no-untyped-call]
    except safetensors.SafetensorError as error:
        raise WeightsError(f"no sound safetensors file: {error}") from error
    result = hashlib.sha256(_canonical({key: record.get(key) for key in _DECIDES}))
    for name, tensor in sorted(tensors, key=itemgetter(0)):
        result.update(_canonical([name, tensor["dtype"], list(tensor["shape"])]))
        result.update(tensor["data"])
    return result.hexdigest()


def metadata(record: dict[str, Any], fingerprint: str) -> dict[str, str]:
    """Return the safetensors metadata that :func:`read_head` reads back."""
    text = json.dumps(record | {"fingerprint": fingerprint}, ensure_ascii=False, allow_nan=False)
    return {_KEY: text}


def replace(path: str | os.PathLike[str], data: bytes) -> None:
    """Put ``data`` at ``path``, whole or not at all."""
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole(target) as file:
            file.write(data)
    except OSError as error:
        raise WeightsError(f"cannot be written: {error.strerror}", path=target) from error


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Say ``path`` in a WeightsError that names no file yet, and turn OSError into one."""
    try:
        yield
    except WeightsError as error:
        error.path = error.path or os.fspath(path)
        raise
    except OSError as error:
        raise WeightsError(f"cannot be read: {error.strerror}", path=path) from error


def _regular(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file that can be read without waiting for somebody to fill it."""
    file = Path(path)
    if file.exists() and not file.is_file():
        raise WeightsError("is not a file")
    return file


def _header_length(first: bytes, file_size: int) -> int:
    length = int.from_bytes(first, "little")
    if len(first) < 8 or length < 2:
        raise WeightsError("too short for a bundle", hint="a bundle is a .safetensors file")
    if length > _MOST_HEADER:
        raise WeightsError(
            f"its header would be {length:,} bytes: no bundle",
            hint="a bundle is a .safetensors file",
        )
    if length > file_size - 8:
        raise WeightsError("it ends within its header", hint="copy or pull it again")
    return length


def _head(text: bytes) -> tuple[dict[str, Any], str]:
    tables = _decode(text, "header").get(_METADATA)
    if not isinstance(tables, dict) or not isinstance(tables.get(_KEY), str):
        raise WeightsError(
            "has no tagkit card", hint="made by another program? see 'tagkit weights import'"
        )
    record = _decode(tables[_KEY], "card")
    stated = record.pop("fingerprint", None)
    if not isinstance(stated, str) or not _FINGERPRINT.fullmatch(stated):
        raise WeightsError("its card has no fingerprint")
    return record, stated


def _decode(text: bytes | str, what: str) -> dict[str, Any]:
    try:
        value = json.loads(text, parse_constant=_no_constant)
    # RecursionError: 16 MB of '['. UnicodeDecodeError is a ValueError.
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"its {what} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise WeightsError(f"its {what} is not a JSON object")
    if _deeper(value, _MOST_LEVELS):
        raise WeightsError(f"its {what} is nested more than {_MOST_LEVELS} levels deep")
    return value


def _deeper(value: object, levels: int) -> bool:
    """Whether tables and lists are nested deeper than ``levels``; found without recursion."""
    layer = [value]
    for _ in range(levels):
        nested = [item for item in layer if isinstance(item, (dict, list))]
        layer = [
            child
            for item in nested
            for child in (item.values() if isinstance(item, dict) else item)
        ]
    return any(isinstance(item, (dict, list)) for item in layer)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _canonical(value: object) -> bytes:
    # An integral float and the integer are the same setting (8000.0, 8000).
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":")).encode()


def _plain(value: object) -> object:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
