"""The architecture is visible and holds: rooms import only from rooms above their own."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tagkit"

#: As in docs/architecture.md: a file may import from its own room and from rooms before it.
ROOMS = [
    ("errors",),
    ("files", "strangers"),
    ("vocab",),
    ("audio",),
    ("front_end",),
    ("features",),
    ("torchaudio_cpu",),
    ("augment",),
    ("models",),
    ("losses", "metrics", "thresholds", "recipe"),
    ("weights",),
    ("inference",),
    ("library",),
    ("data",),
    ("evaluation",),
    ("training",),
    ("engines",),
    ("cli",),
]
LEVEL = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}

#: Rooms that a user waits for with nothing to listen to: they never load a network library on import.
LIGHT = (
    *(
        "errors",
        "files",
        "strangers",
        "vocab",
        "audio",
        "front_end",
        "thresholds",
        "recipe",
        "library",
        "cli",
    ),
)


def _files() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if "_bundles" not in p.parts)


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "tagkit":
                yield from (f"tagkit.{alias.name}" for alias in node.names)
            else:
                yield node.module


def test_every_file_is_in_a_room() -> None:
    outside = {"__init__", "__main__", *LEVEL}
    assert {_room(path) for path in _files()} <= outside


@pytest.mark.parametrize("path", _files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_up(path: Path) -> None:
    room = _room(path)
    if room in ("__init__", "__main__"):
        return
    for name in _imports(ast.parse(path.read_text(encoding="utf-8"))):
        parts = name.split(".")
        if parts[0] != "tagkit" or len(parts) == 1 or parts[1] == "__version__":
            continue
        imported = parts[1]
        assert imported in LEVEL, f"{path.name} imports {name}, which is in no room"
        higher = LEVEL[imported] < LEVEL[room]
        assert imported == room or higher, f"{path.name} ({room}) imports {name}"


@pytest.mark.parametrize("room", LIGHT)
def test_light_rooms_load_no_torch(room: str) -> None:
    modules = [
        ".".join(("tagkit", *p.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
            ".__init__"
        )
        for p in _files()
        if _room(p) == room
    ]
    code = f"import sys\nfor m in {modules}: __import__(m)\nprint('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_rooms_are_in_the_docs() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.split("## Rooms")[1].split("## Contracts")[0]
    positions = [table.find(f"`{room}") for rooms in ROOMS for room in rooms]
    assert -1 not in positions, ROOMS[positions.index(-1)] if -1 in positions else ""
    assert positions == sorted(positions)
