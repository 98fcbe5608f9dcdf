"""The docs cannot rot: options, fields and commands in them are the program's own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tagkit.library.fields import DEFAULTS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_command_line_page_is_generated(tmp_path: Path) -> None:
    """To renew it: ``typer tagkit.cli.main utils docs --name tagkit --title "tagkit, the command line"
    --output docs/cli.md``."""
    page = tmp_path / "cli.md"
    command = [
        sys.executable,
        "-m",
        "typer",
        "tagkit.cli.main",
        "utils",
        "docs",
        "--name",
        "tagkit",
    ]
    command += ["--title", "tagkit, the command line", "--output", str(page)]
    subprocess.run(command, check=True, capture_output=True)
    assert page.read_text() == (ROOT / "docs" / "cli.md").read_text()


def test_the_readmes_table_is_the_field_map() -> None:
    rows = [line for line in README.splitlines() if line.startswith("| ") and "`" in line]
    seen = 0
    for line in rows:
        name = line.split("|")[1].split("(")[0].strip()
        field = "probability:mood" if name == "probabilities" else name
        names = re.findall(r"`([^`]+)`", "|".join(line.split("|")[2:]))
        assert names == list(DEFAULTS[field]), name
        seen += 1
    assert seen == 6


def test_every_option_that_the_readme_names_exists() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    ours = re.sub(r"<!-- test-command -->.*?<!-- end -->", "", README, flags=re.DOTALL)  # pytest's
    for option in set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", ours)):
        assert f"`{option}" in page or f", {option}" in page, option


def test_links_lead_somewhere() -> None:
    for source in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", source.read_text(encoding="utf-8")):
            assert (source.parent / target).exists(), f"{source.name}: {target}"
