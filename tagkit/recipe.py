"""What a training run is: a short TOML that says only what differs from the defaults.

A recipe is a file, or the name of one in ``tagkit/recipes/``. Unknown keys are errors.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any

from tagkit.errors import RecipeError


@dataclass(frozen=True)
class Train:
    """``steps`` updates of ``batch`` chunks; the learning rate warms up over ``warmup`` of them, then
    falls along a cosine. ``validate_every`` steps, the validation tracks are judged and the run saved.

    ``mixup``: the share of chunks mixed with another; ``gain``: the most dB up or down;
    ``mask``: the most mel bands silenced at random.
    """

    steps: int = 5000
    batch: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    warmup: int = 200
    validate_every: int = 500
    seed: int = 0
    mixup: float = 0.3
    gain: float = 6.0
    mask: int = 12


@dataclass(frozen=True)
class Recipe:
    """``name`` of the bundle that comes out; ``architecture`` and its ``arguments`` from the catalogue.

    ``tags_per_track``: how many tags of a category a track gets on average; thresholds follow.
    ``title``, ``licence``, ``training_data`` and ``notes`` go into the bundle's card as they are.
    """

    name: str
    architecture: str
    title: str = ""
    licence: str = ""
    training_data: str = ""
    notes: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    tags_per_track: Mapping[str, float] = field(default_factory=dict)
    train: Train = field(default_factory=Train)


def names() -> list[str]:
    """Return the recipes that come with tagkit."""
    folder = resources.files("tagkit") / "recipes"
    return sorted(
        file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml")
    )


def load(name: str) -> Recipe:
    """Return the recipe in the file ``name``, or of that name. Raises RecipeError."""
    path = Path(name)
    if not path.suffix:
        if name not in names():
            near = ", ".join(get_close_matches(name, names())) or ", ".join(names())
            raise RecipeError(f"no recipe is called {name!r}", hint=f"there is {near}")
        path = Path(str(resources.files("tagkit") / "recipes" / f"{name}.toml"))
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecipeError(f"cannot be read: {error}", path=path) from error
    train = table.pop("train", {})
    if not isinstance(train, dict):
        raise RecipeError("train must be a table", path=path)
    made: Recipe = _make(Recipe, table | {"train": _make(Train, train, path, "train.")}, path, "")
    return made


_TYPES: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "str": (str,)}


def _make(kind: type[Any], table: Mapping[str, Any], path: Path, prefix: str) -> Any:
    fields = {entry.name: entry for entry in dataclasses.fields(kind)}
    for key, value in table.items():
        if key not in fields:
            near = get_close_matches(key, fields, n=1)
            raise RecipeError(
                f"unknown key {prefix}{key}",
                path=path,
                hint=f"did you mean {prefix}{near[0]}?" if near else f"known: {', '.join(fields)}",
            )
        wanted = _TYPES.get(str(fields[key].type))
        if wanted is not None and (not isinstance(value, wanted) or isinstance(value, bool)):
            raise RecipeError(f"{prefix}{key} must be {fields[key].type}, not {value!r}", path=path)
    try:
        return kind(**table)
    except TypeError as error:
        raise RecipeError(f"incomplete: {error}", path=path) from error
