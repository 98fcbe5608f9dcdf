"""Kid3's command line: it reads, and it saves."""

from __future__ import annotations

import json
from pathlib import Path

from tests.readers import Seen, program, run, sorted_out

_GET = '{"method":"get","params":["all"]}'


def read(paths: list[Path]) -> list[Seen]:
    commands = [["-c", f"select {path.name}", "-c", _GET, "-c", "select none"] for path in paths]
    flat = [word for command in commands for word in command]
    seen = []
    for line in run(program("kid3-cli"), *flat, paths[0].parent).splitlines():
        if not line.startswith("{") or "taggedFile" not in line:
            continue
        tags = json.loads(line)["result"]["taggedFile"]
        frames = [
            f for tag in ("tag1", "tag2", "tag3") for f in tags.get(tag, {}).get("frames", [])
        ]
        fields = [(frame["name"], str(frame["value"])) for frame in frames]
        seen.append(sorted_out([*fields, ("format", tags["format"])]))
    return seen


def save(paths: list[Path], title: str) -> None:
    """Give every file a title, and save it."""
    words = [["-c", f"select {p.name}", "-c", f'set title "{title}"', "-c", "save"] for p in paths]
    flat = [word for command in words for word in [*command, "-c", "select none"]]
    run(program("kid3-cli"), *flat, "-c", "pwd", paths[0].parent)
