"""The formats of the corpus, and where its files lie."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

QUALITY = 118  # FFmpeg's FF_QP2LAMBDA: a codec's quality scale in its own unit


class Format(NamedTuple):
    """How files are encoded: FFmpeg's container, codec, its sample format and options."""

    suffix: str
    container: str
    codec: str
    samples: str = ""
    options: Mapping[str, str] = {}


V2 = {"flags": "+qscale", "global_quality": str(2 * QUALITY)}
FORMATS = {
    "MP3 320k": Format("320.mp3", "mp3", "libmp3lame", "fltp", {"b": "320000"}),
    "MP3 V2": Format("v2.mp3", "mp3", "libmp3lame", "fltp", V2),
    "FLAC": Format("flac", "flac", "flac", "s16", {"compression_level": "5"}),
    "Ogg Vorbis": Format("ogg", "ogg", "libsndfile"),
    "M4A": Format("m4a", "ipod", "aac", "fltp", {"b": "256000"}),
}


def named(work: Path, seconds: float, files: int) -> dict[str, list[Path]]:
    """Return the files of each format, made or not."""
    folder = work / "corpus" / f"{seconds:g}s"
    return {
        name: [folder / f"{number:03}.{how.suffix}" for number in range(files)]
        for name, how in FORMATS.items()
    }
