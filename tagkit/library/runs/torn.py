"""A file with several names that a dead run was overwriting: its whole copy lies beside it.

A journal can be damaged, or a stranger's: nothing is put over a file that is not what a run of ours left
there. And somebody may have found the file first: what they made of it is theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tagkit.errors import AudioError, TagError
from tagkit.library import payload
from tagkit.library.runs.records import Write
from tagkit.library.saving import inplace
from tagkit.library.saving.guard import alone, os_errors

if TYPE_CHECKING:
    from tagkit.library.containers import TagFile

Opener = Callable[[Path], "TagFile"]

# Seconds that a run takes at most from the finished copy to the last byte of the file: slow disks included.
PATIENCE, PATIENCE_PER_BYTE = 60.0, 1e-6


def mend(write: Write, opened: Opener) -> bool:
    """See that the file of a write with a copy is whole: the old one, the new one, or somebody else's.

    The copy is gone then. False: it is neither, and the copy is kept. Raises TagkitError.
    """
    if write.redo is None or not inplace.is_copy_for(write.path, write.redo):
        return True  # it never began, has ended, or the journal names what is no copy of ours
    # Of several commands that find it one mends it, and may be writing to it before the next one looks.
    with alone(write.path):
        return _mend(write, write.path, write.redo, opened)


def _mend(write: Write, target: Path, redo: Path, opened: Opener) -> bool:
    if not inplace.is_copy_for(target, redo):
        return True
    copy = opened(redo)
    if not _holds(copy, write, new=True) or payload.content_key(redo) != write.content:
        return True
    if _is_whole(write, copy, opened):
        with os_errors(target):
            redo.unlink()
        return True
    if _edited_since(target, redo):
        return False
    inplace.complete(target, redo)
    return True


def _is_whole(write: Write, copy: TagFile, opened: Opener) -> bool:
    """Whether nothing is torn: the copy's audio and foreign tags, and the old values or the new ones."""
    assert write.redo is not None
    changing = {change.field for change in write.changes}
    try:
        tags = opened(write.path)
        return (
            (_holds(tags, write, new=False) or _holds(tags, write, new=True))
            and tags.foreign(changing) == copy.foreign(changing)
            and payload.audio_digest(write.path) == payload.audio_digest(write.redo)
        )
    except (TagError, AudioError):
        return False


def _holds(tags: TagFile, write: Write, *, new: bool) -> bool:
    return all(tuple(tags.get(c.field)) == (c.new if new else c.old) for c in write.changes)


def _edited_since(target: Path, redo: Path) -> bool:
    """Whether the file was written long after its copy was finished, and so by somebody else."""
    with os_errors(target):
        found, copy = target.stat(), redo.stat()
    patience = PATIENCE + PATIENCE_PER_BYTE * copy.st_size
    return found.st_mtime > copy.st_ctime + patience
