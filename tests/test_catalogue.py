"""A model's name leads to one file: what ships comes before the cache, and a path is a path."""

from __future__ import annotations

from pathlib import Path

import pytest

from tagkit.errors import WeightsError
from tagkit.weights import catalogue

ROOT = Path(__file__).parents[1]


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """What ships, and the cache."""
    shipped, cache = tmp_path / "shipped", tmp_path / "cache"
    monkeypatch.setenv("TAGKIT_CACHE", str(cache))
    monkeypatch.setattr(catalogue, "_shipped_folder", lambda: shipped)
    for folder in (shipped, cache / "weights"):
        folder.mkdir(parents=True)
        (folder / "both.safetensors").touch()
    (shipped / "default.toml").touch()
    (cache / "weights" / "own.safetensors").touch()
    (cache / "weights" / ".own.safetensors.0123.part").touch()
    (cache / "weights" / ".hidden.safetensors").touch()
    (cache / "weights" / "notes.txt").touch()
    return shipped, cache / "weights"


def test_what_ships_comes_before_the_cache(folders: tuple[Path, Path]) -> None:
    shipped, cache = folders
    assert [(item.name, item.origin) for item in catalogue.list_installed()] == [
        ("both", "shipped"),
        ("default", "shipped"),
        ("own", "cached"),
    ]
    assert catalogue.find("both") == shipped / "both.safetensors"
    assert catalogue.find("default") == shipped / "default.toml"
    assert catalogue.find("own") == cache / "own.safetensors"


def test_a_path_is_itself(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    shipped, cache = folders
    monkeypatch.chdir(cache)
    assert catalogue.find("both.safetensors").samefile(cache / "both.safetensors")
    assert catalogue.find("./both.safetensors").samefile(cache / "both.safetensors")
    assert catalogue.find(shipped / "default.toml") == shipped / "default.toml"
    for path in ("absent.safetensors", "./both", cache / "absent.toml", cache):
        with pytest.raises(WeightsError, match="no such file"):
            catalogue.find(path)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("defualt", "did you mean default"),
        ("jamendo-fcn", "'tagkit weights pull jamendo-fcn' fetches it"),
        ("jamendo-fnc", "jamendo-fcn"),
        ("xyzzy", "tagkit weights list"),
    ],
)
@pytest.mark.usefixtures("folders")
def test_an_unknown_name_says_what_to_do(name: str, hint: str) -> None:
    with pytest.raises(WeightsError, match=name) as caught:
        catalogue.find(name)
    assert hint in (caught.value.hint or "")


def test_a_checkout_ships_what_lies_in_its_weights_folder() -> None:
    assert catalogue._shipped_folder() == ROOT / "weights"


def test_the_cache_is_the_platforms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAGKIT_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert catalogue.cache_folder().name == "weights"
    assert catalogue.cache_folder().parent.name == "tagkit"
