"""Make the library that ``bench/load.py`` puts through everything: small files of every format.

Ten tracks an album, five albums an artist, each track another recording with tags of a real library. Of
fifty files one is a second name (a hard link) of the one before it. Stopped at any time, the same call
goes on.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from tests import media

SECONDS = 0.2
ALBUM, ARTIST = 10, 50  # tracks
LINKED = 50  # of so many files the last is a second name
KINDS = media.WRITABLE


def named(folder: Path, files: int) -> Iterator[Path]:
    """The library's files, in the order of their numbers."""
    for number in range(files):
        artist, album = number // ARTIST, number // ALBUM % (ARTIST // ALBUM)
        place = folder / f"Artist {artist:05}" / f"Album {artist:05}.{album}"
        yield place / f"{number % ALBUM + 1:02} {number:06}{media.KINDS[kind_of(number)].suffix}"


def kind_of(number: int) -> str:
    return KINDS[(number - is_link(number)) % len(KINDS)]


def is_link(number: int) -> bool:
    return number % LINKED == LINKED - 1


def linked(number: int) -> bool:
    """Whether a file has two names, and so is never written unasked."""
    return is_link(number) or is_link(number + 1)


def make(folder: Path, files: int, jobs: int) -> list[Path]:
    """Make the files that are not there yet; return all. A file by file in this process with one job."""
    paths = list(named(folder, files))
    starts = range(0, files, ARTIST)
    parts = [list(enumerate(paths[start : start + ARTIST], start)) for start in starts]
    if jobs == 1:
        for part in parts:
            _fill(part)
    else:
        with ProcessPoolExecutor(jobs, get_context("forkserver")) as pool:
            for _ in pool.map(_fill, parts):
                pass
    return paths


def _fill(numbered: list[tuple[int, Path]]) -> None:
    for number, path in numbered:
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if is_link(number):
            before = next(p for n, p in numbered if n == number - 1)
            os.link(before, path)
        else:
            part = path.with_suffix(f".part{path.suffix}")
            media.make(part, kind_of(number), seconds=SECONDS, seed=number, foreign=True)
            part.rename(path)
