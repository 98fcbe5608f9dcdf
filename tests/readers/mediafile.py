"""beets' own library for tags, with fields as its documentation asks for them: the four native names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.readers import Seen, module, sorted_out

_OTHERS = ("title", "artist", "artists", "date", "comments", "length")


def read(paths: list[Path]) -> list[Seen]:
    library = module("mediafile")
    fields = {name: _field(library, name) for name in ("mood", "theme", "instrument", "vocals")}
    reader = type("WithOurs", (library.MediaFile,), fields)
    seen = []
    for path in paths:
        try:
            file: Any = reader(path)
        except library.FileTypeError:
            seen.append(sorted_out([]))
            continue
        found = [(name, value) for name in fields for value in getattr(file, name) or ()]
        found += [("genre", value) for value in file.genres or ()]
        found += [(name, str(getattr(file, name))) for name in _OTHERS]
        found += [("image", str(image.data)) for image in file.images or ()]
        seen.append(sorted_out(found))
    return seen


def _field(library: Any, name: str) -> Any:
    upper = name.upper()
    mood = name == "mood"
    return library.ListMediaField(
        *([library.MP3ListStorageStyle("TMOO")] if mood else []),
        library.MP3ListDescStorageStyle(upper),
        library.MP4ListStorageStyle(f"----:com.apple.iTunes:{upper}"),
        library.ListStorageStyle(upper),
        library.ASFStorageStyle("WM/Mood" if mood else upper),
    )
