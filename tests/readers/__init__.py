"""Programs that we did not write, each as a function from files to what it sees in them.

One reader a file. ``tests/test_foreign_readers.py`` has the table of what each of them shows.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

FIELDS = ("mood", "theme", "instrument", "vocals", "genre")
_NAMES = {"tmoo": "mood", "wm/mood": "mood", "wm_mood": "mood", "wm/genre": "genre"}
_OURS = "tagkit"  # the marker and the probabilities: nobody takes them for anything else


class Seen(NamedTuple):
    """What a reader says of one file."""

    fields: dict[str, list[str]]  # the values of FIELDS
    others: dict[
        str, list[str]
    ]  # every other field but tagkit's own, and what is said of the sound
    ours: frozenset[str]  # the names of tagkit's own fields that it shows


def sorted_out(found: Iterable[tuple[str, str]]) -> Seen:
    """Sort (name, value) pairs into fields and others; a name may come several times."""
    seen = Seen({field: [] for field in FIELDS}, {}, frozenset())
    ours = set()
    for name, value in found:
        plain = name.casefold()
        field = _NAMES.get(plain, plain)
        if plain.startswith(_OURS):
            ours.add(plain)
        elif field in FIELDS:
            seen.fields[field].append(value)
        else:
            seen.others.setdefault(name, []).append(value)
    return seen._replace(ours=frozenset(ours))


def is_ours(name: str) -> bool:
    return name.casefold() in FIELDS or name.casefold().startswith(_OURS)


def run(*command: str | Path, environment: dict[str, str] | None = None) -> str:
    # exiftool exits with 1 for the formats it does not know, and reports on the others
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        stdin=subprocess.DEVNULL,
        env=environment,
    )
    assert done.stdout, done.stderr
    return done.stdout


def absent(name: str, reason: str = "is not installed") -> None:
    """In CI every reader must be there; elsewhere its test is skipped."""
    pytest.fail(f"{name} {reason}") if os.environ.get("CI") else pytest.skip(f"{name} {reason}")


def program(name: str) -> str:
    if shutil.which(name) is None:
        absent(name)
    return name


def module(name: str) -> ModuleType:
    if importlib.util.find_spec(name) is None:
        absent(name)
    return importlib.import_module(name)


def client(name: str) -> Path:
    """Return the Python of an environment of its own, of those that ``tests/readers/clients.sh`` makes.

    What could not be installed there, offline, is skipped, with the reason that pip gave.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    where = Path(os.environ.get("TAGKIT_CLIENTS") or Path(cache) / "tagkit-clients")
    pythons = sorted(where.glob(f"{name}-*/bin/python"))
    if not pythons:
        refused = where / f"{name}.refused"
        if refused.exists():
            pytest.skip(f"{name} could not be installed: {refused.read_text()[-300:].strip()}")
        absent(name, f"is not in {where}: tests/readers/clients.sh installs it")
    return pythons[-1]
