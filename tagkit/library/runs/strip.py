"""Remove from a file what tagkit wrote, by its marker and the journal, and nothing of the user's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tagkit.library import marker as marks
from tagkit.library.change import FieldChange, FileChange
from tagkit.library.fields import MARKER
from tagkit.library.marker import Marker

if TYPE_CHECKING:
    from tagkit.library.containers import TagFile


def strip(path: Path, tags: TagFile, *, content: str, remembered: Marker | None) -> FileChange:
    """Return the change that takes every value of tagkit's out of the file, its marker last.

    ``kept`` names the fields that tagkit once wrote and somebody has edited since: they are theirs.
    Raises SaveError where the file is gone.
    """
    markers = (marks.parse(tags.get(MARKER)), remembered)
    changes: list[FieldChange] = []
    kept: list[str] = []
    for field in sorted({f for m in markers if m is not None for f in m.claims}):
        values = tuple(tags.get(field))
        users, claim = marks.part(field, values, markers)
        if claim is not None:
            changes.append(FieldChange(field, values, users))
        elif values:
            kept.append(field)
    if markers[0] is not None:
        changes.append(FieldChange(MARKER, tuple(tags.get(MARKER)), ()))
    return FileChange.of(path, tags.container, content, changes, kept)
