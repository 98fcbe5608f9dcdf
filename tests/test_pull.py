"""What is pulled is the published file, or nothing: every way a download can go wrong leaves no trace."""

from __future__ import annotations

import dataclasses
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import pytest
import torch

from tagkit import models
from tagkit.errors import DownloadError, WeightsError
from tagkit.weights import bundle, catalogue, download, pull, registry
from tagkit.weights.registry import Entry
from tests.shared import shared
from tests.weights_server import Answer, Server, body, redirect, serving, status

NAME = "tiny"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / f"{NAME}.pth"
    torch.manual_seed(0)
    torch.save(models.build("crnn", tags=50).state_dict(), path)
    return path


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def entry(
    checkpoint: Path, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Entry:
    """A published checkpoint on our server, and a cache of its own."""
    monkeypatch.setenv("TAGKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TAGKIT_WEIGHTS_URL", raising=False)
    server.answers["/v1/best_model.pth"] = body(checkpoint.read_bytes())
    return publish(
        monkeypatch,
        Entry(
            name=NAME,
            architecture="crnn",
            vocabulary="mtat-top50",
            url=f"{server.url}/v1/best_model.pth",
            git_blob_sha1=registry.git_blob_sha1(checkpoint),
            size=checkpoint.stat().st_size,
            licence="MIT",
            note="a note",
        ),
    )


def publish(monkeypatch: pytest.MonkeyPatch, entry: Entry) -> Entry:
    rows = MappingProxyType({entry.name: entry})
    monkeypatch.setattr(registry, "entries", lambda: rows)
    return entry


def cached() -> list[str]:
    folder = catalogue.cache_folder()
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_pulled_checkpoint_is_a_bundle_in_the_cache_and_nothing_else_stays(entry: Entry) -> None:
    steps: list[tuple[int, int | None]] = []
    path = pull.pull(NAME, progress=lambda done, total: steps.append((done, total)))
    assert path == catalogue.find(NAME)
    assert cached() == [f"{NAME}.safetensors"]
    assert steps[-1] == (entry.size, entry.size)
    card = bundle.load(path).card
    assert (card.name, card.licence, card.source) == (NAME, "MIT", entry.url)
    assert (card.notes, len(card.tags)) == ("a note", 50)
    assert card.training_data.startswith("MagnaTagATune")


def test_a_second_pull_asks_nobody(entry: Entry, server: Server) -> None:
    assert pull.pull(NAME) == pull.pull(NAME) == pull.present(entry)
    assert server.seen == ["/v1/best_model.pth"]


def test_a_damaged_bundle_in_the_cache_is_pulled_anew(entry: Entry, server: Server) -> None:
    path = pull.pull(NAME)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    assert pull.present(entry) is None
    assert pull.pull(NAME).read_bytes() == whole
    assert len(server.seen) == 2


def wrong_hash(data: bytes) -> Answer:
    return body(data[:-1] + bytes([data[-1] ^ 1]))


FAILURES = {
    "wrong hash": (wrong_hash, "is not the published file: its git blob id is"),
    "cut off": (lambda data: body(data[:5000], announced=len(data)), "cut off after 5,000 of"),
    "cut off, length unsaid": (lambda data: body(data[:5000], announced=None), "5,000 bytes where"),
    "shorter": (lambda data: body(data[:5000]), "has 5,000 bytes where"),
    "longer": (lambda data: body(data + b"x"), "sends more than"),
    "endless": (lambda data: body(data * 3, announced=None), "sends more than"),
    "gone": (lambda _: status(404), "answers 404 Not Found.*TAGKIT_WEIGHTS_URL"),
    "forbidden": (lambda _: status(403), "answers 403"),
    "broken": (lambda _: status(500), "answers 500 .*pull again later"),
    "to a local file": (lambda _: redirect("file:///etc/passwd"), "answers 302 .*is not allowed"),
    "to another scheme": (
        lambda _: redirect("ftp://127.0.0.1/x"),
        "redirects to ftp.*not followed",
    ),
    "to nowhere": (lambda _: redirect("http://[bad/"), "cannot read"),
    "round and round": (lambda _: redirect("/v1/best_model.pth"), "answers 302"),
    "no HTTP": (lambda _: lambda handler: handler.wfile.write(b"\x1b[2Jhello\r\n"), "cannot read"),
    "no answer": (lambda _: lambda handler: handler.connection.close(), "cannot read"),
}


@pytest.mark.parametrize(("answer", "says"), FAILURES.values(), ids=FAILURES.keys())
def test_whatever_is_not_the_published_file_leaves_no_trace(
    answer: object, says: str, entry: Entry, server: Server, checkpoint: Path
) -> None:
    server.answers["/v1/best_model.pth"] = answer(checkpoint.read_bytes())  # type: ignore[operator]
    with pytest.raises(DownloadError, match=says) as caught:
        pull.pull(NAME)
    assert entry.url in str(caught.value)
    assert str(caught.value).isprintable()
    assert cached() == []


def test_after_a_cut_off_download_the_next_one_is_whole(entry: Entry, server: Server) -> None:
    good = server.answers["/v1/best_model.pth"]
    server.answers["/v1/best_model.pth"] = body(b"half", announced=entry.size)
    with pytest.raises(DownloadError, match="cut off"):
        pull.pull(NAME)
    server.answers["/v1/best_model.pth"] = good
    assert pull.pull(NAME).exists()


def test_an_unknown_size_is_bounded(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(monkeypatch, dataclasses.replace(entry, size=None))
    monkeypatch.setattr(download, "MOST_BYTES", 100_000)
    with pytest.raises(DownloadError, match="more than the 100,000 bytes"):
        pull.pull(NAME)


def test_an_unknown_size_is_no_obstacle(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(monkeypatch, dataclasses.replace(entry, size=None))
    assert pull.pull(NAME).exists()


@pytest.mark.usefixtures("entry")
def test_a_silent_server_is_not_waited_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 0.1)
    server.answers["/v1/best_model.pth"] = lambda _: time.sleep(0.5)
    with pytest.raises(DownloadError, match="timed out"):
        pull.pull(NAME)


@pytest.mark.usefixtures("entry")
def test_a_redirect_on_the_web_is_followed(server: Server) -> None:
    server.answers["/v2"] = server.answers["/v1/best_model.pth"]
    server.answers["/v1/best_model.pth"] = redirect(f"{server.url}/v2")
    assert pull.pull(NAME).exists()
    assert server.seen == ["/v1/best_model.pth", "/v2"]


def test_without_a_network_the_next_step_is_said(
    entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    publish(monkeypatch, dataclasses.replace(entry, url=f"http://127.0.0.1:{port}/best_model.pth"))
    with pytest.raises(DownloadError, match=r"refused.*is there a network\?.*TAGKIT_WEIGHTS_URL"):
        pull.pull(NAME)


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_mirror_is_a_folder_of_files_by_name(
    slash: str, entry: Entry, server: Server, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers[f"/mirror/{NAME}.pth"] = body(checkpoint.read_bytes())
    monkeypatch.setenv("TAGKIT_WEIGHTS_URL", f"{server.url}/mirror{slash}")
    # The card says where the file was published, not which mirror had a copy.
    assert bundle.read_card(pull.pull(NAME)).source == entry.url
    assert server.seen == [f"/mirror/{NAME}.pth"]


@pytest.mark.usefixtures("entry")
def test_a_folder_can_be_a_mirror_and_is_not_trusted_either(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    monkeypatch.setenv("TAGKIT_WEIGHTS_URL", mirror.as_uri())
    with pytest.raises(DownloadError, match="No such file"):
        pull.pull(NAME)
    (mirror / f"{NAME}.pth").write_bytes(checkpoint.read_bytes()[:-1] + b"!")
    with pytest.raises(DownloadError, match="not the published file"):
        pull.pull(NAME)
    (mirror / f"{NAME}.pth").write_bytes(checkpoint.read_bytes())
    assert pull.pull(NAME).exists()


@pytest.mark.usefixtures("entry")
def test_a_mirror_that_is_no_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for mirror in ("/srv/weights", "ftp://host/x", "data:,x"):
        monkeypatch.setenv("TAGKIT_WEIGHTS_URL", mirror)
        with pytest.raises(DownloadError, match="no http, https or file address"):
            pull.pull(NAME)
    monkeypatch.setenv("TAGKIT_WEIGHTS_URL", "http://[bad/")
    with pytest.raises(DownloadError, match="cannot read"):
        pull.pull(NAME)


def test_an_unstated_licence_is_said_before_anything_is_fetched(
    entry: Entry, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, dataclasses.replace(entry, licence=None))
    with pytest.raises(WeightsError, match=r"states no licence.*--accept-unstated-licence"):
        pull.pull(NAME)
    assert server.seen == []
    assert bundle.read_card(pull.pull(NAME, accept_unstated_licence=True)).licence is None


def test_a_published_file_of_another_network_is_refused(
    entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, dataclasses.replace(entry, architecture="fcn"))
    with pytest.raises(WeightsError, match="not those of fcn"):
        pull.pull(NAME)
    assert cached() == []


@pytest.mark.usefixtures("entry")
def test_a_cache_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TAGKIT_CACHE", str(tmp_path / "file"))
    with pytest.raises(WeightsError, match=r"cannot write there.*TAGKIT_CACHE"):
        pull.pull(NAME)


@pytest.mark.parametrize("name", ["jamendo-musicnn", "mtg-moodtheme-vgg"])
def test_the_real_rows_pull_the_real_files(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAGKIT_WEIGHTS_URL", shared("teachers").as_uri())
    monkeypatch.setenv("TAGKIT_CACHE", str(tmp_path))
    card = bundle.load(pull.pull(name)).card
    assert (card.name, card.licence) == (name, registry.find(name).licence)
