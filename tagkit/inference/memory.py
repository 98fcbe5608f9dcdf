"""Memory that is kept instead of given back.

Every network allocates buffers of some MiB, frees them, and asks for the same again a millisecond later. glibc
maps each such buffer from the kernel and unmaps it when it is freed, so that every page is zeroed and faulted in
again: a third and more of what the front end and an eager network cost. :func:`keep_buffers` has glibc keep them.
"""

from __future__ import annotations

import ctypes
import platform

# malloc.h of glibc.
_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8

#: Free bytes at the top of the heap that are kept, 1 GiB: more than any one track's buffers.
KEPT = 1 << 30
#: For ``kept``: all of them, which is what a training update needs again at once.
ALL = -1


def keep_buffers(kept: int = KEPT) -> bool:
    """Have the C library keep freed buffers for the rest of the process; return whether it does.

    Call it before the first large allocation: what was mapped before stays as it is. One heap for all threads,
    because each of glibc's arenas would keep its own. Linux with glibc only; elsewhere nothing happens.
    """
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, kept), (_M_ARENA_MAX, 1))
    return all(mallopt(*setting) == 1 for setting in settings)
