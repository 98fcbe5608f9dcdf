"""ExifTool."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.readers import Seen, program, run, sorted_out

# what it says of the file, not of its tags
_SIZES = ("System:", "File:", "ExifTool:", "Composite:", "SourceFile", "ASF:FileLength")
_MOVES = ("MediaDataOffset", "AudioBitrate")
_CUSTOM = re.compile(r"\((\w+)\) (.*)", re.DOTALL)  # a TXXX frame: (THEME) film


def read(paths: list[Path]) -> list[Seen]:
    command = [program("exiftool"), *"-j -a -G1:4 -struct -charset filename=utf8".split()]
    return [_sorted(report) for report in json.loads(run(*command, *paths))]


def _sorted(report: dict[str, object]) -> Seen:
    found = []
    for key, value in sorted(report.items(), key=_copy):
        if key.startswith(_SIZES) or key.endswith(_MOVES):
            continue
        name = key.split(":")[-1]
        for text in value if isinstance(value, list) else [value]:
            custom = _CUSTOM.fullmatch(str(text)) if name == "UserDefinedText" else None
            found.append((custom[1], custom[2]) if custom else (name, str(text)))
    return sorted_out(found)


def _copy(entry: tuple[str, object]) -> int:
    """Of several values of a name, the last one comes first, and the others are numbered copies."""
    number = re.search(r":Copy(\d+):", entry[0])
    return int(number[1]) if number else 1000
