"""M3U8 playlists: one path a line, and nothing that a player could take for anything else."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

_TURNS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Entry(NamedTuple):
    """A file, and what a player shows of it; ``duration`` in seconds."""

    path: Path
    duration: float | None = None
    title: str | None = None


def m3u8(entries: Iterable[Entry], *, relative_to: Path | None = None) -> Iterator[str]:
    """Yield the lines of a playlist, without line ends; to be written as UTF-8.

    Paths are absolute, or relative to the folder ``relative_to`` that the playlist will lie in.
    A name that one line of UTF-8 cannot hold (line breaks, control characters, bytes that are no
    text) is given as a ``file:`` address.
    """
    yield "#EXTM3U"
    for entry in entries:
        if entry.duration is not None or entry.title is not None:
            seconds = -1 if entry.duration is None else round(entry.duration)
            yield f"#EXTINF:{seconds},{_one_line(entry.title or entry.path.stem)}"
        yield _location(entry.path, relative_to)


def _location(path: Path, relative_to: Path | None) -> str:
    absolute = os.path.abspath(path)  # noqa: PTH100 (links stay what they are)
    if not _is_plain(absolute):
        return "file://" + quote(os.fsencode(absolute))
    if relative_to is None:
        return absolute
    relative = os.path.relpath(absolute, relative_to)
    # "./" where the name would else be read as a comment, an address or an indent.
    return f".{os.sep}{relative}" if relative[0] in "# \t" or ":" in relative else relative


def _is_plain(text: str) -> bool:
    return text == text.rstrip() and not any(_breaks(c) for c in text)


def _one_line(text: str) -> str:
    return "".join(" " if _breaks(c) else c for c in text).strip()


def _breaks(character: str) -> bool:
    """A control character, a line or paragraph separator, a byte that is no text, or what turns the
    direction of writing, by which a line can look like another one."""
    return unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs") or character in _TURNS
