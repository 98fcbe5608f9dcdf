"""What belongs to a file beside its bytes: mode, owner, and extended attributes (POSIX ACLs are among them)."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from pathlib import Path
from typing import NamedTuple

# Set by the kernel or a security policy for each new file; no user's data, and not settable by all.
_SYSTEM_MADE = {"security.selinux", "security.ima", "security.evm"}


class Attributes(NamedTuple):
    mode: int  # permission bits
    uid: int
    gid: int
    extended: dict[str, bytes]


def read(path: Path) -> Attributes:
    """Return the attributes of a file. Raises OSError."""
    found = path.stat()
    return Attributes(stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid, _extended(path))


def carry(wanted: Attributes, to: Path) -> list[str]:
    """Give the file ``to`` these attributes; return in words what it could not be given.

    In an order that counts: a change of owner clears mode bits, and a mode change rewrites an ACL's mask.
    """
    lost: list[str] = []
    now = to.stat()
    if (now.st_uid, now.st_gid) != (wanted.uid, wanted.gid):
        try:
            os.chown(to, wanted.uid, wanted.gid)
        except OSError:
            lost.append(f"owner {wanted.uid}:{wanted.gid}")
            with contextlib.suppress(
                OSError
            ):  # the group alone is worth having for shared libraries
                os.chown(to, -1, wanted.gid)
    to.chmod(wanted.mode)
    if sys.platform == "linux":
        # A folder's default ACL gives a new file one that the original never had.
        for name in _extended(to).keys() - wanted.extended.keys():
            os.removexattr(to, name)
        for name, value in wanted.extended.items():
            try:
                os.setxattr(to, name, value)
            except OSError:
                lost.append(name)
    return lost


def _extended(path: Path) -> dict[str, bytes]:
    if sys.platform != "linux":
        return {}
    try:
        return {
            name: os.getxattr(path, name) for name in os.listxattr(path) if name not in _SYSTEM_MADE
        }
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return {}
        raise
