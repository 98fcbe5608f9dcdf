"""The ``TAGKIT`` field beside the tags: which values of this file are tagkit's, for any machine to know.

One line of words, free of ``; / ,`` so that no reader splits it::

    tagkit 0.1.0 model=9f3c01 mood=2:5e884898da28 theme=1:4b227777d4dd

``mood=2:5e88...`` says that the last two values of the field *mood* are tagkit's, and gives a digest of all
its values as tagkit left them. Where the digest no longer fits, someone has edited the field since, and
all of it is theirs. The journal keeps each file's last line too, for readers that drop unknown fields.

A program that has no lists, or is told to write ID3v2.3, joins the values when it saves the file:
``happy/calm``. That is no edit. Values that are tagkit's once they are taken apart again, to the letter
and in their order, are still tagkit's; with anything added, left out or moved they are the owner's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote, unquote

from tagkit.library.fields import DEFAULTS, MARKER

# A marker comes out of a stranger's file: what does not look exactly like ours claims nothing.
_HEAD = re.compile(r"tagkit (\S{1,64}) model=(\S{0,256})((?: \S+)*)")
_CLAIM = re.compile(r"([a-z]{1,32}(?::[a-z]{1,32})?)=([1-9][0-9]{0,3}):([0-9a-f]{12})")
_LONGEST = 4096
_CLAIMABLE = DEFAULTS.keys() - {MARKER}

# What programs put between values: Picard "/" or "; ", Windows and MusicBee ";", Mp3tag two backslashes.
_JOINTS = (";", "/", ",", "|", "\\\\")


class Claim(NamedTuple):
    """The last ``length`` values of a field are tagkit's while all its values have this digest."""

    length: int
    digest: str


class Marker(NamedTuple):
    version: str
    model: str
    claims: Mapping[str, Claim]


def digest(values: Iterable[str]) -> str:
    """Return 12 hex digits that stand for the values and their order."""
    # Lengths in front, so that no two lists read the same once joined.
    text = "".join(f"{len(value)}:{value}" for value in values)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def claim(values: Sequence[str], length: int) -> Claim:
    return Claim(length, digest(values))


def parse(values: Iterable[str]) -> Marker | None:
    """Read the field's values; ``None`` where none of them is a marker of ours."""
    for value in values:
        head = _HEAD.fullmatch(value) if len(value) <= _LONGEST else None
        if head is None:
            continue
        version, model, words = head.groups()
        found = (_CLAIM.fullmatch(word) for word in words.split())
        claims = {m[1]: Claim(int(m[2]), m[3]) for m in found if m and m[1] in _CLAIMABLE}
        return Marker(unquote(version), unquote(model), claims)
    return None


def text(marker: Marker) -> tuple[str, ...]:
    """Return the field's values: one line, or ``()`` where nothing is claimed any more."""
    if not marker.claims:
        return ()
    words = [f"{field}={claim.length}:{claim.digest}" for field, claim in marker.claims.items()]
    head = ["tagkit", quote(marker.version, safe=""), f"model={quote(marker.model, safe='')}"]
    return (" ".join([*head, *words]),)


class Parted(NamedTuple):
    """Whose the values of a field are: ``users`` come first, ``claim`` stands for tagkit's after them."""

    users: tuple[str, ...]
    claim: Claim | None  # None: all of the field is the user's


def part(field: str, values: Sequence[str], markers: Iterable[Marker | None]) -> Parted:
    """Take a field apart by the first of the markers that it bears out; the user's where none does."""
    for marker in markers:
        found = marker.claims.get(field) if marker is not None else None
        if found is not None and (users := _users(tuple(values), found)) is not None:
            return Parted(users, found)
    return Parted(tuple(values), None)


def is_left(values: Sequence[str], left: Sequence[str]) -> bool:
    """Whether a field says what was left in it, be it joined since."""
    values, left = tuple(values), tuple(left)
    return values == left or (bool(left) and _users(values, claim(left, len(left))) is not None)


def _users(values: tuple[str, ...], claimed: Claim) -> tuple[str, ...] | None:
    """Return the values before the claimed ones, spelled as now; ``None`` where the claim does not hold."""
    for reading in _readings(values, claimed.length):
        if claimed.length > len(reading) or claimed.digest != digest(reading):
            continue
        users, mine = reading[: -claimed.length], reading[-claimed.length :]
        return values[: -claimed.length] if values[-claimed.length :] == mine else users
    return None


def _readings(values: tuple[str, ...], count: int) -> Iterator[tuple[str, ...]]:
    """Yield the lists that ``values`` can have been before a program joined them: itself, and for each joint
    all taken apart (a second tag of the file may say the same joined), or the last ``count`` alone."""
    yield values
    for joint in _JOINTS:
        if any(joint in value for value in values):
            yield tuple(dict.fromkeys(_apart(value.split(joint) for value in values)))
            if len(values) == 1:
                yield tuple(_apart([values[0].rsplit(joint, count)]))


def _apart(pieces: Iterable[Iterable[str]]) -> Iterator[str]:
    return (word.strip() for words in pieces for word in words if word.strip())
