"""Collect the real audio that the default weights are taught with, and what is no music.

    python bench/weights/collect.py SHARED WORK

Writes excerpts below ``WORK/music`` and sounds below ``WORK/sounds``, the manifest ``WORK/real.csv`` (with
the music of ``SHARED``, in place) and its summary ``WORK/sources.csv``. Stopped at any time, the same
command goes on; rows once written stay as they are. Needs Debian 12 with ``apt-get``, and for the
synthetic voices ``flite`` and ``espeak-ng``; what cannot be had is named and left out.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import debian
import excerpts
import splits
import summary
from not_music import sound_rows
from packages import PACKAGES, Package
from reference import reference_rows
from rich.console import Console
from rich.progress import track
from rows import Row, Table

from tagkit.errors import AudioError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("work", type=Path)
    arguments = parser.parse_args()
    work = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    link = work / "shared"
    if not link.exists():
        link.symlink_to(arguments.shared.resolve(), target_is_directory=True)
    console = Console(stderr=True)
    table = Table(work / "real.csv")
    table.extend(reference_rows(work, table.paths))
    table.extend(track(sound_rows(work, table.paths), "no music", console=console))
    for package in track(PACKAGES, "packages", console=console):
        if not table.has_below(f"music/{package.name}/"):
            # A package's rows are written together, so that an interrupted one is done again.
            table.extend(list(package_rows(package, work)))
    found = summary.lines(table.rows, work)
    summary.write(found, work / "sources.csv")
    Console(width=160).print(summary.shown(found))


def package_rows(package: Package, work: Path) -> Iterator[Row]:
    """Cut the excerpts of a package and yield their rows."""
    folder = debian.unpack(package.name, work / "unpacked", work / "deb")
    if folder is None:
        Console(stderr=True).print(f"{package.name}: cannot be downloaded, left out")
        return
    for name, paths in pieces(package, folder).items():
        try:
            samples = excerpts.read(paths)
        except AudioError as error:
            Console(stderr=True).print(f"left out: {error}", markup=False)
            continue
        artist = artist_of(package, name, paths[0])
        split = splits.of_piece(f"{package.name}/{name}", test=package.test)
        for number, excerpt in enumerate(excerpts.cut(samples)):
            path = work / "music" / package.name / f"{splits.slug(name)}-{number}.flac"
            excerpts.write(path, excerpt)
            yield Row(
                path=path.relative_to(work).as_posix(),
                split=split,
                teach="teachers",
                artist=artist,
                source=package.name,
                licence=package.licence,
                seconds=f"{len(excerpt) / excerpts.RATE:.2f}",
            )


def pieces(package: Package, folder: Path) -> dict[str, list[Path]]:
    """Return the package's pieces by name: one file each, or a folder of layers."""
    found: dict[str, list[Path]] = {}
    for path in debian.audio_files(folder, package.leave_out):
        name = path.relative_to(folder).as_posix()
        found.setdefault(str(Path(name).parent) if package.layers else name, []).append(path)
    return found


def artist_of(package: Package, name: str, path: Path) -> str:
    """Return who a piece is by: as the table says, else the file's tag, else the package's name."""
    for pattern, artist in package.artists:
        if re.search(pattern, name):
            return artist
    return debian.artist(path) or package.artist or package.name


if __name__ == "__main__":
    main()
