"""The ``tagkit`` command: which commands there are, and how errors become words and exit codes.

To add a command: a function in ``tagkit/cli/NAME.py``, a line here. Commands import what is heavy
inside their functions, so that ``tagkit --help`` answers at once.

Exit codes: 0 all done; 1 some file failed, each is named on stderr and the rest is done; 2 usage;
130 interrupted, and everything finished is kept.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tagkit import __version__
from tagkit.cli import config, data, train, weights
from tagkit.cli.apply import apply
from tagkit.cli.ensemble import app as ensemble_app
from tagkit.cli.eval import app as eval_app
from tagkit.cli.history import history
from tagkit.cli.recipes import recipes
from tagkit.cli.strip import strip
from tagkit.cli.tag import tag
from tagkit.cli.undo import undo
from tagkit.cli.writing import reported


class _Group(TyperGroup):
    """Every command's errors end the same way."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        with reported():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: Any) -> Any:  # typer brings its own copy of click's Context
        with reported():
            result = super().invoke(ctx)
            sys.stdout.flush()  # a full disk shows here, where it becomes a word
            return result


app = typer.Typer(
    name="tagkit",
    cls=_Group,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Listens to a music library and writes mood, theme and instrument into the files' own tags.",
)
app.command()(tag)
app.command()(apply)
app.command()(undo)
app.command()(history)
app.command()(strip)
app.command()(train.train)
app.command()(recipes)
app.add_typer(data.app, name="data")
app.add_typer(eval_app, name="eval")
app.add_typer(ensemble_app, name="ensemble")
app.add_typer(weights.app, name="weights")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tagkit {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    config_file: Annotated[
        str | None,
        typer.Option("--config", envvar="TAGKIT_CONFIG", help="Read defaults from this TOML file."),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Analyse (once), decide (cheaply, as often as you like), write (carefully, with undo)."""
    del version  # its callback has answered
    context.default_map = config.load(config_file, app)


def main() -> None:
    """Run the command line and exit."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by the caller, as cron jobs do
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    app()
