"""Whose value is it? From what was decided and what the file holds to what shall change.

==================  ==================================================================================
the field holds      what happens (``existing``; for genre ``fill`` is keep and ``add`` is add)
==================  ==================================================================================
nothing             the decided values are written
tagkit's only       the decided values replace them; nothing decided: the field goes
a user's, keep      left as it is, and counted as kept
a user's, add       the user's values first and in their order, then the decided ones not yet there
a user's, replace   the decided values; nothing decided: only what tagkit had written goes
==================  ==================================================================================

A run changes only the fields it speaks for: the keys of ``wanted``. A key with no values means
"decided: nothing", an absent key means "not asked". Who speaks for *mood* speaks for
*probability:mood* too, so that no old figure stays beside a new mood. A field that the user has
emptied is an empty field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from tagkit.library import marker as marks
from tagkit.library.change import FieldChange, FileChange, Values
from tagkit.library.fields import MARKER, PROBABILITY
from tagkit.library.marker import Marker

if TYPE_CHECKING:
    from tagkit.library.containers import TagFile

Existing: TypeAlias = Literal["keep", "add", "replace"]
GenreMode: TypeAlias = Literal["off", "fill", "add"]


@dataclass(frozen=True)
class PolicyOptions:
    existing: Existing = "keep"
    genre: GenreMode = "off"

    def mode(self, field: str) -> Existing:
        """How a field that holds a user's values is treated."""
        if field == "genre":
            return "add" if self.genre == "add" else "keep"
        return self.existing


class Stamp(NamedTuple):
    """Who writes: tagkit's version, and the fingerprint or name of the model."""

    version: str
    model: str


def propose(
    path: Path,
    tags: TagFile,
    wanted: Mapping[str, Sequence[str]],
    *,
    content: str,
    stamp: Stamp,
    remembered: Marker | None = None,
    options: PolicyOptions = PolicyOptions(),
) -> FileChange:
    """Compare what was decided with what the file holds.

    ``wanted`` maps logical fields to their decided values, best first. ``content`` is the file's
    content key, ``remembered`` the journal's last marker for this file. The result has no
    ``changes`` where the file already holds what it should: then nothing is to be written. Raises
    SaveError where the file is gone.
    """
    markers = (marks.parse(tags.get(MARKER)), remembered)
    claims = _standing_claims(tags, markers)
    changes: list[FieldChange] = []
    kept: list[str] = []
    for field, values in _spoken_for(wanted, options).items():
        old = tuple(tags.get(field))
        users = marks.part(field, old, markers).users
        new, count = _settle(old, users, values, options.mode(field))
        if new != old:
            changes.append(FieldChange(field, old, new))
            claims.pop(field, None)
            if count:
                claims[field] = marks.claim(new, count)
        elif users and values:
            kept.append(field)
    if changes:
        changes += marker_change(tags, Marker(stamp.version, stamp.model, claims))
    return FileChange.of(path, tags.container, content, changes, kept)


def marker_change(tags: TagFile, after: Marker) -> list[FieldChange]:
    """Return the change that leaves the marker ``after`` in the file: one, or none if it is there."""
    old, new = tuple(tags.get(MARKER)), marks.text(after)
    return [FieldChange(MARKER, old, new)] if old != new else []


def _standing_claims(tags: TagFile, markers: Sequence[Marker | None]) -> dict[str, marks.Claim]:
    """Return the claims of either marker that the file's present values still bear out."""
    claims: dict[str, marks.Claim] = {}
    for field in sorted({f for m in markers if m is not None for f in m.claims}):
        if claim := marks.part(field, tags.get(field), markers).claim:
            claims[field] = claim
    return claims


def _spoken_for(wanted: Mapping[str, Sequence[str]], options: PolicyOptions) -> dict[str, Values]:
    """Return field -> decided values without case-insensitive duplicates, in order."""
    fields: dict[str, Values] = {}
    for field, values in wanted.items():
        if field.removeprefix(PROBABILITY) == "genre" and options.genre == "off":
            continue
        if not field.startswith(PROBABILITY):
            fields.setdefault(PROBABILITY + field, ())
        fields[field] = _unique(values, beside=())
    return fields


def _settle(old: Values, users: Values, wanted: Values, mode: Existing) -> tuple[Values, int]:
    """Return the new values of a field, and how many of the last of them are tagkit's, if they are new.

    ``users`` are those of the ``old`` values that are not tagkit's.
    """
    if not users or (mode == "replace" and wanted):
        return wanted, len(wanted)
    if mode == "keep":
        return old, 0
    added = _unique(wanted, beside=users)  # replace with nothing decided ends here too, adding none
    return users + added, len(added)


def _unique(values: Sequence[str], beside: Sequence[str]) -> Values:
    """Return the values that are not in ``beside`` nor repeated, whatever their case."""
    seen = {value.casefold() for value in beside}
    kept: list[str] = []
    for value in values:
        if value.casefold() not in seen:
            seen.add(value.casefold())
            kept.append(value)
    return tuple(kept)
