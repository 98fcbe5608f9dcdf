"""Files from strangers: what is opened at all, how much of it is read, how deep it may go, what it may take.

A name in somebody's folder may be a pipe that nobody fills, a device without an end, or a gigabyte. Here
it is an OSError with words, which every reader turns into its own error; what is in a file that can be
read is a ValueError.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import stat
import tomllib
from collections.abc import Iterator
from typing import Any, BinaryIO

#: Bytes of a file that a person would have written; those that ship have a few thousand.
SMALL = 1 << 20
#: Of a table of tracks: the Million Song Dataset's, with every column.
TABLE = 1 << 28
_LONGEST_LINE = 1 << 20  # characters

#: How a name looks that may become a file's: no folder, nothing hidden, nothing to steer a terminal.
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}", re.ASCII)
NAME_RULE = "a-z, 0-9, '.', '_' and '-', at most 100, the first a letter or digit"

# What a spreadsheet takes for a formula, also behind the quotes of an earlier :func:`cell`.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")

# A key of many parts (a.b.c) costs tomllib the square of their number: 100,000 take minutes.
_MOST_PARTS = 20
_LONGEST_WORD = 2000
# What is never closed goes to its end: there tomllib stops as well.
_TEXTS = re.compile(
    r'"""(?:[^\\"]|\\.|"{1,2}(?!"))*+"{0,5}'
    r"|'''(?:[^']|'{1,2}(?!'))*+'{0,5}"
    r'|"(?:[^"\\\n]|\\[^\n])*+"?'
    r"|'[^'\n]*+'?"
    r"|#[^\n]*+",
    re.DOTALL,
)
_DEEP = re.compile(rf"(?<![\w-])[\w-]++(?:[ \t]*+\.[ \t]*+[\w-]++){{{_MOST_PARTS}}}")
_LONG = re.compile(rf"(?<![\w.+-])[\w.+-]{{{_LONGEST_WORD}}}")


def opened(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file for reading. Raises OSError for anything else, at once."""
    # Not O_NONBLOCK alone: to open some devices does something.
    _require_regular(os.stat(path).st_mode, path)  # noqa: PTH116 (follows links, as open does)
    file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 (the caller closes it)
    try:
        _require_regular(os.fstat(file.fileno()).st_mode, path)
    except OSError:
        file.close()
        raise
    return file


def _require_regular(mode: int, path: str | os.PathLike[str]) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder, not a file", os.fspath(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "is a pipe or a device, not a file", os.fspath(path))


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def content(path: str | os.PathLike[str], most: int = SMALL) -> bytes:
    """Return what a regular file of at most ``most`` bytes holds. Raises OSError."""
    with opened(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"is larger than {most:,} bytes", os.fspath(path))
    return data


def unpacked(file: BinaryIO) -> int | None:
    """Return the bytes that a zip archive says it unpacks to; None for what is none. The file is at its
    start again. Raises ValueError and what zipfile raises for a damaged one."""
    import zipfile

    size = None
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            size = sum(member.file_size for member in archive.infolist())
    file.seek(0)
    return size


def lines(
    path: str | os.PathLike[str], *, errors: str = "strict", most: int = TABLE
) -> Iterator[str]:
    """Yield a text file's lines with their ends, as ``csv`` wants them. Raises OSError, ValueError."""
    with io.TextIOWrapper(opened(path), "utf-8-sig", errors=errors, newline="") as file:
        if os.fstat(file.fileno()).st_size > most:
            raise OSError(errno.EFBIG, f"is larger than {most:,} bytes", os.fspath(path))
        while line := file.readline(_LONGEST_LINE):
            if len(line) == _LONGEST_LINE:
                raise OSError(errno.EFBIG, "has a line of more than a million letters")
            yield line


def toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the table in a TOML file. Raises OSError, and ValueError for what is no TOML of ours."""
    return toml_table(
        content(path).decode("utf-8-sig")
    )  # Windows' editors begin a file with a mark


def toml_table(text: str) -> dict[str, Any]:
    """Return the table that ``text`` is. Raises ValueError, also for what would take minutes to read."""
    bare = _TEXTS.sub(lambda found: "" if found[0].startswith("#") else "s", text)
    if _LONG.search(bare):
        raise ValueError(f"a key or a number has {_LONGEST_WORD:,} letters")
    if _DEEP.search(bare):
        raise ValueError(f"a key has more than {_MOST_PARTS} parts")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


@contextlib.contextmanager
def bounded_memory(size: int) -> Iterator[None]:
    """Let the block take at most ``size`` bytes more than the process has now, where Linux can see to it.

    For readers that make more of a file than it holds. Whoever goes on beyond gets a MemoryError, or
    what a library makes of one.
    """
    try:
        import resource

        with open("/proc/self/status", encoding="ascii", errors="replace") as file:  # noqa: PTH123
            (taken,) = (int(line.split()[1]) << 10 for line in file if line.startswith("VmData:"))
    except (ImportError, OSError, ValueError):  # no Linux: then nothing sees to it
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = taken + size
    for limit in (soft, hard):
        most = most if limit == resource.RLIM_INFINITY else min(most, limit)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def cell(text: str) -> str:
    """Return ``text`` as a table's cell that no spreadsheet computes: ``=1+1`` becomes ``'=1+1``."""
    return f"'{text}" if _FORMULA.match(text) else text


def from_cell(text: str) -> str:
    """Return what :func:`cell` made a cell of."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def path_cell(text: str) -> str:
    """Return a path as such a cell that still names the file: ``=1.mp3`` becomes ``./=1.mp3``."""
    return f"./{text}" if _FORMULA.match(text) else text
