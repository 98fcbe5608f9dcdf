"""Processes as after a fresh start, without the seconds that importing torch takes.

A server imports once what training needs and computes nothing; every process is a fork of it.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
from collections.abc import Callable, Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, NamedTuple

from tests import library

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "tagkit.cli.main",
        "tagkit.cli.training",
        "tagkit.training.supervised",
        "sklearn.metrics",
        "torch._dynamo",  # the first optimizer imports it
        "torch.utils.tensorboard",
    ]
)


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


class Started:
    """A process under way; what it says goes into files beside ``home``."""

    def __init__(
        self,
        home: Path,
        function: Callable[..., None],
        *arguments: Any,
        environment: Mapping[str, str] | None = None,
        largest_file: int | None = None,
    ) -> None:
        home.mkdir(exist_ok=True)
        number = len(list(home.glob("stdout*")))
        self._said = [home / f"{name}{number}" for name in ("stdout", "stderr")]
        for path in self._said:
            path.touch()
        settings = library.environment(home) | dict(environment or {})
        self.process: ForkServerProcess = _CONTEXT.Process(
            target=_call, args=(self._said, settings, largest_file, function, arguments)
        )
        self.process.start()

    def wait(self, seconds: float = 120) -> Done:
        self.process.join(seconds)
        assert self.process.exitcode is not None, "still running"
        return Done(self.process.exitcode, *(path.read_text() for path in self._said))


def tagkit(home: Path, *arguments: object, **options: Any) -> Started:
    """The command, as a user would start it."""
    return Started(home, _tagkit, *map(str, arguments), **options)


def _tagkit(*arguments: str) -> None:
    from tagkit.cli.main import app

    sys.argv = ["tagkit", *arguments]
    app(list(arguments), prog_name="tagkit")


def _call(
    said: list[Path],
    environment: Mapping[str, str],
    largest_file: int | None,
    function: Callable[..., None],
    arguments: tuple[Any, ...],
) -> None:
    for number, path in enumerate(said, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), number)
    multiprocessing.set_start_method(None, force=True)  # not the server's: the system's own
    os.environ.clear()
    os.environ.update(environment)
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    function(*arguments)
