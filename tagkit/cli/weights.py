"""``tagkit weights``: what models there are, whose they are, and how to get more."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from tagkit.cli.writing import printable, say
from tagkit.errors import TagkitError, UsageError

app = typer.Typer(no_args_is_help=True, help="List, describe, fetch, import and check models.")


class TableFormat(StrEnum):
    table = "table"
    jsonl = "jsonl"


class TextFormat(StrEnum):
    text = "text"
    json = "json"


@app.command("list")
def list_models(
    output: Annotated[TableFormat, typer.Option("--format")] = TableFormat.table,
) -> None:
    """List the models that ship with tagkit, are in the cache, or can be pulled.

    "later": published, but this tagkit lacks the architecture. The whole licence is in "info".
    """
    from tagkit.cli.weights_view import model_rows, print_table

    damaged: list[TagkitError] = []
    rows = list(model_rows(damaged.append))
    if output is TableFormat.jsonl:
        for row in rows:
            typer.echo(json.dumps(row))  # ASCII: no name steers a terminal
    else:
        print_table(rows)
    for error in damaged:
        say(f"error: {error}")
    if damaged:
        raise typer.Exit(1)


@app.command()
def info(
    name: Annotated[str, typer.Argument(help="A model's name, or the path of a bundle.")],
    output: Annotated[TextFormat, typer.Option("--format")] = TextFormat.text,
) -> None:
    """Show all that is known about a model: its card, or its row in the registry."""
    from tagkit.cli.weights_view import describe, describe_text

    about = describe(name)
    if output is TextFormat.json:
        typer.echo(json.dumps(about, indent=2))
    else:
        for line in describe_text(about):
            typer.echo(printable(line))


@app.command()
def pull(
    name: Annotated[str, typer.Argument(help="A name from 'tagkit weights list'.")],
    accept_unstated_licence: Annotated[
        bool,
        typer.Option(
            "--accept-unstated-licence", help="Pull although the publisher states no licence."
        ),
    ] = False,
) -> None:
    """Fetch a published checkpoint, verify it, and keep it as a bundle.

    TAGKIT_WEIGHTS_URL names a mirror instead of the publisher: the http, https or file address of a
    folder that holds the files as NAME.pth. TAGKIT_CACHE names another cache folder. Prints the path.
    """
    from tagkit.weights import pull as pulling
    from tagkit.weights import registry

    entry = registry.find(name)
    if here := pulling.present(entry):
        say(f"{name} is already there")
        typer.echo(here)
        return
    say(f"{name}: licence {entry.licence or 'unstated'}")
    accepted = accept_unstated_licence
    if entry.licence is None and not accepted and _interactive() and pulling.supported(entry):
        say("Its publisher states no licence: no right to use it is granted.")
        accepted = typer.confirm("Pull it at your own judgement?", err=True)
    pulling.require_pullable(entry, accept_unstated_licence=accepted)
    say(f"from {pulling.address(entry)}")
    with _progress(name) as progress:
        path = pulling.pull(name, accept_unstated_licence=accepted, progress=progress)
    typer.echo(path)


@app.command("import")
def import_checkpoint(
    file: Annotated[Path, typer.Argument(help="A PyTorch state dict (.pth).")],
    architecture: Annotated[str, typer.Option("--as", help="A name of the models' catalogue.")],
    vocabulary: Annotated[
        str | None, typer.Option(help="A published vocabulary, such as jamendo-top50.")
    ] = None,
    tags: Annotated[
        Path | None,
        typer.Option(
            help="Or a text file: an output's tag a line, in order; after a tab, its category."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What to call it; the file's name if absent.")
    ] = None,
    licence: Annotated[str | None, typer.Option(help="Unstated if absent.")] = None,
    title: Annotated[str, typer.Option()] = "",
    source: Annotated[str, typer.Option(help="Where it comes from.")] = "",
    training_data: Annotated[str, typer.Option()] = "",
    notes: Annotated[str, typer.Option()] = "",
    out: Annotated[
        Path | None, typer.Option(help="Write this bundle instead of one in the cache.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a bundle that is there.")] = False,
) -> None:
    """Turn a PyTorch checkpoint into a bundle, every tensor accounted for. Prints the path."""
    if (vocabulary is None) == (tags is None):
        raise UsageError("say what the outputs mean: either --vocabulary or --tags")
    from tagkit.weights import bundle, catalogue, convert

    called = name or file.stem.lower()
    target = out or catalogue.new_path(called, replace=force)
    if out is not None and out.exists() and not force:
        raise UsageError("is there already", path=out, hint="--force replaces it")
    labels = convert.read_labels(tags) if tags else convert.vocabulary(vocabulary or "")
    converted = convert.convert(
        file,
        architecture,
        labels,
        name=called,
        licence=licence,
        title=title,
        source=source or file.name,
        training_data=training_data,
        notes=notes,
    )
    bundle.save(target, *converted)
    typer.echo(target)


@app.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names or paths; every installed bundle if absent.")
    ] = None,
) -> None:
    """Hash bundles anew, load them strictly, and say which are sound. Exit 1 if one is not."""
    from tagkit.inference import ensemble
    from tagkit.weights import bundle, catalogue

    sound = True
    chosen = names or [item.name for item in catalogue.list_installed()]
    for name in chosen:
        try:
            path = catalogue.find(name)
            if path.suffix == catalogue.ENSEMBLE:
                # It has no tensors: it is sound where its members' cards can be read.
                ensemble.load([str(path)])
                proven = "ensemble"
            else:
                proven = bundle.load(path).fingerprint
        except TagkitError as error:
            sound = False
            typer.echo(f"bad\t{printable(name)}")
            say(f"error: {error}")
        else:
            typer.echo(f"ok\t{printable(name)}\t{proven}")
    if not sound:
        raise typer.Exit(1)


def _interactive() -> bool:
    """Whether somebody is there to answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


@contextmanager
def _progress(name: str) -> Iterator[Any]:
    """Yield a callback (bytes so far, in all or None) that draws a bar on a terminal's stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = ("{task.description}", BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task(name, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
