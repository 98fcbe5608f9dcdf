"""TagLib, by pytaglib: it reads, and it saves. It is what Navidrome and many desktop players read tags with."""

from __future__ import annotations

from pathlib import Path

from tests.readers import Seen, is_ours, module, sorted_out


def read(paths: list[Path]) -> list[Seen]:
    library = module("taglib")
    seen = []
    for path in paths:
        with library.File(path) as file:
            fields = [(key, value) for key, values in file.tags.items() for value in values]
            # custom attributes of WMA are named there, tagkit's too
            unsupported = [name for name in file.unsupported if not is_ours(name)]
            fields += [("unsupported", name) for name in unsupported]
            fields += [("length", str(file.length)), ("rate", str(file.sampleRate))]
            seen.append(sorted_out(fields))
    return seen


def save(paths: list[Path], title: str) -> None:
    """Give every file a title, and save it."""
    library = module("taglib")
    for path in paths:
        with library.File(path, save_on_exit=True) as file:
            file.tags["TITLE"] = [title]
