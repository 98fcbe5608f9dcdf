"""Ignore files: ``.tagkitignore`` with gitignore's syntax, in any folder of a library.

As in git, the last matching line of a file decides, a file deeper down overrules those above it,
and what lies below an ignored folder cannot be taken back in.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from pathspec import GitIgnoreSpec

from tagkit import strangers
from tagkit.errors import UsageError
from tagkit.library.finding.patterns import LinearPattern

NAME = ".tagkitignore"
# Every file of a library is held against every line.
_MOST_BYTES = 1 << 16
_MOST_LINES = 2000
_LONGEST_LINE = 4096  # as the longest path


class Ignore(NamedTuple):
    """The patterns of one folder."""

    folder: str
    spec: GitIgnoreSpec

    def verdict(self, path: str, is_folder: bool) -> bool | None:
        """Whether ``path``, below the folder, is ignored; None where no line matches it."""
        relative = path[len(self.folder) :].lstrip(os.sep).replace(os.sep, "/")
        return self.spec.check_file(relative + "/" if is_folder else relative).include


def parse(folder: str, lines: list[str], where: str) -> Ignore:
    """Raises UsageError with the line that is no pattern."""
    if len(lines) > _MOST_LINES:
        raise UsageError(
            f"has {len(lines):,} lines, and at most {_MOST_LINES:,} are read", path=where
        )
    patterns = []
    for number, line in enumerate(lines, 1):
        try:
            if len(line) > _LONGEST_LINE:
                raise ValueError("longer than any path")
            patterns.append(LinearPattern(line))
        except ValueError as error:
            raise UsageError(f"line {number} is no pattern: {line[:80]!r}", path=where) from error
    return Ignore(folder, GitIgnoreSpec(patterns))


def load(folder: str) -> Ignore | None:
    """The folder's own ignore file, if it has one.

    Raises UsageError where it cannot be read or parsed: then nobody knows what was to be left out.
    """
    path = Path(folder, NAME)
    try:
        data = strangers.content(path, _MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if not os.access(folder, os.X_OK):  # whoever walks the folder will say so
            return None
        raise UsageError(f"cannot read the ignore file: {error.strerror}", path=path) from error
    # As names are decoded, so that a pattern matches a name that is no text.
    text = os.fsdecode(data.removeprefix(b"\xef\xbb\xbf"))
    return parse(folder, text.replace("\r\n", "\n").split("\n"), str(path))


def above(folder: str) -> list[Ignore]:
    """The ignore files of the folders above an absolute ``folder``, the outermost first.

    One that ignores ``folder`` itself is left out: who names a folder means it. Raises UsageError.
    """
    found = []
    for parent in reversed(Path(folder).parents):
        ignore = load(str(parent))
        if ignore is not None and not ignores([ignore], folder, is_folder=True):
            found.append(ignore)
    return found


def ignores(files: list[Ignore], path: str, *, is_folder: bool) -> bool:
    """Whether the innermost file that has a word on ``path`` ignores it."""
    for ignore in reversed(files):
        verdict = ignore.verdict(path, is_folder)
        if verdict is not None:
            return verdict
    return False
