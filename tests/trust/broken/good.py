"""Whole files with everything in them: what the broken ones are made from."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tagkit.errors import TagError
from tagkit.library.containers import open_tags
from tests import media, rawid3

SECONDS = 0.1
#: Every kind that there is, the never written ones too.
KINDS = tuple(media.KINDS)


@functools.cache
def bare(kind: str) -> bytes:
    """A file as its encoder leaves it."""
    with tempfile.TemporaryDirectory() as folder:
        return media.make(Path(folder) / "good", kind, seconds=SECONDS).read_bytes()


@functools.cache
def plain(kind: str) -> bytes:
    """A file with the tags of a real library, or none where nothing writes them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "good"
        foreign = kind in media.WRITABLE
        return media.make(path, kind, seconds=SECONDS, foreign=foreign).read_bytes()


@functools.cache
def tagged(kind: str) -> bytes:
    """The same with a mood, a genre and a long field that tagkit finds there; where it can write it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "good"
        path.write_bytes(plain(kind))
        fields: dict[str, Sequence[str]] = {
            "mood": ["happy", "Wehmut — грусть"],
            "genre": ["Jazz"],
            "theme": ["x" * 3000],
        }
        try:
            tags = open_tags(path)
            for name, values in fields.items():
                tags.set(name, values)
            tags.save()
        except TagError:
            pass
        return path.read_bytes()


def stacked() -> dict[str, bytes]:
    """Files with several tags at once, as old libraries have them."""
    mp3, flac = plain("mp3"), plain("flac")
    ape = media.apev2_tag({**media.APE_ITEMS, "Mood": ["sad"]})
    v1 = rawid3.id3v1("A", "B")
    tags = [rawid3.tag(version, rawid3.foreign_frames(version)) for version in (2, 3, 4)]
    audio = bare("mp3")
    lyrics = b"LYRICSBEGININD0000200LYR00005hello"
    lyrics += b"%06dLYRICS200" % len(lyrics)
    behind = tags[2][:5] + b"\x10" + tags[2][6:]
    behind += b"3DI" + behind[3:10]
    found = {
        "three id3v2": tags[2] + tags[1] + tags[0] + audio,
        "forty id3v2": tags[2] * 40 + audio,
        "id3v2, ape, id3v1": tags[1] + audio + ape + v1,
        "id3v2, lyrics, ape, id3v1": tags[2] + audio + ape + lyrics + v1,
        "two ape": tags[2] + audio + ape + ape,
        "ape in front": ape + audio,
        "id3v2, ape in front": tags[2] + ape + audio + v1,
        "id3v2 behind": audio + behind,
        "twenty id3v1": mp3 + v1 * 20,
        "id3v1 enhanced": mp3 + b"TAG+".ljust(227, b"\0") + v1,
        "flac with id3v2 and id3v1": tags[1] + flac + v1,
        "flac with ape": flac + ape,
        "wav with id3v2 in front": tags[2] + plain("wav"),
        "only tags": tags[2] + ape + v1,
    }
    for kind in ("ape", "wavpack", "musepack"):
        found[f"{kind} with two ape"] = plain(kind) + ape
        found[f"{kind} with id3v2"] = tags[2] + plain(kind)
        found[f"{kind} with an empty ape"] = plain(kind) + media.apev2_tag({})
    return found
