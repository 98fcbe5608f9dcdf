"""MediaInfo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.readers import Seen, program, run, sorted_out

# sizes of the file and its parts, what is computed from them, and when it was written
_MOVES = (
    *("File", "HeaderSize", "FooterSize", "DataSize", "StreamSize", "OverallBitRate", "BitRate"),
)


def read(paths: list[Path]) -> list[Seen]:
    seen = []
    reports = json.loads(run(program("mediainfo"), "--Output=JSON", *paths))
    for report in reports if isinstance(reports, list) else [reports]:
        fields: list[tuple[str, str]] = []
        for track in report["media"]["track"]:
            extra: Any = track.get("extra", {})
            everything = (track | extra).items()
            fields += [(key, str(value)) for key, value in everything if key != "extra"]
        seen.append(sorted_out(field for field in fields if not field[0].startswith(_MOVES)))
    return seen
