"""What a killed run left half-recorded: the files themselves say what happened to them."""

from __future__ import annotations

from pathlib import Path

from tagkit.errors import TagkitError
from tagkit.library import layout
from tagkit.library.runs import torn
from tagkit.library.runs.journal import Journal, default_path
from tagkit.library.runs.records import Write
from tagkit.library.saving import tempfiles


def open_journal(path: Path | None = None) -> Journal:
    """Open the user's journal, or another one, and settle it. Raises StoreError."""
    journal = Journal(path or default_path())
    try:
        settle(journal)
    except BaseException:
        journal.close()
        raise
    return journal


def settle(journal: Journal) -> int:
    """Settle the pending writes of dead runs, and remove what else they left; return how many there were.

    A file that is not there now (an unplugged disk) stays pending until it is back.
    """
    settled = 0
    for write in journal.unsettled():
        happened = _happened(journal, write)
        if happened is not None:
            (journal.done if happened else journal.void)(write.id)
            settled += 1
    journal.bury(lambda folder: _clean(journal, folder))
    return settled


def _happened(journal: Journal, write: Write) -> bool | None:
    run = journal.run(write.run)
    try:
        opened = layout.from_settings(run.settings if run else {}).open
        if write.redo is not None and not torn.mend(write, opened):
            return None
        tags = opened(write.path)
        # A file is replaced as a whole: old values all over mean that it was not. Anything else,
        # the new ones or later ones of the user's, is safe to call done: an undo takes back only
        # what still holds what was written.
        return any(tuple(tags.get(change.field)) != change.old for change in write.changes)
    except TagkitError:
        return None


def _clean(journal: Journal, folder: Path) -> bool:
    """Remove the temporary files of dead runs from a folder; return whether none is left in it."""
    try:
        tempfiles.sweep(folder, journal.is_over)
    except OSError:
        # Gone for good where the folder above it is there; else a disk that may come back.
        return not folder.exists() and folder.parent.exists()
    return not tempfiles.lie_in(folder)
