"""The user's defaults: a TOML file with a table for each command, and in it the options' long names.
A command below another has its table there: ``[weights.list]``.

::

    # ~/.config/tagkit/config.toml (on Linux)
    [tag]
    write = true
    top-k = 3
    exclude = ["beat", "computer"]

What is given on the command line wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagkit.errors import UsageError

if TYPE_CHECKING:
    import typer


def default_path() -> Path:
    """Return where the user's configuration is looked for."""
    import platformdirs

    return platformdirs.user_config_path("tagkit", appauthor=False) / "config.toml"


def load(given: str | None, app: typer.Typer) -> dict[str, Any] | None:
    """Return click's default map from ``given``, or from the default place if there is a file.

    Raises UsageError for an unreadable file, an unknown command or option.
    """
    path = Path(given) if given else default_path()
    if not given and not path.is_file():
        return None
    import typer.main

    from tagkit import strangers

    try:
        table = strangers.toml(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot be read: {reason}", path=path) from error
    group = typer.main.get_group(app)
    return {name: _options(name, values, group.commands, path) for name, values in table.items()}


def _options(
    command: str, values: object, commands: Mapping[str, Any], path: Path
) -> dict[str, Any]:
    if command not in commands or not isinstance(values, dict):
        raise UsageError(
            f"[{command}] is no command's table", path=path, hint=f"one of {', '.join(commands)}"
        )
    names = {
        option.removeprefix("--"): parameter
        for parameter in commands[command].params
        for option in parameter.opts
        if option.startswith("--")
    }
    inner = getattr(commands[command], "commands", {})
    found: dict[str, Any] = {}
    for key, value in values.items():
        if key in inner:
            found[key] = _options(key, value, inner, path)
        elif key in names:
            several = names[key].multiple and not isinstance(value, list)
            found[names[key].name] = [value] if several else value
        else:
            near = get_close_matches(key, [*inner, *names], n=1)
            hint = f"did you mean {near[0]}?" if near else f"see tagkit {command} --help"
            raise UsageError(f"[{command}] has no option {key}", path=path, hint=hint)
    return found
