"""The real command, as a process group that ends: nothing that a test starts outlives it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests import library

TAGKIT = (sys.executable, "-m", "tagkit")
ROOT = Path(__file__).parents[2]


def start(
    home: Path,
    *arguments: object,
    before: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start ``tagkit``, behind the words of ``before`` (strace, faketime), in a group of its own.

    It has no stdin. What it says is read with ``communicate``, through :func:`finish`.
    """
    return subprocess.Popen(
        [*before, *TAGKIT, *map(str, arguments)],
        env=library.environment(home) | dict(environment or {}),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def finish(
    process: subprocess.Popen[bytes], seconds: float = 120
) -> subprocess.CompletedProcess[str]:
    """Wait for the command, end all that is left of its group, and return what it said.

    Raises subprocess.TimeoutExpired where it takes longer. A traceback of its own fails the test.
    """
    try:
        said = [text.decode(errors="replace") for text in process.communicate(timeout=seconds)]
    finally:
        end(process)
    assert "Traceback" not in said[1], said[1]
    return subprocess.CompletedProcess(process.args, process.returncode, *said)


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole group, whatever is left of it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def run(
    home: Path,
    *arguments: object,
    before: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    seconds: float = 120,
) -> subprocess.CompletedProcess[str]:
    """Run ``tagkit`` to its end."""
    return finish(start(home, *arguments, before=before, environment=environment), seconds)


def call(
    home: Path, *arguments: object, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Do what ``run`` does in this process, without the half second that a start takes."""
    from typer.testing import CliRunner

    from tagkit.cli.main import app

    words = list(map(str, arguments))
    settings = library.environment(home) | dict(environment or {})
    tempfile.tempdir = None  # it is remembered from the last environment
    try:
        done = CliRunner().invoke(app, words, env=settings)
    finally:
        tempfile.tempdir = None
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)
