"""Ignore files: ``.tagkitignore`` with gitignore's syntax, in any folder of a library.

As in git, the last matching line of a file decides, a file deeper down overrules those above it,
and what lies below an ignored folder cannot be taken back in.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from pathspec import GitIgnoreSpec

from tagkit.errors import UsageError

NAME = ".tagkitignore"
_MOST_BYTES = 1 << 20  # ten thousand lines; what is larger is no ignore file


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
    for number, line in enumerate(lines, 1):
        try:
            GitIgnoreSpec.from_lines([line])
        except ValueError as error:
            raise UsageError(f"line {number} is no pattern: {line!r}", path=where) from error
        if _is_costly(line):
            raise UsageError(f"line {number} has too many wildcards: {line!r}", path=where)
    return Ignore(folder, GitIgnoreSpec.from_lines(lines))


def _is_costly(line: str) -> bool:
    """Whether to match it may take forever: regular expressions backtrack over every wildcard.

    Measured on the worst name of 250 letters: 4 in a name take 0.3 s, 5 take 19 s.
    """
    if line.startswith("#"):
        return False
    parts = line.split("/")
    return parts.count("**") > 3 or any(len(re.findall(r"\*+", part)) > 4 for part in parts)


def load(folder: str) -> Ignore | None:
    """The folder's own ignore file, if it has one.

    Raises UsageError where it cannot be read or parsed: then nobody knows what was to be left out.
    """
    path = Path(folder, NAME)
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if not os.access(folder, os.X_OK):  # whoever walks the folder will say so
            return None
        raise UsageError(f"cannot read the ignore file: {error.strerror}", path=path) from error
    if len(data) > _MOST_BYTES:
        raise UsageError("the ignore file is over 1 MiB", path=path)
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
