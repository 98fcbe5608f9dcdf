"""FFmpeg's prober, and with it every player that is made of FFmpeg."""

from __future__ import annotations

import json
from pathlib import Path

from tests.readers import Seen, program, run, sorted_out


def read(paths: list[Path]) -> list[Seen]:
    command = [program("ffprobe"), *"-v error -show_format -show_streams -show_chapters".split()]
    seen = []
    for path in paths:
        report = json.loads(run(*command, "-of", "json", path))
        fields = dict(report["format"].get("tags", {}))
        for stream in report["streams"]:
            fields |= stream.get("tags", {}) | {"codec": stream["codec_name"]}
            fields |= {"duration": stream.get("duration", "")}
        fields["chapters"] = str(report["chapters"])
        seen.append(sorted_out(fields.items()))
    return seen
