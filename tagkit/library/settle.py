"""What a killed run left half-recorded: the files themselves say what happened to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tagkit.errors import TagkitError
from tagkit.library import inplace
from tagkit.library.journal import Journal
from tagkit.library.records import Write
from tagkit.library.writer import Opener


def settle(journal: Journal, opener: Callable[[Mapping[str, Any]], Opener]) -> int:
    """Settle the pending writes of dead runs; return how many.

    ``opener`` turns a run's settings into what opens its files. A file that is not there now (an
    unplugged disk) stays pending until it is back.
    """
    settled = 0
    for write in journal.unsettled():
        run = journal.run(write.run)
        happened = _happened(write, opener(run.settings)) if run is not None else False
        if happened is not None:
            (journal.done if happened else journal.void)(write.id)
            settled += 1
    return settled


def _happened(write: Write, open_tags: Opener) -> bool | None:
    try:
        if write.redo is not None:
            inplace.complete(write.path, write.redo)
        tags = open_tags(write.path)
        # A file is replaced as a whole: old values all over mean that it was not. Anything else,
        # the new ones or later ones of the user's, is safe to call done: an undo takes back only
        # what still holds what was written.
        return any(tuple(tags.get(change.field)) != change.old for change in write.changes)
    except TagkitError:
        return None
