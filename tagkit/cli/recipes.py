"""``tagkit recipes``: what there is to train."""

from __future__ import annotations

from typing import Annotated

import typer


def recipes(
    name: Annotated[
        str | None, typer.Argument(help="Print this recipe, a name or a TOML file.")
    ] = None,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="With every default, as a run folder keeps it.")
    ] = False,
) -> None:
    """List the recipes that come with tagkit, or print one.

    stdout: a table of tab-separated columns, or the recipe's TOML, to be changed and trained from.
    """
    from tagkit import recipe

    if name is not None:
        plan = recipe.load(name)  # an unsound one is an error here too
        text = recipe.dumps(plan) if resolved else recipe.text(name)
        typer.echo(_printable(text), nl=False)
        return
    for listed in recipe.names():
        plan = recipe.load(listed)
        dataset = " ".join(filter(None, (plan.data.dataset, plan.data.tags))) or "any"
        loss = str(plan.loss["name"])
        typer.echo("\t".join((listed, plan.architecture, loss, dataset, _said(listed))))


def _printable(text: str) -> str:
    """TOML that steers no terminal: what cannot be seen stands there as TOML would escape it."""
    seen = (c if c.isprintable() or c in "\n\t" else f"\\U{ord(c):08x}" for c in text)
    return "".join(seen)


def _said(name: str) -> str:
    """The first line of the recipe's comment."""
    from tagkit import recipe

    first = recipe.text(name).partition("\n")[0]
    return first.lstrip("# ") if first.startswith("#") else ""
