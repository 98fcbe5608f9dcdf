"""MusicBrainz Picard's own code for formats, in its own environment: it reads, and it saves as its users do."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.readers import Seen, client, run, sorted_out

_OF_THE_SOUND = ("~length", "~sample_rate", "~channels")
_SCRIPT = Path(__file__).with_name("picard_inside.py")


def read(paths: list[Path]) -> list[Seen]:
    seen = []
    for found in _picard(paths):
        # "~" is what it knows beside the tags: of the file, where and how large it is
        kept = {n: v for n, v in found.items() if n[0] != "~" or n in _OF_THE_SOUND}
        seen.append(sorted_out((name, value) for name in kept for value in kept[name]))
    return seen


def names(paths: Sequence[Path]) -> list[dict[str, list[str]]]:
    """Return the fields of each file under the names by which Picard knows them."""
    return _picard(paths)


def save(
    paths: Sequence[Path],
    settings: Mapping[str, object] | None = None,
    edits: Mapping[str, list[str]] | None = None,
) -> None:
    """Load the files, edit the fields of ``edits`` in them, and save them, with Picard's default settings
    but those of ``settings``."""
    _picard(paths, save=True, settings=dict(settings or {}), edits=dict(edits or {}))


def _picard(paths: Sequence[Path], **job: object) -> list[dict[str, list[str]]]:
    python = client("picard")
    with tempfile.TemporaryDirectory() as home:
        job |= {"paths": [os.fspath(path) for path in paths], "ini": f"{home}/picard.ini"}
        environment = {**os.environ, "HOME": home, "XDG_RUNTIME_DIR": home}
        # isolated: beside the script lies this file, which is called picard too
        said = run(python, "-I", _SCRIPT, json.dumps(job), environment=environment)
    found: list[dict[str, list[str]]] = json.loads(said)
    return found
