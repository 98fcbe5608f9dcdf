"""System calls that fail while tagkit writes or takes back: a full disk, a broken one, no permission, no descriptors.

Each call on the way is made to fail once, or from then on. A file that could not be written is named, every
file is the old or the new one, and once the fault is gone the next run ends the work.
"""

from __future__ import annotations

import time

import pytest

from tests.trust import size, tracing
from tests.trust.harmed import Library

pytestmark = pytest.mark.timeout(0 if size.FULL else 300)

READS = ("EIO", "EACCES")
WRITES = ("ENOSPC", "EIO", "EDQUOT", "EROFS")
# What can go wrong with a call; others fail as a read does.
ERRORS = {
    "openat": ("EMFILE", "EACCES", "EIO", "ENOSPC", "EROFS"),
    "flock": ("ENOLCK", "EIO"),
    "fcntl": ("ENOLCK", "EIO"),
    "chmod": ("EPERM", "EROFS", "EIO"),
    "close": ("EIO",),
    "mmap": ("ENOMEM",),
    "lseek": ("EIO",),
    "ioctl": ("EIO", "EOPNOTSUPP"),
}
ERRORS |= dict.fromkeys(("write", "pwrite64", "fsync", "fdatasync", "ftruncate"), WRITES)
ERRORS |= dict.fromkeys(("fallocate", "rename", "renameat2", "unlink", "mkdir"), (*WRITES, "EPERM"))


@pytest.fixture(scope="module")
def harmed(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return Library(tmp_path_factory.mktemp("calls"))


@pytest.mark.parametrize("doing", ["write", "undo"])
@pytest.mark.parametrize("onwards", [False, True], ids=["once", "from then on"])
def test_a_call_fails_and_no_file_is_harmed(harmed: Library, doing: str, onwards: bool) -> None:
    tracing.require()
    begun = time.monotonic()
    random = size.draws(f"calls {doing} {onwards}")
    found = tracing.calls(harmed.trace(doing), harmed.folders)
    failed = 0
    chosen = tracing.choose(found, size.of(10, 75), random)
    for call in chosen:
        error = random.choice(ERRORS.get(call.name, READS))
        harmed.restore(doing)
        harm = tracing.harm(harmed.scratch, call, f"error={error}", onwards=onwards)
        done = harmed.run(doing, before=harm)
        told = (call, error, done.stderr)
        assert done.returncode in (0, 1), told
        assert tracing.injected(harmed.scratch), told
        finished = harmed.check(doing)
        if done.returncode == 0:
            assert finished == len(harmed.shelf.files), told
        elif not (onwards and call.name == "write"):  # that of stderr fails too
            assert _says_what(harmed, done.stderr), told
        failed += done.returncode
        harmed.finish(doing)
    assert failed, "nothing that failed was of any consequence"
    size.tell(
        f"a call fails: {doing}, {'from then on' if onwards else 'once'}",
        time.monotonic() - begun,
        faults=len(chosen),
        runs_that_failed=failed,
    )


def _says_what(harmed: Library, said: str) -> bool:
    """Whether a line names the file, or what else the run cannot do without, and says that it failed."""
    lines = [line for line in said.splitlines() if line.startswith(("failed: ", "error: "))]
    return any(str(folder) in line for line in lines for folder in harmed.folders)
