"""Changes as a file that can be read, kept, and applied later or elsewhere: JSON, one line a file.

The first line is a header, every other one a :class:`FileChange`::

    {"tagkit-plan": 1, "version": "0.1.0", "model": "9f3c01", "settings": {...}}
    {"path": "/music/a.mp3", "container": "mp3", "size": 81, "mtime_ns": 17, "content": "5f…",
     "changes": [{"field": "mood", "old": [], "new": ["happy"]}], "kept": ["genre"]}

The text is ASCII. Bytes of a file name that are no UTF-8 stand in it as ``\\udc80`` to ``\\udcff``
(Python's surrogateescape), and come back as those bytes.

A plan can come from a stranger: it names files and logical fields, never native ones. ``settings``
only says which field layout made it, to be compared and never to be followed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from tagkit import strangers
from tagkit.errors import PlanError, TagError
from tagkit.files import whole
from tagkit.library.change import FieldChange, FileChange, Values
from tagkit.library.fields import DEFAULTS

VERSION = 1
_LINE = 1 << 20  # bytes; a longer line is no change of ours
_VALUES = 1000  # in one field
_CONTENT = re.compile(r"[0-9a-f]{32,64}")

T = TypeVar("T")


@dataclass(frozen=True)
class Header:
    """``settings`` is how the run mapped logical fields to native ones."""

    version: str
    model: str
    settings: Mapping[str, Any]


class Plan:
    """A saved plan: its ``header``, and its changes by iteration, as often as wanted.

    Raises PlanError, which names the line: for the header at once, for a change when it is reached.
    """

    def __init__(self, file: str | os.PathLike[str]) -> None:
        self.file = Path(file)
        self.count = 0
        _, first = next(self._lines(), (1, {}))
        if not isinstance(first, dict) or "tagkit-plan" not in first:
            raise self._error(1, "not a plan of tagkit's")
        if first["tagkit-plan"] != VERSION:
            raise self._error(1, "a plan of another format version", "update tagkit")
        try:
            version, model = _typed(first, "version", str), _typed(first, "model", str)
            self.header = Header(version, model, _typed(first, "settings", dict))
        except ValueError as error:
            raise self._error(1, str(error)) from error

    def __iter__(self) -> Iterator[FileChange]:
        lines = self._lines()
        next(lines, None)
        for number, row in lines:
            try:
                yield _read(row)
            except ValueError as error:
                raise self._error(number, str(error)) from error

    def _lines(self) -> Iterator[tuple[int, Any]]:
        number = 0
        try:
            with self._open() as lines:
                while line := lines.readline(_LINE):
                    number += 1
                    if len(line) == _LINE:
                        raise self._error(number, "the line is too long")
                    yield number, json.loads(line.decode("ascii"))
        except OSError as error:
            raise PlanError(f"cannot be read: {error.strerror}", path=self.file) from error
        except (ValueError, RecursionError) as error:
            raise self._error(number, f"not JSON: {error}") from error

    def _open(self) -> AbstractContextManager[BinaryIO]:
        return strangers.opened(self.file)

    def _error(self, line: int, message: str, hint: str | None = None) -> PlanError:
        return PlanError(f"line {line}: {message}", path=self.file, hint=hint)


class Waiting(Plan):
    """Changes that wait to be written, on the disk: of half a million files they would not fit in memory.

    The file has no name, so that nothing is left of it however this process ends. It lies on the disk of
    ``folder``, for the usual folder for such files is often kept in memory. Raises PlanError.
    """

    def __init__(self, changes: Iterable[FileChange], header: Header, folder: Path) -> None:
        try:
            self._kept = cast("BinaryIO", tempfile.TemporaryFile(dir=folder))  # noqa: SIM115
            try:
                count = _write(self._kept, changes, header)
                self._kept.flush()
            except BaseException:  # of whoever makes the changes, too
                self.close()
                raise
        except OSError as error:
            raise _unwritten(folder, error) from error
        super().__init__(folder)
        self.count = count

    def close(self) -> None:
        with contextlib.suppress(OSError):  # nobody needs what could not be flushed
            self._kept.close()

    def _open(self) -> AbstractContextManager[BinaryIO]:
        self._kept.seek(0)
        return contextlib.nullcontext(self._kept)


def load_plan(file: str | os.PathLike[str]) -> Plan:
    """Open a plan and check all of it, so that nothing is written from one that is broken.

    Its ``count`` of files is known then. Raises PlanError.
    """
    plan = Plan(file)
    plan.count = sum(1 for _ in plan)
    return plan


def save_plan(file: str | os.PathLike[str], changes: Iterable[FileChange], header: Header) -> int:
    """Write a plan under a temporary name and rename it; return how many files it changes.

    Files without changes are left out. Raises PlanError where it cannot be written.
    """
    target = Path(file)
    try:
        with whole(target) as out:
            return _write(out, changes, header)
    except OSError as error:
        raise _unwritten(target, error) from error


def carried(change: FileChange) -> FileChange:
    """Return a change that a plan can carry. Raises TagError, for one odd file must not end a run.

    Its line would be refused when it is read again: a field holds a NUL, or megabytes.
    """
    line = _line(_row(change))
    try:
        if len(line) >= _LINE:
            raise ValueError("its fields hold more than a megabyte")
        _read(json.loads(line))
    except ValueError as error:
        hint = "look at its tag with another program"
        raise TagError(f"its fields are odd: {error}", path=change.path, hint=hint) from error
    return change


def _write(out: BinaryIO, changes: Iterable[FileChange], header: Header) -> int:
    first = {"tagkit-plan": VERSION, "version": header.version, "model": header.model}
    out.write(_line({**first, "settings": dict(header.settings)}))
    count = 0
    for change in changes:
        if change.changes:
            out.write(_line(_row(change)))
            count += 1
    return count


def _unwritten(target: Path, error: OSError) -> PlanError:
    return PlanError(f"cannot be written: {error.strerror}", path=target)


def _line(row: Mapping[str, Any]) -> bytes:
    return json.dumps(row).encode("ascii") + b"\n"


def _row(change: FileChange) -> dict[str, Any]:
    return {
        "path": _absolute(change.path),
        "container": change.container,
        "size": change.size,
        "mtime_ns": change.mtime_ns,
        "content": change.content,
        "changes": [{"field": c.field, "old": c.old, "new": c.new} for c in change.changes],
        "kept": change.kept,
    }


def _absolute(path: Path) -> str:
    # The folder resolved, for ".." behind a symlink is not what it seems; the name as it is.
    return str(Path(os.path.realpath(path.parent), path.name))


def _read(row: object) -> FileChange:
    """Return the change that a line describes. Raises ValueError, in words."""
    if not isinstance(row, dict):
        raise ValueError("not an object")
    content = _typed(row, "content", str)
    if not _CONTENT.fullmatch(content):
        raise ValueError("content: not a content key")
    changes = tuple(_field_change(c) for c in _typed(row, "changes", list))
    if not changes or len({c.field for c in changes}) < len(changes):
        raise ValueError("changes: none, or the same field twice")
    return FileChange(
        path=_path(_typed(row, "path", str)),
        container=_typed(row, "container", str),
        size=_typed(row, "size", int),
        mtime_ns=_typed(row, "mtime_ns", int),
        content=content,
        changes=changes,
        kept=_values(row, "kept"),
    )


def _path(text: str) -> Path:
    try:
        path = Path(os.fsdecode(os.fsencode(text)))
    except UnicodeEncodeError:
        raise ValueError("path: no file can have this name") from None
    if "\0" in text or not path.is_absolute() or ".." in path.parts:
        raise ValueError("path: not an absolute path without ..")
    return path


def _field_change(row: object) -> FieldChange:
    if not isinstance(row, dict):
        raise ValueError("changes: not an object")
    field = _typed(row, "field", str)
    if field not in DEFAULTS:
        raise ValueError(f"changes: {field!r} is no field of tagkit's")
    return FieldChange(field, _values(row, "old"), _values(row, "new"))


def _values(row: dict[str, Any], key: str) -> Values:
    values = _typed(row, key, list)
    if len(values) > _VALUES or not all(isinstance(v, str) and "\0" not in v for v in values):
        raise ValueError(f"{key}: not a list of texts")
    return tuple(values)


def _typed(row: dict[str, Any], key: str, kind: type[T]) -> T:
    value = row.get(key)
    if type(value) is not kind:  # not isinstance: True is no number
        raise ValueError(f"{key}: missing, or no {kind.__name__}")
    return value
