"""``tagkit weights``: data on stdout, words on stderr, and an exit code that means something."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from tagkit import models
from tagkit.cli import weights
from tagkit.cli.main import app
from tagkit.weights import bundle, catalogue, registry
from tests.library import TAGS, small_model
from tests.test_pull import publish
from tests.weights_server import Server, body, serving


@pytest.fixture(autouse=True)
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Homes of our own: a folder that ships one bundle and an ensemble of it, and an empty cache."""
    for name in ("CACHE", "CONFIG", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    monkeypatch.setenv("TAGKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TAGKIT_WEIGHTS_URL", raising=False)
    folder = tmp_path / "shipped"
    folder.mkdir()
    small_model(folder / "small.safetensors", thresholds=(0.25,) * len(TAGS))
    (folder / "default.toml").write_text('name = "default"\nmembers = ["small"]\n')
    monkeypatch.setattr(catalogue, "_shipped_folder", lambda: folder)
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "mine.pth"
    torch.manual_seed(0)
    torch.save(models.build("crnn", tags=50).state_dict(), path)
    return path


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


def run(*arguments: object, text: str | None = None) -> Result:
    return CliRunner().invoke(app, ["weights", *map(str, arguments)], input=text)


def damage(path: Path) -> Path:
    data = bytearray(path.read_bytes())
    data[-1000] ^= 1
    path.write_bytes(data)
    return path


def imported(checkpoint: Path, *options: object) -> Result:
    return run("import", checkpoint, "--as", "crnn", "--vocabulary", "mtat-top50", *options)


def test_list_shows_what_is_shipped_cached_pullable_and_for_later(checkpoint: Path) -> None:
    assert imported(checkpoint, "--licence", "CC0").exit_code == 0
    result = run("list", "--format", "jsonl")
    assert (result.exit_code, result.stderr) == (0, "")
    rows = {row["name"]: row for row in map(json.loads, result.stdout.splitlines())}
    assert set(rows) == {"small", "default", "mine", *registry.entries()}

    def shown(name: str) -> tuple[object, ...]:
        return tuple(rows[name][key] for key in ("state", "architecture", "tags", "licence"))

    assert shown("small") == ("shipped", "ds_cnn", len(TAGS), "CC0-1.0")
    assert shown("default") == ("shipped", "ensemble", None, None)
    assert shown("mine") == ("cached", "crnn", 50, "CC0")
    assert shown("usc-msd") == ("pullable", "short_chunk_rescnn", 50, "unstated")
    assert rows["musicnn-package"]["state"] == "later"
    assert rows["jamendo-fcn"]["path"] is None
    assert Path(rows["small"]["path"]).is_file()

    table = run("list").stdout
    assert "\x1b" not in table
    lines = {line.split()[0]: line for line in table.splitlines()}
    for name, row in rows.items():
        assert row["state"] in lines[name]
        assert (row["licence"] or "") in lines[name]


def test_list_names_a_damaged_bundle_and_shows_the_rest(shipped: Path) -> None:
    (shipped / "broken.safetensors").write_bytes(b"nonsense")
    result = run("list", "--format", "jsonl")
    assert result.exit_code == 1
    assert "broken.safetensors" in result.stderr
    rows = {row["name"]: row for row in map(json.loads, result.stdout.splitlines())}
    assert rows["broken"]["architecture"] == "damaged"
    assert rows["small"]["tags"] == len(TAGS)


def test_info_tells_the_whole_card(shipped: Path) -> None:
    path = shipped / "small.safetensors"
    card = dataclasses.replace(
        bundle.read_card(path), notes="one line\nand another", scores={"ROC-AUC": {"mood": 0.75}}
    )
    loaded = bundle.load(path)
    bundle.save(path, card, loaded.model, loaded.front_end)

    text = run("info", "small").stdout
    for part in (
        "architecture: ds_cnn",
        "licence: CC0-1.0",
        "sample rate: 16000",
        loaded.fingerprint,
        "    mood: 0.75",
        "  and another",
        "instrument:\n  piano (output 'piano', given from 0.250)",
    ):
        assert part in text

    about = json.loads(run("info", path, "--format", "json").stdout)
    assert about["fingerprint"] == loaded.fingerprint
    assert [name for name, _ in about["tags"]] == list(TAGS)
    assert about["thresholds"] == [0.25] * len(TAGS)


def test_info_tells_what_is_known_of_a_published_checkpoint_and_of_an_ensemble() -> None:
    result = run("info", "usc-msd")
    assert result.exit_code == 0
    assert "licence: unstated: no right to use it is granted" in result.stdout
    assert registry.find("usc-msd").url in result.stdout
    assert json.loads(run("info", "default", "--format", "json").stdout)["members"] == ["small"]


def test_an_unknown_name_is_an_error_with_near_names() -> None:
    result = run("info", "smal")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "did you mean small" in result.stderr
    assert "no such file" in run("info", "nowhere/x.safetensors").stderr
    assert run("info", "jamendo-fcn", "--format", "xml").exit_code == 2


def test_verify_finds_the_one_that_is_bad(shipped: Path, checkpoint: Path) -> None:
    assert run("verify").stdout.splitlines() == [
        "ok\tdefault\tensemble",
        f"ok\tsmall\t{bundle.fingerprint(shipped / 'small.safetensors')}",
    ]
    bad = damage(Path(imported(checkpoint).stdout.strip()))
    result = run("verify")
    assert result.exit_code == 1
    assert [line.split("\t")[:2] for line in result.stdout.splitlines()] == [
        ["ok", "default"],
        ["ok", "small"],
        ["bad", "mine"],
    ]
    assert str(bad) in result.stderr
    assert run("verify", "small").exit_code == 0
    assert run("verify", "small", "absent").exit_code == 1


def test_import_makes_a_bundle_that_is_found_by_name(checkpoint: Path) -> None:
    result = imported(checkpoint, "--name", "own", "--licence", "CC0", "--notes", "n")
    assert result.exit_code == 0, result.stderr
    path = Path(result.stdout.strip())
    assert catalogue.find("own") == path
    card = bundle.load(path).card
    assert (card.name, card.licence, card.notes) == ("own", "CC0", "n")
    assert card.source == "mine.pth"
    assert bundle.read_card(Path(imported(checkpoint).stdout.strip())).licence is None


def test_import_takes_tags_from_a_file(checkpoint: Path, tmp_path: Path) -> None:
    labels, out = tmp_path / "tags.txt", tmp_path / "own.safetensors"
    labels.write_text("".join(f"thing {number}\tinstrument\n" for number in range(50)))
    result = run("import", checkpoint, "--as", "crnn", "--tags", labels, "--out", out)
    assert result.stdout.strip() == str(out)
    assert bundle.read_card(out).tags[49] == ("thing 49", "instrument")


def test_import_replaces_and_hides_nothing(checkpoint: Path, tmp_path: Path) -> None:
    path = Path(imported(checkpoint).stdout.strip())
    before = path.read_bytes()
    again = imported(checkpoint, "--notes", "new")
    assert (again.exit_code, path.read_bytes()) == (1, before)
    assert "--force" in again.stderr
    assert imported(checkpoint, "--out", path).exit_code == 2
    assert imported(checkpoint, "--notes", "new", "--force").exit_code == 0
    assert bundle.read_card(path).notes == "new"
    hidden = imported(checkpoint, "--name", "small")
    assert (hidden.exit_code, "tagkit ships" in hidden.stderr) == (1, True)
    assert imported(checkpoint, "--name", "../../x").exit_code == 1
    assert not (tmp_path / "x.safetensors").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--as", "crnn"), 2, "either --vocabulary or --tags"),
        (("--as", "crnn", "--vocabulary", "msd-top50", "--tags", "x"), 2, "either"),
        (("--vocabulary", "msd-top50"), 2, "--as"),
        (("--as", "crnn", "--vocabulary", "msd"), 1, "msd-top50"),
        (("--as", "fcn", "--vocabulary", "msd-top50"), 1, "missing: layer5.conv.weight"),
        (("--as", "crn", "--vocabulary", "msd-top50"), 1, "did you mean crnn"),
        (("--as", "crnn", "--vocabulary", "jamendo-moodtheme56"), 1, "(50, 32)"),
    ],
)
def test_an_import_that_does_not_fit_says_why(
    arguments: tuple[str, ...], code: int, says: str, checkpoint: Path
) -> None:
    result = run("import", checkpoint, *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert says in result.stderr
    assert not catalogue.cache_folder().exists()


@pytest.fixture
def published(checkpoint: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> registry.Entry:
    server.answers["/crnn.pth"] = body(checkpoint.read_bytes())
    return publish(
        monkeypatch,
        registry.Entry(
            name="far",
            architecture="crnn",
            vocabulary="mtat-top50",
            url=f"{server.url}/crnn.pth",
            git_blob_sha1=registry.git_blob_sha1(checkpoint),
            size=None,
            licence="MIT",
            note="",
        ),
    )


def test_pull_says_the_licence_and_prints_the_path(published: registry.Entry) -> None:
    result = run("pull", "far")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.strip() == str(catalogue.find("far"))
    assert "licence MIT" in result.stderr
    assert published.url in result.stderr
    again = run("pull", "far")
    assert (again.exit_code, again.stdout) == (0, result.stdout)
    assert "already there" in again.stderr


def test_pull_asks_before_it_takes_what_has_no_licence(
    published: registry.Entry, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, dataclasses.replace(published, licence=None))
    refused = run("pull", "far")  # nobody is there to be asked
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "licence unstated" in refused.stderr
    assert "--accept-unstated-licence" in refused.stderr
    monkeypatch.setattr(weights, "_interactive", lambda: True)
    assert run("pull", "far", text="n\n").exit_code == 1
    assert server.seen == []
    assert run("pull", "far", text="y\n").exit_code == 0
    catalogue.find("far").unlink()
    monkeypatch.setattr(weights, "_interactive", lambda: False)
    assert run("pull", "far", "--accept-unstated-licence").exit_code == 0


def test_a_failed_pull_is_one_line_on_stderr(server: Server, published: registry.Entry) -> None:
    del server.answers["/crnn.pth"]
    result = run("pull", "far")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1].startswith(f"error: {published.url} answers 404")
    assert "Traceback" not in result.stderr


def test_what_needs_a_later_version_says_so() -> None:
    result = run("pull", "musicnn-package", "--accept-unstated-licence")
    assert result.exit_code == 1
    assert "needs a later version of tagkit" in result.stderr
