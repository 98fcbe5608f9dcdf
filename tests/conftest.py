"""A home, a small model and a music folder for every test that drives the command."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests import library

# A shell that runs the tests in the background may have them ignore Ctrl-C, and what they start inherits
# that. Tests of Ctrl-C need it to mean what it means at a terminal.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of its own for this test and the commands that it runs."""
    for name, value in library.environment(tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    return tmp_path / "home"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return library.small_model(tmp_path / "small.safetensors")


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "Music"
    folder.mkdir()
    return folder
