"""What is on this machine: bundles and ensembles by name.

A name is looked for among what ships with tagkit, then in the user's cache. Anything with a folder or a
known ending in it is a path, and is taken as it stands.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from platformdirs import user_cache_path

from tagkit.errors import WeightsError
from tagkit.weights import registry
from tagkit.weights.card import check_name
from tagkit.weights.header import naming

BUNDLE = ".safetensors"
ENSEMBLE = ".toml"


class Installed(NamedTuple):
    """A bundle or ensemble that :func:`find` finds under ``name``; ``origin``: shipped or cached."""

    name: str
    path: Path
    origin: str


def find(name_or_path: str | os.PathLike[str]) -> Path:
    """Return the file that is meant: a bundle (``.safetensors``) or an ensemble (``.toml``).

    Raises WeightsError, naming near names, or the command that fetches what is published.
    """
    text = os.fspath(name_or_path)
    path = Path(text)
    if path.name != text or path.suffix in (BUNDLE, ENSEMBLE):
        with naming(path):  # a name too long for any file
            if path.is_file():
                return path
        raise WeightsError("no such file", path=path, hint="'tagkit weights list' shows names")
    here = {item.name: item.path for item in list_installed()}
    if text in here:
        return here[text]
    if text in registry.entries():
        raise WeightsError(
            f"{text} is not on this machine", hint=f"'tagkit weights pull {text}' fetches it"
        )
    near = get_close_matches(text, [*here, *registry.entries()], n=3)
    raise WeightsError(
        f"no model is called {text!r}",
        hint=f"did you mean {' or '.join(near)}?" if near else "'tagkit weights list' shows them",
    )


def list_installed() -> list[Installed]:
    """Return everything on this machine, shipped first, each part by name; no name comes twice."""
    found: dict[str, Installed] = {}
    for origin, folder in (("shipped", _shipped_folder()), ("cached", cache_folder())):
        for path in _models_in(folder):
            found.setdefault(path.stem, Installed(path.stem, path, origin))
    return list(found.values())


def cache_folder() -> Path:
    """Return where pulled and imported bundles live; it need not exist yet.

    ``TAGKIT_CACHE`` names another folder than the platform's cache for tagkit.
    """
    base = os.environ.get("TAGKIT_CACHE")
    return (Path(base) if base else user_cache_path("tagkit")) / "weights"


def new_path(name: str, *, replace: bool = False) -> Path:
    """Return where the cache keeps a new bundle called ``name``.

    Raises WeightsError where tagkit ships a model of that name, which would hide it, and, unless
    ``replace``, where the cache has one.
    """
    check_name(name)
    for item in list_installed():
        if item.name == name and item.origin == "shipped":
            raise WeightsError(f"tagkit ships a model called {name}", hint="choose another --name")
    path = cache_folder() / f"{name}{BUNDLE}"
    if path.exists() and not replace:
        raise WeightsError("is there already", path=path, hint="--force replaces it")
    return path


def _shipped_folder() -> Path:
    """Return ``tagkit/_bundles`` of an installed tagkit, ``weights/`` of a checkout."""
    package = Path(str(files("tagkit")))
    checkout = package.parent
    if not (package / "_bundles").is_dir() and (checkout / "pyproject.toml").is_file():
        return checkout / "weights"
    return package / "_bundles"


def _models_in(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        # Hidden files are downloads and saves under way.
        yield from sorted(
            path
            for path in folder.iterdir()
            if path.suffix in (BUNDLE, ENSEMBLE) and not path.name.startswith(".")
        )
