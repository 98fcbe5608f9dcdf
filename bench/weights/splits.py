"""Which piece teaches, which chooses the weights, and which is never trained on."""

from __future__ import annotations

import hashlib
import re


def of_piece(name: str, *, test: bool = False, one_in: int = 16) -> str:
    """Return ``test``, or for one in ``one_in`` names ``validation``, else ``train``; the same each time."""
    if test:
        return "test"
    return "validation" if number(name) % one_in == 0 else "train"


def number(name: str) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest(), 16)


def slug(name: str) -> str:
    """Return a file name for a path within a package: short, without spaces, and its own."""
    words = re.sub(r"[^A-Za-z0-9]+", "-", "/".join(name.split("/")[-2:]).rsplit(".", 1)[0]).strip(
        "-"
    )
    return f"{words[-60:].strip('-')}-{number(name) % 0x10000:04x}"
