"""An installed tagkit tags without a checkout: what ships is inside the wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests import library, media

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(ROOT)], check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_everything_that_ships_is_in_the_wheel(installed: Path) -> None:
    shipped = {path.name for path in (ROOT / "weights").iterdir()}
    assert "default.toml" in shipped
    assert {path.name for path in (installed / "tagkit" / "_bundles").iterdir()} == shipped
    assert (installed / "tagkit" / "weights" / "registry.csv").is_file()
    assert list((installed / "tagkit" / "recipes").glob("*.toml"))
    assert list(installed.glob("*.dist-info/licenses/LICENSE"))


def test_the_wheel_tags_with_its_own_weights(installed: Path, tmp_path: Path) -> None:
    song = media.make(tmp_path / "song.flac", "flac", seconds=4.0)
    done = subprocess.run(
        [sys.executable, "-c", "from tagkit.cli.main import main; main()", "tag", str(song)],
        env={**library.environment(tmp_path / "home"), "PYTHONPATH": str(installed)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "song.flac" in done.stdout
