"""Downloads: proven before they are used, of a size and a pace that are known, and never led astray."""

from __future__ import annotations

import email.message
import gzip
import io
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import torch

from tagkit import models
from tagkit.errors import DownloadError
from tagkit.weights import catalogue, download, pull, registry
from tagkit.weights.registry import Entry
from tests.test_pull import publish
from tests.trust import bounds
from tests.weights_server import Answer, Server, body, redirect, serving

pytestmark = pytest.mark.usefixtures("entry")

NAME = "stranger"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "mine.pth"
    torch.manual_seed(0)
    torch.save(models.build("fcn", tags=50, channels=64).state_dict(), path)
    return path


@pytest.fixture
def entry(
    server: Server, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Entry:
    monkeypatch.setenv("TAGKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TAGKIT_WEIGHTS_URL", raising=False)
    row = Entry(
        name=NAME,
        architecture="fcn",
        vocabulary="mtat-top50",
        url=f"{server.url}/x.pth",
        git_blob_sha1=registry.git_blob_sha1(checkpoint),
        size=checkpoint.stat().st_size,
        licence="MIT",
        note="",
    )
    return publish(monkeypatch, row)


def nothing_is_left() -> bool:
    folder = catalogue.cache_folder()
    return not folder.exists() or not list(folder.iterdir())


def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "PATIENCE", 0.6)
    monkeypatch.setattr(download, "PACE", 64 << 10)


# --------------------------------------------------------------------------------------------- pace


def drip(first: bytes, every: float = 0.05) -> Answer:
    """Send ``first``, and then a byte now and then, so that no time limit for a byte is reached."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        try:
            handler.wfile.write(first)
            for _ in range(int(20 / every)):
                handler.wfile.write(b"x")
                time.sleep(every)
        except OSError:  # they have hung up
            pass

    return answer


HEAD = b"HTTP/1.0 200 OK\r\n"


@pytest.mark.parametrize(
    "first",
    [b"", HEAD + b"X: ", HEAD + b"\r\n", HEAD + b"Content-Length: 99999999\r\n\r\nabc"],
    ids=["the first line", "a header", "the file", "a file of a length"],
)
def test_a_server_that_drips_is_hung_up_on(
    first: bytes, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried(monkeypatch)
    server.answers["/x.pth"] = drip(first)
    started = time.monotonic()
    with pytest.raises(DownloadError, match=r"sends less than 64 kB a second.*pull again later"):
        pull.pull(NAME)
    assert time.monotonic() - started < 15
    assert nothing_is_left()
    assert not [t for t in threading.enumerate() if t.name.endswith("(_watch)")]


def test_a_steady_server_is_waited_for(
    server: Server, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer than the patience, and never slower than the pace."""
    monkeypatch.setattr(download, "PATIENCE", 0.5)
    data = checkpoint.read_bytes()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        step = len(data) // 10 + 1
        for start in range(0, len(data), step):
            handler.wfile.write(data[start : start + step])
            handler.wfile.flush()
            time.sleep(0.15)

    server.answers["/x.pth"] = answer
    assert pull.pull(NAME).is_file()


# ---------------------------------------------------------------------------------------- redirects


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("https://a.example/x", "http://a.example/x"),
        ("https://a.example/x", "HTTP://b.example/x"),
        ("https://a.example/x", "ftp://a.example/x"),
        ("http://a.example/x", "ftp://a.example/x"),
    ],
)
def test_no_redirect_leads_to_where_everybody_listens(source: str, target: str) -> None:
    headers = email.message.Message()
    headers["Location"] = target
    answer = io.BytesIO()
    with pytest.raises(DownloadError, match="not followed"):
        download._WebOnly().http_error_302(
            urllib.request.Request(source),
            answer,
            302,
            "Found",
            headers,  # type: ignore[arg-type]
        )
    assert answer.closed


def test_a_redirect_to_a_file_of_this_machine_is_not_followed(
    server: Server, checkpoint: Path
) -> None:
    """Not even to the very file that is wanted."""
    for target in (checkpoint.as_uri(), "file:///etc/passwd", "data:,x", "\x1b]0;x\x07:x"):
        server.answers["/x.pth"] = redirect(target.replace("\x1b", "%1b").replace("\x07", "%07"))
        with pytest.raises(DownloadError) as caught:
            pull.pull(NAME)
        assert str(caught.value).isprintable()
        assert nothing_is_left()


# ------------------------------------------------------------------------------------- what it sends


def with_encoding(data: bytes, encoding: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Encoding", encoding)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def test_what_is_compressed_is_not_unpacked(server: Server) -> None:
    """A hundred megabytes of nothing in a hundred kilobytes."""
    bomb = gzip.compress(bytes(100 << 20), 1)
    server.answers["/x.pth"] = with_encoding(bomb, "gzip")
    with bounds.within(64 << 20), pytest.raises(DownloadError):
        pull.pull(NAME)
    assert nothing_is_left()


def test_a_file_that_never_ends_ends_at_its_size(entry: Entry, server: Server) -> None:
    sent = 0

    def answer(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        handler.send_response(200)
        handler.end_headers()
        try:
            while sent < 1 << 30:
                handler.wfile.write(bytes(1 << 16))
                sent += 1 << 16
        except OSError:
            pass

    server.answers["/x.pth"] = answer
    with bounds.within(64 << 20), pytest.raises(DownloadError, match="sends more than"):
        pull.pull(NAME)
    assert entry.size is not None and sent < entry.size + (16 << 20)
    assert nothing_is_left()


def test_headers_without_end_are_refused(server: Server) -> None:
    for data in (
        b"".join(b"X-%d: y\r\n" % number for number in range(5000)),
        b"X: " + b"y" * 200_000,
    ):
        server.answers["/x.pth"] = drip(HEAD + data)
        with pytest.raises(DownloadError):
            pull.pull(NAME)
    assert nothing_is_left()


def test_a_file_of_the_same_length_is_proven_before_anything_reads_it(
    server: Server, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tagkit.weights import convert

    opened: list[object] = []
    monkeypatch.setattr(convert, "convert", lambda *a, **_: opened.append(a))
    data = bytearray(checkpoint.read_bytes())
    data[100] ^= 1
    server.answers["/x.pth"] = body(bytes(data))
    with pytest.raises(DownloadError, match="is not the published file"):
        pull.pull(NAME)
    assert opened == [] and nothing_is_left()


def test_what_a_download_left_half_done_is_never_taken_up(server: Server, checkpoint: Path) -> None:
    """There is no resuming: a part that lies about, from a kill or from somebody, is read by nobody."""
    folder = catalogue.cache_folder() / ".pull-abc"
    folder.mkdir(parents=True)
    (folder / f"{NAME}.pth").write_bytes(b"\x80\x02evil")
    server.answers["/x.pth"] = body(checkpoint.read_bytes())
    assert pull.pull(NAME).is_file()
    assert [item.name for item in catalogue.list_installed() if item.origin == "cached"] == [NAME]
