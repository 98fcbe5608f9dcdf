"""A file's own tags behind logical fields: one strategy a container, chosen by content.

What a file without a writer is, and why, is in the message of its NoWriterError.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, cast

from tagkit.errors import AudioError, NoWriterError, TagError
from tagkit.library import payload
from tagkit.library.containers import apev2, asf, flac, id3, mp4, vorbis
from tagkit.library.containers.base import BROKEN, Native, TagFile, TagOptions, broken
from tagkit.library.containers.splice import NoWriter
from tagkit.library.fields import FieldMap

__all__ = ["STRATEGIES", "TagFile", "TagOptions", "open_tags"]

STRATEGIES: dict[str, Callable[[BinaryIO, TagOptions], Sequence[Native]]] = {
    "mp3": id3.open_mp3,
    "wav": id3.open_wav,
    "aiff": id3.open_aiff,
    "dsf": id3.open_dsf,
    "flac": flac.open_flac,
    "ogg": vorbis.open_ogg,
    "opus": vorbis.open_ogg,
    "mp4": mp4.open_mp4,
    "ape": apev2.open_ape,
    "wavpack": apev2.open_ape,
    "musepack": apev2.open_ape,
    "asf": asf.open_asf,
}


def open_tags(
    path: str | os.PathLike[str],
    fields: FieldMap = FieldMap(),
    *,
    options: TagOptions = TagOptions(),
) -> TagFile:
    """Read a file's tags. Raises NoWriterError for what tagkit never writes, TagError for the broken.

    The file is not held open.
    """
    name = os.fspath(path)
    try:
        container = payload.sniff(name)
    except AudioError as error:
        raise TagError(error.message, path=name, hint=error.hint) from error
    strategy = STRATEGIES.get(container)
    if strategy is None:
        raise NoWriterError("no writer for this kind of file", path=name)
    return TagFile(
        name,
        container,
        lambda file: strategy(file, options),
        lambda mode: _opened(name, mode),
        fields=fields,
        options=options,
    )


@contextmanager
def _opened(path: str, mode: str) -> Iterator[BinaryIO]:
    """The border: whatever goes wrong inside becomes a TagError that names the file."""
    try:
        with open(path, mode) as file:  # noqa: PTH123 - a name may be undecodable
            yield cast(BinaryIO, file)
    except NoWriter as error:
        raise NoWriterError(str(error), path=path, hint=error.hint) from error
    except OSError as error:
        raise TagError(f"cannot use the tag: {error.strerror or error}", path=path) from error
    except BROKEN as error:
        raise broken(error, path) from error
