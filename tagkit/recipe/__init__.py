"""What a training run is: a short TOML that says only what differs from the defaults.

A recipe is a file, or the name of one in ``tagkit/recipes/``. ``schema.py`` says what it may hold;
unknown keys are errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from difflib import get_close_matches
from importlib import resources
from pathlib import Path

from tagkit import strangers
from tagkit.augment import Settings as Augment
from tagkit.errors import RecipeError
from tagkit.recipe import tables
from tagkit.recipe.schema import PHASE, Data, Distill, Recipe, Train

__all__ = [
    "Augment",
    "Data",
    "Distill",
    "Recipe",
    "Train",
    "dumps",
    "find",
    "load",
    "names",
    "parse",
    "text",
]


def names() -> list[str]:
    """Return the recipes that come with tagkit."""
    folder = resources.files("tagkit") / "recipes"
    return sorted(
        file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml")
    )


def find(name: str) -> Path:
    """Return the file of the recipe ``name``, a name or a path. Raises RecipeError."""
    path = Path(name)
    if path.suffix:
        return path
    if name not in names():
        near = get_close_matches(name, names(), n=3)
        raise RecipeError(
            f"no recipe is called {name!r}",
            hint=f"there is {', '.join(near)}" if near else "see tagkit recipes",
        )
    return Path(str(resources.files("tagkit") / "recipes" / f"{name}.toml"))


def load(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """Return the recipe in the file ``name``, or of that name, with ``overrides`` ("train.epochs=3")
    in it. Raises RecipeError."""
    return parse(text(name), find(name), overrides)


def text(name: str) -> str:
    """Return what stands in the file ``name``, or in that of the recipe ``name``. Raises RecipeError."""
    path = find(name)
    try:
        data = strangers.content(path).decode("utf-8-sig")  # as Windows' editors begin a file
    except OSError as error:
        raise RecipeError(f"cannot be read: {error.strerror or error}", path=path) from error
    except ValueError as error:
        raise RecipeError(f"is no UTF-8: {error}", path=path) from error
    return data.replace("\r\n", "\n")


def parse(text: str, path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Return the recipe that ``text`` holds; ``path`` is what errors name. Raises RecipeError."""
    try:
        return _parsed(text, path, overrides)
    except RecursionError as error:
        raise RecipeError("is nested too deeply", path=path) from error
    except (ValueError, OverflowError) as error:  # a number of thousands of digits
        raise RecipeError(f"holds what is no usable value: {error}", path=path) from error


def _parsed(text: str, path: Path, overrides: Sequence[str]) -> Recipe:
    try:
        table = strangers.toml_table(text)
    except ValueError as error:
        raise RecipeError(f"is no TOML that can be read: {error}", path=path) from error
    tables.override(table, overrides)
    made: Recipe = tables.build(Recipe, table, path)
    for number, phase in enumerate(made.train.phases):
        prefix = f"train.phases[{number}]."
        tables.known(phase, PHASE, path, prefix)
        tables.build(Train, phase, path, prefix)
        if "epochs" not in phase:
            raise RecipeError(f"{prefix}epochs is missing", path=path)
    made.train.stages()  # what a phase takes from the run must fit it, too
    if not isinstance(made.loss.get("name"), str):
        raise RecipeError("loss.name must be a text", path=path, hint='as name = "bce"')
    return made


def dumps(recipe: Recipe) -> str:
    """Return the whole recipe as TOML, defaults included; :func:`parse` gives it back."""
    return tables.dumps(asdict(recipe))
