"""Fetch one file, with bounds on its size and on waiting, and an error a person can act on."""

from __future__ import annotations

import http.client
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
            if target.lower().startswith("ftp:"):
                raise DownloadError(f"{req.full_url} redirects to {_shown(target)}: not followed")
            return super().http_error_302(req, fp, code, msg, headers)
        except BaseException:
            fp.close()
            raise

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


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
    most = MOST_BYTES if size is None else size
    try:
        request = urllib.request.Request(url, headers={"User-Agent": f"tagkit/{__version__}"})
        with urllib.request.build_opener(_WebOnly).open(request, timeout=TIMEOUT) as reply:
            announced = _announced(reply.headers.get("Content-Length", ""))
            received = 0
            while piece := reply.read(_PIECE):
                received += len(piece)
                if received > most:
                    raise DownloadError(
                        f"{url} sends more than the {most:,} bytes that are allowed", hint=_MIRROR
                    )
                yield piece, announced or size
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
