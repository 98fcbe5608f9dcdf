"""The registry holds the published rows and no others, and its hashes are those of the real files."""

from __future__ import annotations

import csv
from importlib.resources import files
from pathlib import Path

import pytest

from tagkit import models
from tagkit.errors import WeightsError
from tagkit.vocab import VOCABULARIES
from tagkit.weights import pull, registry
from tagkit.weights.card import check_name
from tests.shared import shared
from tests.test_convert import TEACHERS


def test_the_rows_are_the_projects_rows_and_no_others() -> None:
    with shared("design", "registry.csv").open(newline="", encoding="utf-8") as file:
        expected = list(csv.DictReader(file))
    text = (files("tagkit.weights") / "registry.csv").read_text(encoding="utf-8")
    assert list(csv.DictReader(text.splitlines())) == expected
    entries = registry.entries()
    assert list(entries) == [row["name"] for row in expected]
    for row in expected:
        entry = entries[row["name"]]
        assert (entry.git_blob_sha1 or "") == row["git_blob_sha1"]
        assert str(entry.size or "") == row["bytes"]
        assert entry.url == row["url"]


def test_an_unstated_licence_is_none() -> None:
    unstated = {name for name, entry in registry.entries().items() if entry.licence is None}
    assert unstated == {
        "usc-bce-all-data",
        "usc-cb-focal-loss-all-data",
        "usc-db-focal-loss-all-data",
        "usc-focal-loss-all-data",
        "usc-msd",
    }


@pytest.mark.parametrize("name", TEACHERS)
def test_size_and_hash_are_those_of_the_real_file(name: str) -> None:
    path = shared("teachers", f"{name}.pth")
    entry = registry.find(name)
    assert registry.git_blob_sha1(path) == entry.git_blob_sha1
    assert path.stat().st_size == entry.size


@pytest.mark.parametrize(
    ("content", "blob"),
    [
        # What `git hash-object` says.
        (b"", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
        (b"hello\n", "ce013625030ba8dba906f756967f9e9ca394464a"),
    ],
)
def test_a_git_blob_id_is_what_git_says(content: bytes, blob: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert registry.git_blob_sha1(path) == blob


def test_the_models_catalogue_decides_what_can_be_pulled(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = registry.find("jamendo-attention")
    monkeypatch.delitem(models.CATALOGUE, entry.architecture, raising=False)
    assert not pull.supported(entry)
    with pytest.raises(WeightsError, match="later version of tagkit: this one has no self_att"):
        pull.require_pullable(entry, accept_unstated_licence=True)
    monkeypatch.setitem(models.CATALOGUE, entry.architecture, models.entry("fcn"))
    assert pull.supported(entry)


def test_a_published_architecture_that_tagkit_has_goes_by_its_name() -> None:
    """A misspelt row would be "for a later version" for ever."""
    missing = {e.architecture for e in registry.entries().values()} - set(models.CATALOGUE)
    assert missing == {"musicnn + vgg (TensorFlow checkpoints)"}


def test_what_cannot_be_proven_cannot_be_pulled(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = registry.find("musicnn-package")
    assert entry.git_blob_sha1 is None
    monkeypatch.setitem(models.CATALOGUE, entry.architecture, models.entry("fcn"))
    assert not pull.supported(entry)


def test_whatever_can_be_pulled_has_a_vocabulary_and_a_name_for_a_bundle() -> None:
    pullable = [entry for entry in registry.entries().values() if pull.supported(entry)]
    assert {entry.name for entry in pullable} >= set(TEACHERS)
    for entry in pullable:
        check_name(entry.name)
        assert entry.vocabulary in VOCABULARIES


def test_an_unknown_name_meets_its_neighbours() -> None:
    with pytest.raises(WeightsError, match="jamendo-fcnn") as caught:
        registry.find("jamendo-fcnn")
    assert "jamendo-fcn" in (caught.value.hint or "")
