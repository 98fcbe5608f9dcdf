"""A folder as an S3 server on loopback: what a reader asks of one, and no more."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


@contextmanager
def serve(root: Path) -> Iterator[str]:
    """Serve each folder in ``root`` as a bucket; yield the endpoint's URL."""

    class Handler(_Handler):
        folder = root

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    folder: Path
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._object(with_body=False)

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if "list-type" in query:
            self._listing(unquote(parts.path).strip("/"), query)
        else:
            self._object(with_body=True)

    def _object(self, *, with_body: bool) -> None:
        path = self.folder / unquote(urlsplit(self.path).path).strip("/")
        if not path.is_file():
            self._answer(404, b"", "application/xml")
            return
        data = path.read_bytes()
        first, last = 0, len(data) - 1
        if wanted := self.headers.get("Range"):
            first, last = map(int, wanted.removeprefix("bytes=").split("-"))
            last = min(last, len(data) - 1)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(last + 1 - first))
        self.send_header("Last-Modified", formatdate(path.stat().st_mtime, usegmt=True))
        self.end_headers()
        if with_body:
            self.wfile.write(data[first : last + 1])

    def _listing(self, bucket: str, query: dict[str, str]) -> None:
        """One page; ``delimiter`` is a slash or absent."""
        prefix, top = query.get("prefix", ""), self.folder / bucket
        keys = sorted(str(p.relative_to(top)) for p in top.rglob("*") if p.is_file())
        folders, rows = dict[str, None](), []
        for key in keys:
            if not key.startswith(prefix):
                continue
            inner, slash, _ = key.removeprefix(prefix).partition("/")
            if slash and "delimiter" in query:
                folders[prefix + inner + "/"] = None
                continue
            size = (top / key).stat().st_size
            rows.append(
                f"<Contents><Key>{escape(key)}</Key><Size>{size}</Size>"
                "<LastModified>2026-01-02T03:04:05.000Z</LastModified></Contents>"
            )
        rows += [f"<CommonPrefixes><Prefix>{escape(f)}</Prefix></CommonPrefixes>" for f in folders]
        page = (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult>'
            f"<Name>{bucket}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(rows)}</KeyCount>"
            f"<MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>{''.join(rows)}"
            "</ListBucketResult>"
        )
        self._answer(200, page.encode(), "application/xml")

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
