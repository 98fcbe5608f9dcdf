"""Fetch one file, with bounds on its size and on waiting, and an error a person can act on.

A server that sends a byte now and then would never run into a time limit for each byte: so a download has
a pace too, from its first moment on. Who falls behind it is hung up on.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import IO, Any, BinaryIO

from tagkit import __version__
from tagkit.errors import DownloadError

# Bytes so far, and in all where known.
Progress = Callable[[int, int | None], None]

# The largest published tagger has 19 million float32 parameters, 75 MB. Without a known size, a
# server may not fill the disk.
MOST_BYTES = 512 << 20
TIMEOUT = 30.0  # seconds without a single byte
PATIENCE = 60.0  # seconds in which nothing of the file need have come
PACE = 8 << 10  # bytes a second, after that
_PIECE = 256 << 10

_MIRROR = "set TAGKIT_WEIGHTS_URL to a mirror, or fetch the file elsewhere and use 'tagkit weights import'"


class _WebOnly(urllib.request.HTTPRedirectHandler):
    """Follow redirects to http(s) only, and leave no connection open behind one that is refused."""

    def http_error_302(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
    ) -> Any:
        target = headers.get("Location", "")
        try:
            # urllib itself refuses all but these and ftp.
            if target.lower().startswith("ftp:") or (
                req.type == "https" and target.lower().startswith("http:")
            ):
                raise DownloadError(f"{req.full_url} redirects to {_shown(target)}: not followed")
            return super().http_error_302(req, fp, code, msg, headers)
        except BaseException:
            fp.close()
            raise

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


class _Watch:
    """Hangs up on a server that is slower than :data:`PACE`; its connections are made through it."""

    def __init__(self) -> None:
        self.received = 0
        self.expired = False
        self._started = time.monotonic()
        self._sockets: list[socket.socket] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()

    def handlers(self) -> tuple[urllib.request.BaseHandler, ...]:
        """What urllib opens the web with."""

        def watched(kind: Any) -> Any:
            class Connection(kind):  # type: ignore[misc]
                def connect(connection) -> None:  # noqa: N805 (self is the watch)
                    super().connect()
                    self._sockets.append(connection.sock)

            return Connection

        class Http(urllib.request.HTTPHandler):
            def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
                return self.do_open(watched(http.client.HTTPConnection), req)

        class Https(urllib.request.HTTPSHandler):
            def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
                return self.do_open(watched(http.client.HTTPSConnection), req)

        return Http(), Https()

    def _watch(self) -> None:
        while not self._done.wait(min(1.0, PATIENCE / 4)):
            if time.monotonic() - self._started > PATIENCE + self.received / PACE:
                self.expired = True
                for connection in self._sockets:
                    with contextlib.suppress(OSError):
                        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def fetch(
    url: str, into: BinaryIO, *, size: int | None = None, progress: Progress | None = None
) -> None:
    """Write what ``url`` (http, https or file) serves to ``into``.

    ``size``: the length in bytes that it must have; unknown, at most :data:`MOST_BYTES` are taken.
    Raises DownloadError for an address that cannot be read, a file that is too long, and one that
    ends before the announced or known length. ``into`` then holds the part that came.
    """
    received = 0
    for piece, total in _pieces(url, size):
        received += len(piece)
        into.write(piece)
        if progress is not None:
            progress(received, total)
    if size is not None and received < size:
        raise DownloadError(
            f"{url} has {received:,} bytes where {size:,} are expected",
            hint="the file there is another one or incomplete; " + _MIRROR,
        )


def _pieces(url: str, size: int | None) -> Iterator[tuple[bytes, int | None]]:
    """Yield the body piece by piece with its announced length; all network errors end here."""
    if not url.lower().startswith(("http://", "https://", "file://")):
        raise DownloadError(f"{url!r} is no http, https or file address", hint=_MIRROR)
    with _Watch() as watch:
        try:
            yield from _watched(url, MOST_BYTES if size is None else size, size, watch)
        except DownloadError as error:
            if watch.expired:
                raise DownloadError(
                    f"{url} sends less than {PACE >> 10} kB a second",
                    hint=f"pull again later; or {_MIRROR}",
                ) from error
            raise


def _watched(
    url: str, most: int, size: int | None, watch: _Watch
) -> Iterator[tuple[bytes, int | None]]:
    try:
        request = urllib.request.Request(url, headers={"User-Agent": f"tagkit/{__version__}"})
        opener = urllib.request.build_opener(_WebOnly, *watch.handlers())
        with opener.open(request, timeout=TIMEOUT) as reply:
            announced = _announced(reply.headers.get("Content-Length", ""))
            received = 0
            # Not read, which waits for a whole piece; a file: address has no read1.
            read = getattr(reply, "read1", reply.read)
            while piece := read(_PIECE):
                received += len(piece)
                watch.received = received
                if received > most:
                    raise DownloadError(
                        f"{url} sends more than the {most:,} bytes that are allowed", hint=_MIRROR
                    )
                yield piece, announced or size
            if watch.expired:
                raise DownloadError(f"{url} was too slow")
            # http.client ends quietly when the connection closes early.
            if announced is not None and received < announced:
                raise DownloadError(
                    f"{url} was cut off after {received:,} of {announced:,} bytes",
                    hint="pull again",
                )
    except urllib.error.HTTPError as error:
        error.close()
        gone = error.code in (404, 410)
        raise DownloadError(
            f"{url} answers {error.code} {_shown(error.reason)}",
            hint=_MIRROR if gone else f"pull again later; or {_MIRROR}",
        ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        inner = getattr(error, "reason", error)
        reason = _shown(getattr(inner, "strerror", None) or inner) or type(error).__name__
        hint = _MIRROR if url.startswith("file:") else f"is there a network? otherwise {_MIRROR}"
        raise DownloadError(f"cannot read {url}: {reason}", hint=hint) from error


def _shown(text: object) -> str:
    """A server's words on one line, without what could steer a terminal."""
    return "".join(char if char.isprintable() else " " for char in str(text))[:200]


def _announced(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 16 else None
