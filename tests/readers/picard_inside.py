"""Run by Picard's own Python, without a display: load files as Picard does, print what it shows, save them.

The application around the formats is a stand-in: they ask it for their registry and tell it of states.
"""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import picard.config
import picard.formats.vorbis
import picard.item
import picard.options
from picard.formats import DEFAULT_FORMATS
from picard.formats.registry import FormatRegistry
from PyQt6 import QtCore


def main() -> None:
    job = json.loads(sys.argv[1])
    application = QtCore.QCoreApplication([])
    picard.config.setup_config(application, job["ini"])
    for name, value in job.get("settings", {}).items():
        picard.config.get_config().setting[name] = value
    registry = FormatRegistry()
    for known in DEFAULT_FORMATS:
        registry.register(known)
    told = SimpleNamespace(emit=lambda: None)
    tagger = SimpleNamespace(tagger_stats_changed=told, format_registry=registry)
    for user in (picard.item, picard.formats.vorbis):
        user.tagger_instance = lambda: tagger
    print(json.dumps([handle(registry.open(path), job) for path in job["paths"]]))


def handle(file, job: dict) -> dict[str, list[str]]:
    loaded = file._load(file.filename)
    file._copy_loaded_metadata(loaded, [])
    shown = {name: list(values) for name, values in file.metadata.rawitems()}
    shown["images"] = [str(len(file.metadata.images))]
    if job.get("save"):
        for name, values in job["edits"].items():
            # as its user sees it: MOOD, where Picard knows that as a field of its own
            shown_as = next((n for n in shown if n.casefold() == name), name)
            file.metadata[shown_as] = values
        file._save(file.filename, file.metadata)
    return shown


main()
