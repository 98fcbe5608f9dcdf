"""Artist, album artist, album and the compilation flag in every container, as taggers write them: with
mutagen, and by hand where it does not."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import mutagen
import mutagen.asf
from mutagen.id3 import ID3, TALB, TCMP, TPE1, TPE2

from tests import media, rawid3


class Who(NamedTuple):
    artist: str = ""
    album_artist: str = ""
    album: str = ""
    compilation: bool = False


# Names of the four, in their order.
_VORBIS = ("artist", "albumartist", "album", "compilation")
_APE = ("Artist", "Album Artist", "Album", "Compilation")
_MP4 = ("\xa9ART", "aART", "\xa9alb", "cpil")
_ASF = ("Author", "WM/AlbumArtist", "WM/AlbumTitle", "WM/IsCompilation")
_FRAMES = (TPE1, TPE2, TALB)


def sign(path: Path, kind: str, who: Who) -> Path:
    """Write who made an untagged file of a kind of ``media.KINDS``; return its path."""
    container = media.KINDS[kind].container
    version = media.KINDS[kind].id3
    if version == 2:
        frames = [
            rawid3.text(2, name, value)
            for name, value in zip(("TP1", "TP2", "TAL"), who[:3], strict=True)
            if value
        ]
        frames += [rawid3.text(2, "TCP", "1")] * who.compilation
        data = path.read_bytes()
        path.write_bytes(rawid3.tag(2, frames) + data[10 + _synchsafe(data[6:10]) :])
    elif container == "mp3":
        tags = ID3(path) if version else ID3()
        _frames(tags, who)
        tags.save(path, v2_version=version or 4)
    else:
        file = mutagen.File(path)
        assert file is not None
        if file.tags is None:
            file.add_tags()
        if container in ("wav", "aiff", "dsf"):
            _frames(file.tags, who)
        else:
            _pairs(file, container, who)
        file.save()
    return path


def _synchsafe(data: bytes) -> int:
    return sum(byte << shift for byte, shift in zip(data, (21, 14, 7, 0), strict=True))


def _frames(tags: ID3, who: Who) -> None:
    for kind, value in zip(_FRAMES, who[:3], strict=True):
        if value:
            tags.add(kind(3, [value]))
    if who.compilation:
        tags.add(TCMP(3, ["1"]))


def _pairs(file: mutagen.FileType, container: str, who: Who) -> None:
    names = {"mp4": _MP4, "asf": _ASF}.get(container)
    if names is None:
        names = _APE if container in ("ape", "wavpack", "musepack") else _VORBIS
    for name, value in zip(names[:3], who[:3], strict=True):
        if value:
            file.tags[name] = [value]
    if who.compilation:
        flag = {"mp4": True, "asf": mutagen.asf.ASFBoolAttribute(True)}.get(container, "1")
        file.tags[names[3]] = flag
