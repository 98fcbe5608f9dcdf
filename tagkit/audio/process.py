"""One process that decodes, seen from the one that started it: asked, watched, and ended.

It is native code at work on files from anywhere, so nothing that it does is trusted: it may crash, hang,
be stopped, say anything, say too much, leave children that hold its pipes. Its answer is there within
the file's patience, or the process and its children are gone and the file has an error.

What need not be the file's fault raises PassingError: somebody else killed the process, or its time ran
out while it waited (for a disk, for a processor) rather than computed.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tagkit.audio.decoder import FloatArray
from tagkit.audio.windows import Decoded, Hearing
from tagkit.errors import AudioError, PassingError, TagkitError

# How long a file may take. A song takes a tenth of a second. Some formats are decoded as a whole, at some
# 20 MB/s and more; a slow disk or a busy machine takes ten times as long. Beyond ORDINARY bytes, that counts.
PATIENCE = 25.0  # seconds
ORDINARY = 40_000_000  # bytes
PATIENCE_PER_BYTE = 0.5e-6

# How long it may load its libraries, from a disk that is busy with everything else.
START = 60.0

# The share of its patience that a process has computed, if the file is to blame.
COMPUTED = 0.5

# Seconds after which it is looked whether the process is still there; and how long its end may take.
TICK = 0.25
END = 5.0

# What a process does to itself. Any other signal came from somebody else.
OWN_SIGNALS = {
    getattr(signal, f"SIG{name}", None)
    for name in ("SEGV", "ABRT", "BUS", "FPE", "ILL", "TRAP", "SYS", "XFSZ", "XCPU")
}

LONGEST_LINE = 1 << 16

#: Bytes that wait in the pipe: with the usual 64 KiB the two processes wake each other 50 times a track.
PIPE = 1 << 20
_SET_PIPE_SIZE = 1031  # Linux' F_SETPIPE_SZ, which Python names since 3.10 and not on every system

AGAIN = "the next run tries it again"


class StartError(TagkitError):
    """A process did not start, or ended before it was asked anything."""


class Worker:
    """One process. Raises StartError where it cannot be started."""

    def __init__(self) -> None:
        root = str(Path(__file__).parents[2])
        known = os.environ.get("PYTHONPATH")
        try:
            self._process = subprocess.Popen(
                # -P: a file in the current folder that is called like a library is not that library.
                [sys.executable, "-P", "-m", "tagkit.audio.worker", str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,  # why it does not start; later it is silent
                bufsize=0,
                process_group=0,  # its children end with it; a session would be a share of the processor
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join([root, known] if known else [root]),
                    "OPENBLAS_NUM_THREADS": "1",  # of no use here, and each takes memory
                },
            )
        except OSError as error:
            raise StartError(f"no process can be started: {error.strerror}") from error
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._pipes = (self._process.stdin, self._process.stdout, self._process.stderr)
        self._requests, self._replies, self._words = (pipe.fileno() for pipe in self._pipes)
        if sys.platform == "linux":
            import fcntl

            with contextlib.suppress(OSError):  # the system's limit is lower: it is only slower
                fcntl.fcntl(self._replies, _SET_PIPE_SIZE, PIPE)
        for pipe in (self._requests, self._replies, self._words):
            os.set_blocking(pipe, False)
        self._numbers = itertools.count()
        self._ahead = b""  # of the replies, what was read and not yet looked at
        self._said = ""  # while it starts, on its stderr
        self._clock = Clock(START)
        self._ready = self._killed = self._last = False

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def usable(self) -> bool:
        """Whether another file can be given to it: it runs, and has said no more than it was asked."""
        if self._killed or self._last or self._ended():
            return False
        return not (self._ready and _poll(self._replies, 0))

    def start(self) -> None:
        """Wait until it has loaded its libraries. Raises StartError where it does not come up."""
        if self._ready:
            return
        try:
            self._ready = bool(self._answer()["ready"])
            self._pipes[2].close()
        except (OSError, EOFError, ValueError, LookupError, TypeError) as error:
            self._end_by_itself()
            self._listen()
            said = next((line for line in reversed(self._said.splitlines()) if line.strip()), "")
            self.stop()
            late = f"it was not ready in {START:.0f} s" if isinstance(error, TimeoutError) else ""
            raise StartError(said or late or _death(self._process.returncode)) from error

    def decode(self, path: Path, hearings: Sequence[Hearing], most: int) -> Decoded:
        """Return the windows. Raises AudioError."""
        number = next(self._numbers)
        request = {"id": number, "path": str(path), "hearings": hearings, "most": most}
        self._clock = Clock(_patience(path))
        before = self._computed()
        try:
            self._send(json.dumps(request).encode() + b"\n")
            answer = self._answer()
            if answer["id"] != number:
                raise ValueError("an answer to another question")
            self._last = answer["last"]
            if "error" in answer:
                kind = PassingError if answer["passing"] else AudioError
                raise kind(str(answer["error"]), path=path)
            duration = float(answer["duration"])
            windows = {
                hearing: self._array(count, most, hearing[1])
                for hearing, count in zip(hearings, answer["counts"], strict=True)
            }
            if not 0 <= duration < float("inf") or self._ahead or _poll(self._replies, 0):
                raise ValueError("more or less than an answer")
        except (OSError, EOFError, ValueError, LookupError, TypeError) as error:
            raise self._fate(path, error, before) from error
        return Decoded(windows, duration)

    def kill(self) -> None:
        """Kill it and its children now; whoever waits for its answer finds that it has ended."""
        self._killed = True
        if self._process.returncode is None:  # else its number may be another's
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def stop(self) -> None:
        """Kill it and let go of it. Not while another thread waits for its answer."""
        self.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # in a disk that does not answer
            self._process.wait(END)
        for pipe in self._pipes:
            pipe.close()

    # -- how it fares

    def _fate(self, path: Path, error: Exception, before: float) -> AudioError:
        """End it, and return why there is no answer."""
        computed = self._computed() - before
        if isinstance(error, TimeoutError):
            self.stop()
            seconds = f"{self._clock.allowed:.0f} s"
            if computed >= COMPUTED * self._clock.allowed:
                return AudioError(f"its decoder did not come to an end in {seconds}", path=path)
            waited = f"its decoder did not answer in {seconds}, and computed for {computed:.0f} s"
            return PassingError(f"{waited}; {AGAIN}", path=path)
        alone = not isinstance(error, ValueError | LookupError | TypeError) and not self._killed
        alone = alone and self._end_by_itself()
        outside = self._killed
        self.stop()
        if outside:
            return PassingError("its decoder was ended with the run", path=path)
        if not alone:
            return AudioError("its decoder crashed: its answer makes no sense", path=path)
        code = self._process.returncode
        if code < 0 and -code not in OWN_SIGNALS:
            return PassingError(
                f"its decoder was killed from outside ({_name(-code)}); {AGAIN}", path=path
            )
        return AudioError(f"its decoder crashed ({_death(code)})", path=path)

    def _ended(self) -> bool:
        """Whether it has ended; it stays a zombie until :meth:`stop`, so that its number stays its own."""
        if self._process.returncode is not None:
            return True
        try:
            options = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, self._process.pid, options) is not None
        except ChildProcessError:
            return True

    def _end_by_itself(self) -> bool:
        """Whether it ends within a second: its own end says more than ours."""
        until = time.monotonic() + 1
        while not (ended := self._ended()) and time.monotonic() < until:
            time.sleep(0.01)
        return ended

    def _computed(self) -> float:
        """Seconds of a processor that it has used; for ever where the system does not tell."""
        try:
            with open(f"/proc/{self._process.pid}/stat", "rb") as file:  # noqa: PTH123
                fields = file.read().rpartition(b")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except (OSError, IndexError, ValueError):
            return time.monotonic()

    # -- what is said

    def _send(self, data: bytes) -> None:
        while data:
            self._wait(self._requests, select.POLLOUT)
            data = data[os.write(self._requests, data) :]

    def _answer(self) -> dict[str, Any]:
        line = b""
        while not line.endswith(b"\n"):
            line += self._read(LONGEST_LINE)
            line, newline, self._ahead = line.partition(b"\n")
            line += newline
            if len(line) > LONGEST_LINE:
                raise ValueError("an endless line")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _array(self, count: int, most: int, length: int) -> FloatArray:
        if not 0 < count <= most:
            raise ValueError("no such number of windows")
        out = np.empty((count, length), np.float32)
        view = out.data.cast("B")
        head = min(len(self._ahead), len(view))
        view[:head], self._ahead = self._ahead[:head], self._ahead[head:]
        view = view[head:]
        while view:
            self._wait(self._replies, select.POLLIN)
            if not (got := os.readv(self._replies, [view])):
                raise EOFError
            view = view[got:]
        return out

    def _read(self, size: int) -> bytes:
        self._wait(self._replies, select.POLLIN)
        if not (data := os.read(self._replies, size)):
            raise EOFError
        return data

    def _listen(self) -> None:
        with contextlib.suppress(OSError):  # nothing there
            said = os.read(self._words, LONGEST_LINE).decode(errors="replace")
            self._said = (self._said + said)[-LONGEST_LINE:]

    def _wait(self, pipe: int, event: int) -> None:
        """Wait until the pipe can be read or written. Raises TimeoutError, and EOFError where the
        process has ended, though a child of it may hold the pipe."""
        while not _poll(pipe, TICK, event):
            if not self._ready:
                self._listen()
            if self._ended() or self._killed:
                if _poll(pipe, 0, event):
                    return
                raise EOFError
            self._clock.check()
        self._clock.check()


class Clock:
    """``allowed`` seconds. What this process did not see pass, stopped or asleep with the machine, is
    not counted."""

    def __init__(self, allowed: float) -> None:
        self.allowed = allowed
        self._left = allowed
        self._seen = time.monotonic()

    def check(self) -> None:
        """Raise TimeoutError where the time is over."""
        now = time.monotonic()
        self._left -= min(now - self._seen, 4 * TICK)
        self._seen = now
        if self._left < 0:
            raise TimeoutError


def _poll(pipe: int, seconds: float, event: int = select.POLLIN) -> bool:
    poll = select.poll()
    poll.register(pipe, event)
    return bool(poll.poll(seconds * 1000))


def _patience(path: Path) -> float:
    """Seconds after which a file is given up."""
    with contextlib.suppress(OSError, ValueError):
        return PATIENCE + PATIENCE_PER_BYTE * max(0, path.stat().st_size - ORDINARY)
    return PATIENCE


def _death(code: int | None) -> str:
    if code is None:
        return "does not end"
    return _name(-code) if code < 0 else f"exit {code}"


def _name(number: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"
