"""A beets library of its own, set up as ``docs/players.md`` says."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.readers import client

PLAYERS = Path(__file__).parents[2] / "docs" / "players.md"

_ELSEWHERE = ("BEETSDIR", "XDG_CONFIG_HOME")


def printed(name: str) -> str:
    """Return what docs/players.md prints between its markers."""
    page = PLAYERS.read_text(encoding="utf-8")
    found = re.search(rf"<!-- {name} -->\n```\w+\n(.*?)```\n<!-- end -->", page, re.DOTALL)
    assert found, f"docs/players.md has no {name}"
    return found[1]


class Beets:
    """``beet`` for a user whose home is ``home``; ``more`` is added to the configuration."""

    def __init__(self, home: Path, more: str = "") -> None:
        self._python = client("beets")
        self._home = home
        folder = home / ".config" / "beets"
        (folder / "plugins").mkdir(parents=True)
        (home / "music").mkdir()
        (folder / "plugins" / "tagkit_fields.py").write_text(printed("beets-plugin"))
        (folder / "config.yaml").write_text(printed("beets-config") + more)

    def __call__(self, *arguments: str | Path) -> str:
        """Run one command; it may fail for single files, of kinds that beets does not know."""
        library = ["-l", self._home / "library.db", "-d", self._home / "music"]
        # its configuration is its home's, wherever this test's own user keeps theirs
        theirs = {name: v for name, v in os.environ.items() if name not in _ELSEWHERE}
        done = subprocess.run(
            [self._python, "-I", "-m", "beets", *library, *arguments],
            env=theirs | {"HOME": os.fspath(self._home)},
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
        return done.stdout

    def take(self, folder: Path) -> None:
        """Import a folder as it is: without questions, copies or changes to the files."""
        self("import", "-q", "-A", "-C", "-W", folder)

    def files(self, *query: str) -> set[Path]:
        return {Path(line) for line in self("ls", "-f", "$path", *query).splitlines()}
