"""The process that decodes for another one; see :mod:`tagkit.audio.workers`.

::

    stdin   {"path": ..., "hearings": [[rate, length], ...], "most": 16} newline
    stdout  {"duration": ..., "counts": [n, ...]} newline, then the windows as float32, hearing by hearing
            {"error": ...} newline

Ends with its stdin.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import BinaryIO

from tagkit.audio.windows import decode
from tagkit.errors import AudioError


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer requests, one after another, until there are no more."""
    for line in requests:
        request = json.loads(line)
        hearings = [(rate, length) for rate, length in request["hearings"]]
        try:
            windows, duration = decode(request["path"], hearings, request["most"])
        except AudioError as error:
            _say(replies, {"error": error.message})
        else:
            found = [windows[hearing] for hearing in hearings]
            _say(replies, {"duration": duration, "counts": [len(each) for each in found]})
            for each in found:
                replies.write(each.data)
        replies.flush()


def _say(replies: BinaryIO, answer: dict[str, object]) -> None:
    replies.write(json.dumps(answer).encode() + b"\n")


def main() -> None:
    """Serve the process that started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for that process, which then ends this
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a decoder prints is no reply
    serve(sys.stdin.buffer, replies)


if __name__ == "__main__":
    main()
