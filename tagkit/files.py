"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def whole(target: Path) -> Iterator[BinaryIO]:
    """Yield a file to be written; it becomes ``target`` when the block ends without an error.

    Temporary name in the same folder, flushed to the disk, renamed. After an error, or a Ctrl-C, what
    was at ``target`` is as it was and the temporary file is gone. A link is followed and stays one.
    Raises OSError, also where ``target`` is no file (a device would be replaced by one).
    """
    target = target.resolve()
    if target.exists() and not target.is_file():
        raise OSError(errno.EINVAL, "not a regular file", os.fspath(target))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
