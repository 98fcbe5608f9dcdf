"""Disks that are really full, or read-only: of the music, of the store and journal, of temporary files."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tagkit.library.saving import guard
from tests import media
from tests.trust import size
from tests.trust.shelf import Shelf

KINDS = ("mp3_id3v24", "flac", "wav", "m4a", "opus")


@pytest.fixture(autouse=True)
def told() -> Iterator[None]:
    begun = time.monotonic()
    yield
    size.tell("full and read-only disks", time.monotonic() - begun, cases=1)


def mount(*words: object) -> bool:
    return subprocess.run(["mount", *map(str, words)], capture_output=True).returncode == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB, where this user can mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0 or not mount("-t", "tmpfs", "-o", "size=4m", "tmpfs", place):
        pytest.skip("this user cannot mount a tmpfs")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def move(folder: Path, to: Path) -> None:
    """Move a folder to another disk, and leave a link in its place."""
    shutil.move(folder, to)
    folder.symlink_to(to)


def fill(disk: Path, leave: int) -> Path:
    """Fill a disk but for ``leave`` bytes; return the file that does."""
    ballast = disk / "ballast"
    found = os.statvfs(disk)
    with ballast.open("wb") as file:
        file.write(b"\0" * (found.f_bavail * found.f_frsize - leave))
    return ballast


@pytest.mark.parametrize("leave", [1 << 12, guard.ROOM + (1 << 14)])
@pytest.mark.parametrize("doing", ["write", "undo"])
def test_the_disk_of_the_music_is_full(disk: Path, tmp_path: Path, doing: str, leave: int) -> None:
    shelf = Shelf(tmp_path / "shelf", KINDS)
    move(shelf.music, disk / "Music")
    shelf.hear()
    before = shelf.seen()
    words = shelf.tag("--write") if doing == "write" else ("undo",)
    if doing == "undo":
        assert shelf.run(*shelf.tag("--write")).returncode == 0
    whole = {path: path.read_bytes() for path in shelf.files}
    ballast = fill(disk, leave)
    done = shelf.run(*words)
    assert done.returncode == 1 and "disk is full" in done.stderr
    failed = {path for path in shelf.files if path.name in done.stderr}
    assert failed and (leave > guard.ROOM or len(failed) == len(shelf.files))
    for path in failed:
        assert path.read_bytes() == whole[path], path
    for path, seen in shelf.seen().items():
        assert (seen.audio, seen.foreign) == (before[path].audio, before[path].foreign)
    assert shelf.strays() == []
    ballast.unlink()
    assert shelf.run(*words).returncode == 0
    if doing == "write":
        while shelf.run("undo").returncode == 0:
            pass
    assert shelf.seen() == before


@pytest.mark.parametrize("leave", [0, 1 << 15])
def test_the_disk_of_store_and_journal_is_full(disk: Path, tmp_path: Path, leave: int) -> None:
    shelf = Shelf(tmp_path / "shelf", KINDS)
    shelf.data.parent.mkdir(parents=True)
    shelf.data.symlink_to(disk)
    shelf.hear()
    before = shelf.seen()
    whole = {path: path.read_bytes() for path in shelf.files}
    ballast = fill(disk, leave)
    done = shelf.run(*shelf.tag("--write"))
    assert done.returncode == 1 and str(shelf.data) in done.stderr
    assert "disk" in done.stderr and "Traceback" not in done.stderr
    written = [path for path in shelf.files if path.read_bytes() != whole[path]]
    assert len(written) < len(shelf.files)
    ballast.unlink()
    assert shelf.run(*shelf.tag("--write")).returncode == 0
    assert shelf.strays() == []
    now = shelf.seen()
    for path in shelf.files:
        assert now[path].fields != before[path].fields
        assert (now[path].audio, now[path].foreign) == (before[path].audio, before[path].foreign)
    while shelf.run("undo").returncode == 0:
        pass
    assert shelf.seen() == before


def test_where_temporary_files_go_is_full_or_not_there(disk: Path, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "shelf", KINDS)
    shelf.hear()
    fill(disk, 0)
    assert shelf.run(*shelf.tag("--write"), environment={"TMPDIR": str(disk)}).returncode == 0
    away = {"TMPDIR": str(tmp_path / "nowhere")}
    assert shelf.run("undo", environment=away).returncode == 0
    assert [path.name for path in disk.iterdir()] == ["ballast"]


@pytest.mark.parametrize("what", ["music", "data"])
def test_a_disk_that_turns_read_only(disk: Path, tmp_path: Path, what: str) -> None:
    shelf = Shelf(tmp_path / "shelf", KINDS)
    if what == "music":
        move(shelf.music, disk / "Music")
    else:
        shelf.data.parent.mkdir(parents=True)
        shelf.data.symlink_to(disk)
    shelf.hear()
    before, whole = shelf.seen(), {path: path.read_bytes() for path in shelf.files}
    assert mount("-o", "remount,ro", disk)
    done = shelf.run(*shelf.tag("--write"))
    assert done.returncode == 1
    assert {path: path.read_bytes() for path in shelf.files} == whole
    if what == "music":
        assert done.stderr.count("failed: ") == len(shelf.files) and "read-only" in done.stderr
    else:
        assert "error: " in done.stderr and str(shelf.data) in done.stderr
    assert mount("-o", "remount,rw", disk)
    assert shelf.run(*shelf.tag("--write")).returncode == 0
    assert shelf.run("undo").returncode == 0
    assert shelf.seen() == before and shelf.strays() == []


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody may write in, not even root where root can mount."""
    folder = tmp_path / "locked"
    folder.mkdir()
    yield folder
    if os.geteuid() == 0:
        subprocess.run(["umount", str(folder)], capture_output=True)
    else:
        folder.chmod(0o755)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_is_read_only_is_named_and_the_rest_is_done(
    tmp_path: Path, locked: Path, what: str
) -> None:
    shelf = Shelf(tmp_path / "shelf", KINDS)
    path = media.make(locked / "a.mp3", "mp3", seconds=0.3, seed=77, foreign=True)
    shelf.hear([*shelf.files, path])
    data = path.read_bytes()
    if what == "file":
        path.chmod(0o444)
    elif os.geteuid() == 0:
        if not (mount("--bind", locked, locked) and mount("-o", "remount,bind,ro", locked)):
            pytest.skip("this user cannot mount a folder read-only")
    else:
        locked.chmod(0o555)
    done = shelf.run(*shelf.tag(locked, "--write"))
    assert done.returncode == 1 and f"failed: {path}: " in done.stderr
    assert "read-only" in done.stderr and f"{len(shelf.files)} tagged" in done.stderr
    assert path.read_bytes() == data and list(locked.iterdir()) == [path]
