"""What another program may do to a file while tagkit is at it, and what it has left there."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import mutagen
from mutagen import apev2, asf, id3, mp4

from tagkit.errors import TagkitError
from tagkit.library.payload import content_key
from tests import media
from tests.trust.shelf import Seen, see

THEIRS = "theirs alone"
Edit = Callable[[Path, Path], None]  # the file, and another recording of its kind, elsewhere


class Left(NamedTuple):
    """What is at a path: its kind and permissions, its bytes, and what they mean where they are whole."""

    mode: int
    data: bytes | str | None  # a link's target; None for what has neither
    seen: Seen | None

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.mode)


def left(path: Path) -> Left | None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(mode):
        return Left(mode, str(path.readlink()), None)
    if not stat.S_ISREG(mode):
        return Left(mode, None, None)
    try:
        return Left(mode, path.read_bytes(), see(path))
    except TagkitError:
        return Left(mode, path.read_bytes(), None)


def retag(path: Path, field: str, value: str) -> None:
    """Set a title or a mood in place, as mutagen does."""
    file = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    tags = file.tags
    if isinstance(tags, id3.ID3):
        old = tags.version[1] == 3
        mood = id3.TXXX(encoding=1, desc="MOOD", text=[value])
        frames = {"title": id3.TIT2(1, value), "mood": mood if old else id3.TMOO(1, value)}
        tags.add(frames[field])
        file.save(v2_version=3 if old else 4)
        return
    tags[_name(tags, field)] = value.encode() if field == "mood" and mp4_like(tags) else value
    file.save()


def mp4_like(tags: Any) -> bool:
    return isinstance(tags, mp4.MP4Tags)


def _name(tags: Any, field: str) -> str:
    if mp4_like(tags):
        return {"title": "©nam", "mood": "----:com.apple.iTunes:MOOD"}[field]
    if isinstance(tags, asf.ASFTags):
        return {"title": "Title", "mood": "WM/Mood"}[field]
    return field.capitalize() if isinstance(tags, apev2.APEv2) else field.upper()


def unnoticed(edit: Callable[[Path], None]) -> Edit:
    """Do it, and put the mtime back. Only edits that keep the size are unnoticed by it, too."""

    def edited(path: Path, _: Path) -> None:
        before = path.stat()
        edit(path)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    return edited


def other_audio(path: Path) -> None:
    """Change one byte of the audio, in place."""
    key, size = content_key(path), path.stat().st_size
    with path.open("r+b") as file:
        for at in range(size // 2, size):
            file.seek(at)
            (was,) = file.read(1)
            file.seek(at)
            file.write(bytes([was ^ 0x55]))
            file.flush()
            if content_key(path) != key:
                return
    raise AssertionError(f"no audio in {path}")


def other_title(path: Path) -> None:
    """Another title of the same length, in place; without a tag library where no checksum is over it."""
    if path.suffix in (".ogg", ".oga", ".opus"):
        retag(path, "title", media.TITLE[::-1])
        return
    for encoding in ("utf-8", "latin-1", "utf-16-le", "utf-16-be"):
        data = path.read_bytes()
        new = data.replace(media.TITLE.encode(encoding), media.TITLE[::-1].encode(encoding))
        if new != data:
            with path.open("r+b") as file:
                file.write(new)
            return
    raise AssertionError(f"no title in {path}")


def _replaced(path: Path, other: Path) -> None:
    new = path.with_name("new" + path.suffix)
    shutil.copy(other, new)
    new.replace(path)


def _instead(make: Callable[[Path, Path], object]) -> Edit:
    def edited(path: Path, other: Path) -> None:
        path.unlink()
        make(path, other)

    return edited


def _moved(path: Path, other: Path) -> None:
    path.rename(path.with_name("moved-" + path.name))
    shutil.copy(other, path)


def _appended(path: Path, _: Path) -> None:
    with path.open("ab") as file:
        file.write(b"something of another program's" * 9)


EDITS: dict[str, Edit] = {
    "deleted": lambda path, _: path.unlink(),
    "replaced by another recording": _replaced,
    "replaced by a folder": _instead(lambda path, _: path.mkdir()),
    "replaced by a link": _instead(lambda path, other: path.symlink_to(other)),
    "replaced by a FIFO": _instead(lambda path, _: os.mkfifo(path)),
    "given a mood": lambda path, _: retag(path, "mood", THEIRS),
    "given a title": lambda path, _: retag(path, "title", THEIRS),
    "given a title, unnoticed": unnoticed(other_title),
    "given other audio, unnoticed": unnoticed(other_audio),
    "truncated": lambda path, _: os.truncate(path, path.stat().st_size * 2 // 3),
    "appended to": _appended,
    "made read-only": lambda path, _: path.chmod(0o444),
    "moved, and another put there": _moved,
}
