"""What is to change in one file, as plain data: the policy makes it, a plan carries it, the writer does it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tagkit.library.saving.guard import os_errors

Values = tuple[str, ...]


class FieldChange(NamedTuple):
    """One logical field: all its values before, all its values after. ``()`` is an absent field.

    ``exact`` is a snapshot (:meth:`TagFile.snapshot`) in which the field holds ``new``: an undo
    brings that back, byte by byte, instead of writing the values anew.
    """

    field: str
    old: Values
    new: Values
    exact: str | None = None


@dataclass(frozen=True)
class FileChange:
    """The changes of one file, and what the file was when they were decided.

    ``size`` in bytes and ``mtime_ns`` are for reports; what must still be true at the time of
    writing is ``content`` (the :func:`~tagkit.library.payload.content_key`) and every ``old``.
    ``kept`` names the fields that were left because their values are the user's.
    """

    path: Path
    container: str
    size: int
    mtime_ns: int
    content: str
    changes: tuple[FieldChange, ...] = ()
    kept: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        path: Path,
        container: str,
        content: str,
        changes: Iterable[FieldChange],
        kept: Iterable[str] = (),
    ) -> FileChange:
        """Return the change of the file that is at ``path`` now. Raises SaveError where it is gone."""
        with os_errors(path):
            found = path.stat()
        return cls(
            path, container, found.st_size, found.st_mtime_ns, content, tuple(changes), tuple(kept)
        )
