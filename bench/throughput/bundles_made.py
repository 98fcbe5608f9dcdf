"""Where the bundles lie that ``bundles.py`` makes."""

from __future__ import annotations

from pathlib import Path

#: Musicnn and Short-chunk CNN + Res of minzwon/sota-music-tagging-models, with MTG-Jamendo's 50 tags.
ARCHITECTURES = {"musicnn": "musicnn", "rescnn": "short_chunk_rescnn"}


def paths(work: Path) -> dict[str, Path]:
    return {name: work / "bundles" / f"{name}.safetensors" for name in ARCHITECTURES}
