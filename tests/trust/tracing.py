"""The system calls of a command, and what happens where one of them fails or the process dies at it (strace).

A first run with :func:`calls` shows which there are; a second one, from the same state, has one of them
harmed by :func:`harm`. Python's own start makes thousands of calls: only those count that touch the
folders of the test.
"""

from __future__ import annotations

import functools
import os
import random
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

_LINE = re.compile(r"(?P<pid>\d+) +(?P<name>\w+)\((?P<rest>.*)")
_TEMPORARY = re.compile(r"\.tagkit-[0-9a-f]{16}")
# A trace shows no bytes, so that a path among them is not taken for a call's own; names are always whole.
_STRACE = ("strace", "-f", "-q", "-y", "-s", "0", "-o")

READING = {
    "newfstatat",
    "fstat",
    "stat",
    "lstat",
    "statx",
    "access",
    "faccessat2",
    "readlink",
    "lseek",
}
READING |= {
    "read",
    "pread64",
    "getdents64",
    "statfs",
    "fstatfs",
    "getcwd",
    "listxattr",
    "getxattr",
    "mmap",
}


class Call(NamedTuple):
    """The ``number``-th call of this ``name`` by the command's first thread; ``place``: what it touches."""

    name: str
    number: int
    place: str
    text: str

    @property
    def changes(self) -> bool:
        """Whether it can change a file, or what is known of one."""
        if self.name in ("openat", "open"):
            return "O_CREAT" in self.text or "O_RDWR" in self.text or "O_WRONLY" in self.text
        return self.name not in READING


@functools.cache
def require() -> None:
    """Skip the test where there is no strace or it may not trace; in CI that is a failure."""
    reason = ""
    if shutil.which("strace") is None:
        reason = "needs strace"
    elif subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True).returncode:
        reason = "this user may not trace processes"
    if reason:
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


def watch(trace: Path) -> list[str]:
    """Return the words before a command that has its calls written to ``trace``."""
    return [*_STRACE, str(trace), "-e", "trace=%file,%desc"]


def harm(trace: Path, call: Call, how: str, *, onwards: bool = False) -> list[str]:
    """Return the words before a command of which one call is harmed, or that and all of its name after it.

    ``how`` is strace's: ``signal=KILL`` ends the process instead of the call, ``error=ENOSPC`` has it fail.
    """
    when = f"{call.number}+" if onwards else str(call.number)
    inject = ["-e", f"trace={call.name}", "-e", f"inject={call.name}:{how}:when={when}"]
    # With it, only calls of this name stop the process, and the run is as fast as ever; but no signal comes.
    faster = [] if "signal" in how else ["--seccomp-bpf"]
    return [*_STRACE, str(trace), *faster, *inject]


def calls(trace: Path, folders: Sequence[Path]) -> list[Call]:
    """Return the calls in a trace that touch something below one of these folders."""
    numbers: Counter[str] = Counter()
    first = None
    found = []
    for line in trace.read_text(errors="replace").splitlines():
        parts = _LINE.match(line)
        if parts is None:
            continue
        first = first or parts["pid"]
        if parts["pid"] != first:
            continue
        numbers[parts["name"]] += 1
        for folder in folders:
            if f"{folder}/" in parts["rest"] or f'{folder}"' in line or f"{folder}>" in line:
                place = _place(parts["rest"], folder)
                found.append(Call(parts["name"], numbers[parts["name"]], place, parts["rest"]))
                break
    return found


def _place(text: str, folder: Path) -> str:
    """Name what a call touches, alike for all files of one role."""
    name = re.split(r'[">]', text.partition(str(folder))[2])[0]
    if _TEMPORARY.search(name):
        return f"{folder.name}: temporary"
    if folder.name == "Music":
        return "Music: file" if name else "Music"
    return f"{folder.name}: {re.sub('[0-9]+', 'N', name)}"


def injected(trace: Path) -> list[str]:
    """Return the calls that were made to fail."""
    return [line for line in trace.read_text(errors="replace").splitlines() if "(INJECTED)" in line]


def choose(found: Sequence[Call], count: int, random: random.Random) -> list[Call]:
    """Draw ``count`` calls: each kind of call at each kind of place at least once, as far as they go."""
    kinds: dict[tuple[str, str], list[Call]] = {}
    for call in random.sample(found, len(found)):
        kinds.setdefault((call.name, call.place), []).append(call)
    drawn: list[Call] = []
    while kinds and len(drawn) < count:
        for kind in list(kinds):
            drawn.append(kinds[kind].pop())
            if not kinds[kind]:
                del kinds[kind]
    return drawn[:count]
