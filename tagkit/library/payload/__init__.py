"""The audio of a file apart from its tags.

`audio_digest` proves that a save left the audio alone; `content_key` recognises a track that was
moved or re-tagged. Both look at the bytes that a decoder would get, and at nothing that a tag
editor may change: padding, moved blocks, shifted offsets, renumbered pages.

Where a structure is broken or unknown, the whole file without the tags at its ends stands in for
the audio: a tag edit inside such a file then shows as changed audio, which is the safe mistake.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

from tagkit.library.payload import asf, chunks, flac, magic, mp4, ogg
from tagkit.library.payload.edges import audio_bounds
from tagkit.library.payload.layout import Layout
from tagkit.library.payload.source import Broken, Source, Span, opened

PIECE = 1 << 16
"""Bytes of each of the three pieces in a content key."""

_LAYOUTS: dict[str, Callable[[Source, Span], Layout]] = {
    "flac": flac.layout,
    "ogg": ogg.layout,
    "opus": ogg.layout,
    "wav": chunks.wav,
    "aiff": chunks.aiff,
    "dsf": chunks.dsf,
    "mp4": mp4.layout,
    "asf": asf.layout,
}  # the others are a bare stream between tags


def sniff(path: str | os.PathLike[str]) -> str:
    """The container, by content: mp3 flac ogg opus wav aiff mp4 asf ape wavpack musepack dsf other.

    Raises AudioError where the file cannot be read.
    """
    with opened(path) as source:
        return magic.container(source, audio_bounds(source))


def audio_digest(path: str | os.PathLike[str]) -> str:
    """SHA-256, in hex, over the audio and what a decoder needs to read it.

    Equal before and after any tag edit; different when one byte of the audio differs, or when a
    container no longer points at it rightly. Reads the whole file. Raises AudioError.
    """
    with opened(path) as source:
        bounds = audio_bounds(source)
        try:
            return _digest(_structured(source, bounds))
        except Broken:
            return _digest(_raw(source, bounds))


def content_key(path: str | os.PathLike[str]) -> str:
    """32 hex digits that stay the same under tag edits and moves.

    Over the payload's length and the 64 KiB at its start, middle and end: a few hundred KiB are
    read, however large the file. Raises AudioError.
    """
    with opened(path) as source:
        bounds = audio_bounds(source)
        try:
            return _key(_structured(source, bounds))
        except Broken:
            return _key(_raw(source, bounds))


def _structured(source: Source, bounds: Span) -> Layout:
    layout = _LAYOUTS.get(magic.container(source, bounds), _raw)(source, bounds)
    if layout.length == 0:  # else nothing of the file would be protected
        raise Broken
    return layout


def _raw(source: Source, bounds: Span) -> Layout:
    return Layout(source, (bounds,))


def _digest(layout: Layout) -> str:
    digest = hashlib.sha256()
    for part in layout.parts():
        digest.update(part)
    return digest.hexdigest()


def _key(layout: Layout) -> str:
    length = layout.length
    digest = hashlib.blake2b(length.to_bytes(8, "big"), digest_size=16)
    if length <= 3 * PIECE:
        digest.update(layout.piece(0, length))
    else:
        for offset in (0, (length - PIECE) // 2, length - PIECE):
            digest.update(layout.piece(offset, PIECE))
    return digest.hexdigest()
