"""Take back what a run wrote: the old values, where the new ones are still there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tagkit.library import marker as marks
from tagkit.library.change import FieldChange, FileChange, Values
from tagkit.library.fields import MARKER
from tagkit.library.marker import Marker
from tagkit.library.runs.journal import Journal
from tagkit.library.runs.records import Write

if TYPE_CHECKING:
    from tagkit.library.containers import TagFile


class Reversal(NamedTuple):
    """``change`` takes a write back as far as possible; ``left`` names the fields that somebody has edited since."""

    change: FileChange
    left: tuple[str, ...]


def last_write(journal: Journal, path: Path, content: str, run: int | None = None) -> Write | None:
    """Return the newest write of a file that is not taken back yet: of ``run``, or of any that is no undo."""
    for write in journal.history(path, content):
        asked = write.reverts is None if run is None else write.run == run
        if asked and not write.undone:
            return write
    return None


def written_since(journal: Journal, write: Write, path: Path) -> dict[str, int]:
    """Return field -> the newest later run that wrote this file's field and is not taken back."""
    since: dict[str, int] = {}
    for other in journal.later(write, path):
        for change in other.changes:
            since.setdefault(change.field, other.run)
    return since


def reversal(write: Write, path: Path, tags: TagFile) -> Reversal:
    """Compare what ``write`` did with what the file at ``path`` (it may have moved) holds now.

    Raises SaveError where the file is gone.
    """
    changes: list[FieldChange] = []
    left: list[str] = []
    for field, old, new, _ in write.changes:
        current = tuple(tags.get(field))
        if field == MARKER:
            target = _marker_before(old, new, current, {c.field for c in changes})
        elif current != old and not marks.is_left(current, new):
            left.append(field)
            continue
        else:
            target = old
        if current != target:
            exact = write.before.get(field) if target == old else None
            changes.append(FieldChange(field, current, target, exact))
    change = FileChange.of(path, write.container, write.content, changes)
    return Reversal(change, tuple(left))


def _marker_before(old: Values, new: Values, current: Values, fields: set[str]) -> Values:
    """Return the marker after an undo: the old one; where a later run has written its own, that one
    with the old claims for the fields that go back."""
    now, before = marks.parse(current), marks.parse(old)
    if current in (old, new) or now is None:
        return old
    claims = {field: claim for field, claim in now.claims.items() if field not in fields}
    if before is not None:
        claims |= {field: before.claims[field] for field in fields & before.claims.keys()}
    return marks.text(Marker(now.version, now.model, claims))
