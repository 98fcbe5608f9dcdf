"""A list of audio files and which split each belongs to, as CSV: ``path,split``.

Paths are relative to a folder given beside the manifest; ``split`` is train, validation or test.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

from tagkit.errors import RecipeError

SPLITS = ("train", "validation", "test")


class Item(NamedTuple):
    path: str
    split: str


def read_manifest(manifest: Path, root: Path) -> list[Item]:
    """Return the manifest's items in order. Raises RecipeError for a wrong line or a missing file."""
    try:
        with manifest.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, ValueError, csv.Error) as error:
        raise RecipeError(f"cannot be read: {error}", path=manifest) from error
    if not rows or not {"path", "split"} <= set(rows[0]):
        raise RecipeError("needs the columns path and split, and a row", path=manifest)
    items = [Item(row["path"] or "", row["split"] or "") for row in rows]
    for number, item in enumerate(items, 2):
        if item.split not in SPLITS:
            raise RecipeError(
                f"line {number}: split is {item.split!r}",
                path=manifest,
                hint=f"one of {', '.join(SPLITS)}",
            )
        if not (root / item.path).is_file():
            raise RecipeError(
                f"line {number}: {item.path} is not below {root}",
                path=manifest,
                hint="give the folder that the paths are relative to with --data",
            )
    return items
