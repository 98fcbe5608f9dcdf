"""The process that decodes for another one; see :mod:`tagkit.audio.process`, which is the other end.

::

    stdout  {"ready": true} newline, once the libraries are loaded
    stdin   {"id": ..., "path": ..., "hearings": [[rate, length], ...], "most": 16} newline
    stdout  {"id": ..., "last": false, "duration": ..., "counts": [n, ...]} newline, then the windows as
            float32, hearing by hearing
            {"id": ..., "last": false, "error": ..., "passing": false} newline

After a "last" reply the process is to be replaced. It ends with its stdin.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any, BinaryIO

from tagkit.audio.cage import Cage
from tagkit.audio.windows import decode
from tagkit.errors import AudioError, PassingError


def serve(requests: BinaryIO, replies: BinaryIO, cage: Cage) -> None:
    """Answer requests, one after another, until there are no more."""
    for line in requests:
        request = json.loads(line)
        answer, windows = _answer(request)
        _say(replies, {"id": request["id"], "last": cage.worn, **answer})
        for each in windows:
            replies.write(each.data)
        replies.flush()


def _answer(request: dict[str, Any]) -> tuple[dict[str, object], list[Any]]:
    hearings = [(rate, length) for rate, length in request["hearings"]]
    try:
        windows, duration = decode(request["path"], hearings, request["most"])
    except AudioError as error:
        return {"error": error.message, "passing": isinstance(error, PassingError)}, []
    except MemoryError:
        return {"error": "cannot be decoded: it needs too much memory", "passing": False}, []
    except Exception as error:
        reason = f"its decoder failed: {type(error).__name__}: {error}"[:500]
        return {"error": reason, "passing": False}, []
    found = [windows[hearing] for hearing in hearings]
    return {"duration": duration, "counts": [len(each) for each in found]}, found


def _say(replies: BinaryIO, answer: dict[str, object]) -> None:
    replies.write(json.dumps(answer).encode() + b"\n")


def main() -> None:
    """Serve the process that started this one, whose id is the argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for that process, which then ends this
    cage = Cage(int(sys.argv[1]))
    replies = os.fdopen(os.dup(1), "wb")
    _say(replies, {"ready": True})
    replies.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for output in (1, 2):  # what a decoder prints is no reply, and nobody's concern
        os.dup2(nowhere, output)
    serve(sys.stdin.buffer, replies, cage)


if __name__ == "__main__":
    main()
