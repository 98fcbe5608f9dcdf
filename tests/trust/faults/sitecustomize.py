"""Decoders that misbehave: on PYTHONPATH, this is imported by every Python that the command starts.

In a process that decodes, opening a file called ``<fault>.wav`` with libsndfile does what the fault says.
In the command itself, patience is a few seconds.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import signal
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 4.0
LEAK = 300 << 20

kept: list[mmap.mmap] = []  # what a fault does not give back
opened: list[str] = []


def replies() -> int:
    """The pipe to the command, which no decoder knows of."""
    for number in range(3, 64):
        with contextlib.suppress(OSError):
            if stat.S_ISFIFO(os.fstat(number).st_mode):
                return number
    raise AssertionError("no pipe")


def forked() -> bool:
    """Whether this is a new child; it holds the pipes for as long as it lives."""
    return os.fork() == 0


def segfault() -> None:
    ctypes.string_at(0)


def spin() -> None:
    while True:
        pass


def sleep() -> None:
    time.sleep(3600)


def stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def take(size: int) -> mmap.mmap:
    try:
        return mmap.mmap(-1, size)
    except OSError as error:
        raise MemoryError from error


def memory() -> None:
    """All that there is, kept: then no decoder can work."""
    for _ in range(64):
        kept.append(take(1 << 28))


def leak() -> None:
    kept.append(take(LEAK))


def fork() -> None:
    forked()
    sleep()


def orphan() -> None:
    if forked():
        sleep()
    os._exit(0)


def speak() -> None:
    os.write(1, b'{"id": 0, "last": false, "error": "taken in", "passing": false}\n')
    os.write(2, b"\x1b[2J")


def flood() -> None:
    for _ in range(64):
        os.write(1, bytes(1 << 20))
        os.write(2, bytes(1 << 20))


def leave() -> None:
    os._exit(0)


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def ended() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def write() -> None:
    with contextlib.suppress(OSError):
        Path(os.environ["TAGKIT_FAULT_FILE"]).write_bytes(b"x" * 100)


def garbage() -> None:
    os.write(replies(), b"\x00\xff not JSON\n")
    sleep()


def endless() -> None:
    while True:
        os.write(replies(), b"x" * (1 << 16))


def trickle() -> None:
    while True:
        os.write(replies(), b"x")
        time.sleep(0.05)


def more() -> None:
    """An answer with windows of its own making, and then some."""
    os.write(replies(), b'{"id": 0, "last": false, "duration": 1.0, "counts": [1]}\n')
    endless()


def nothing() -> None:
    os.write(replies(), b'{"id": 99, "last": false, "duration": 1e999, "counts": [0]}\n')
    sleep()


def crowded(measure: Callable[[object], None]) -> Callable[[object], None]:
    """Another decoder, which comes after one that gave up, and needs room too."""

    def crowd(self: object) -> None:
        take(LEAK).close()
        measure(self)

    return crowd


def vanish() -> None:
    Path(opened[-1]).rename(opened[-1] + ".gone")
    raise OSError(errno.EIO, "gone")


def infest() -> None:
    import soundfile

    from tagkit.audio.libav import LibavDecoder

    faults = {name: do for name, do in globals().items() if callable(do)} | {"abort": os.abort}
    really = soundfile.SoundFile.__init__

    def misbehave(self: object, file: int, *arguments: object, **options: object) -> None:
        path = Path(f"/proc/self/fd/{file}").readlink()
        opened.append(str(path))
        faults.get(path.stem.partition("-")[0], int)()
        really(self, file, *arguments, **options)

    soundfile.SoundFile.__init__ = misbehave
    LibavDecoder._measure = crowded(LibavDecoder._measure)


def fail_to_start() -> None:
    """With TAGKIT_FAULT_START, as often as that file has bytes."""
    if where := os.environ.get("TAGKIT_FAULT_START"):
        left = Path(where).read_bytes()
        Path(where).write_bytes(left[1:])
        if left[:1] == b"h":
            time.sleep(3600)
        if left:
            raise SystemExit("library: missing\ncannot load the library")


if "tagkit.audio.worker" in sys.orig_argv:
    fail_to_start()
    infest()
elif "tagkit" in sys.orig_argv:
    from tagkit.audio import process

    process.PATIENCE = PATIENCE
    process.START = PATIENCE
