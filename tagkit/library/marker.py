"""The ``TAGKIT`` field beside the tags: which values of this file are tagkit's, for any machine to know.

One line of words, free of ``; / ,`` so that no reader splits it::

    tagkit 0.1.0 model=9f3c01 mood=2:5e884898da28 theme=1:4b227777d4dd

``mood=2:5e88...`` says that the last two values of the field *mood* are tagkit's, and gives a digest of all
its values as tagkit left them. Where the digest no longer fits, someone has edited the field since, and
all of it is theirs. The journal keeps each file's last line too, for readers that drop unknown fields.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote, unquote

from tagkit.library.fields import DEFAULTS, MARKER

# A marker comes out of a stranger's file: what does not look exactly like ours claims nothing.
_HEAD = re.compile(r"tagkit (\S{1,64}) model=(\S{0,256})((?: \S+)*)")
_CLAIM = re.compile(r"([a-z]{1,32}(?::[a-z]{1,32})?)=([1-9][0-9]{0,3}):([0-9a-f]{12})")
_LONGEST = 4096
_CLAIMABLE = DEFAULTS.keys() - {MARKER}


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


def ours(field: str, values: Sequence[str], markers: Iterable[Marker | None]) -> int:
    """Return how many of the last values are tagkit's by any of the markers; 0 where the user edited."""
    for marker in markers:
        found = marker.claims.get(field) if marker is not None else None
        if found is None or found.length > len(values):
            continue
        if found.digest == digest(values):
            return found.length
    return 0
