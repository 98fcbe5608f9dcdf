"""docs/security.md names a test for each promise, and each of them is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.trust.command import ROOT

TESTS = ROOT / "tests"
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def _places(name: str) -> list[Path]:
    folders = (TESTS, TESTS / "trust", TESTS / "trust" / "strangers")
    return [folder / name for folder in folders if (folder / name).is_file()]


def test_every_test_that_the_page_names_is_there() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "test" in line]
    assert len(rows) > 25
    for row in rows:
        held = row.split("|")[3]
        if held.strip() == "test":
            continue
        files = re.findall(r"`(?:tests/)?(test_\w+\.py)`", held)
        assert files, row
        known: set[str] = set()
        for name in files:
            assert _places(name), f"{name} in: {row}"
            for place in _places(name):
                tree = ast.parse(place.read_text(encoding="utf-8"))
                known |= {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
        for name in re.findall(r"`(test_\w+)`", held):
            assert name in known, f"{name} in: {row}"
