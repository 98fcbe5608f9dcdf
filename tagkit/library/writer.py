"""Apply one FileChange to its file: safely (``safesave``), proven, and journalled."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from tagkit.errors import (
    AudioError,
    ChangedError,
    NoWriterError,
    SaveError,
    TagError,
    TagkitError,
)
from tagkit.library import payload
from tagkit.library.change import FileChange
from tagkit.library.runs.journal import Journal
from tagkit.library.saving import interrupts, safesave, tempfiles
from tagkit.library.saving.guard import SkipError, os_errors
from tagkit.library.saving.safesave import Copy, SaveOptions

if TYPE_CHECKING:
    from tagkit.library.containers import TagFile

Opener: TypeAlias = "Callable[[Path], TagFile]"
Status: TypeAlias = Literal["written", "unchanged", "skipped", "failed"]

OTHER_AUDIO = "it holds other audio than before"
_AGAIN = "analyse it again"
_ODD = "nothing was written; if the file is not damaged, please report it as a bug in tagkit"


class Outcome(NamedTuple):
    """What became of one file. ``error`` says why it was skipped (on purpose) or failed.

    ``now`` is what a written file is, whatever another program has put in its place since.
    """

    path: Path
    status: Status
    error: TagkitError | None = None
    now: os.stat_result | None = None


class Writer:
    """Writes the changes of one run of the journal.

    ``open_tags`` opens a file's tag with the run's field layout, the one that made the changes too.
    """

    def __init__(
        self,
        journal: Journal,
        run: int,
        open_tags: Opener,
        options: SaveOptions = SaveOptions(),
    ) -> None:
        self._journal = journal
        self.run = run
        self._open = open_tags
        self._options = options
        self._entered: set[Path] = set()

    def apply(self, change: FileChange, *, reverts: int | None = None) -> Outcome:
        """Write one file, or say why not. ``reverts`` is the journal's write that is taken back.

        Raises StoreError alone: without its journal, tagkit writes nothing. A Ctrl-C during the
        copy leaves the original; one that comes later waits until the file and journal are done.
        """
        if not change.changes:
            return Outcome(change.path, "unchanged")
        try:
            now = self._write(change, reverts)
        except (SkipError, NoWriterError) as error:
            return Outcome(change.path, "skipped", error)
        except (TagError, AudioError) as error:
            return Outcome(change.path, "failed", error)
        return Outcome(change.path, "unchanged" if now is None else "written", now=now)

    def _write(self, change: FileChange, reverts: int | None) -> os.stat_result | None:
        """Return what the file is now; None where it held the new values already."""
        with os_errors(change.path):
            path = change.path.resolve(strict=True)  # a symlink stays one; its target is written
            self._enter(path.parent)
        with safesave.copied(path, self._options) as copy, _about(path):
            original = self._open(path)
            if is_written(original, change):
                return None
            refuse_if_changed(path, original, change)
            copy.fill()
            self._edit(copy, original, change)
            copy.seal()
            self._commit(copy, original, dataclasses.replace(change, path=path), reverts)
            with os_errors(path):
                return copy.now()

    def _commit(
        self, copy: Copy, original: TagFile, change: FileChange, reverts: int | None
    ) -> None:
        before = {c.field: original.snapshot(c.field) for c in change.changes}
        with interrupts.held():
            write = self._journal.pending(
                self.run, change, before=before, reverts=reverts, redo=copy.redo
            )
            try:
                copy.commit()
            finally:
                # A torn file stays pending: whoever opens the journal next completes it.
                if copy.state == "done":
                    self._journal.done(write)
                elif copy.state == "waiting":
                    copy.discard()  # first: what the journal calls void has left nothing
                    self._journal.void(write)

    def _enter(self, folder: Path) -> None:
        """Remove what dead runs left in a folder, and note that something of this one's may be left there."""
        if folder not in self._entered:
            tempfiles.sweep(folder)
            self._journal.note(self.run, folder)
            self._entered.add(folder)

    def _edit(self, copy: Copy, original: TagFile, change: FileChange) -> None:
        """Edit the copy's tag, and prove that nothing but the asked-for fields is different."""
        edited = self._open(copy.temp)
        for field, _, new, exact in change.changes:
            if exact is None:
                edited.set(field, new)
            else:
                edited.restore(field, exact, new)
        edited.save()
        if payload.audio_digest(copy.temp) != payload.audio_digest(copy.original):
            raise SaveError("the edit would have changed the audio", hint=_ODD)
        if lost := _differences(original, self._open(copy.temp), change):
            raise SaveError(f"the edit would have changed {lost}", hint=_ODD)


def is_written(tags: TagFile, change: FileChange) -> bool:
    """Whether the file holds the new values already."""
    return all(tuple(tags.get(c.field)) == c.new for c in change.changes)


def refuse_if_changed(path: Path, tags: TagFile, change: FileChange) -> None:
    """Raise ChangedError where the file is not what it was when the change was decided."""
    if payload.content_key(path) != change.content:
        raise ChangedError(OTHER_AUDIO, path=path, hint=_AGAIN)
    for field, old, _, _ in change.changes:
        if tuple(tags.get(field)) != old:
            raise ChangedError(f"its {field} is not what it was", path=path, hint=_AGAIN)


@contextlib.contextmanager
def _about(path: Path) -> Iterator[None]:
    """Name the file itself in errors that were met in its copy."""
    try:
        yield
    except (TagError, AudioError) as error:
        error.path = os.fspath(path)
        raise


def _differences(before: TagFile, after: TagFile, change: FileChange) -> str:
    """Name what differs after the edit from what should be there; "" where all is as it should be."""
    wanted = {c.field: c.new for c in change.changes}
    old, new = before.foreign(wanted.keys()), after.foreign(wanted.keys())
    names = [name for name in old.keys() | new.keys() if old.get(name) != new.get(name)]
    names += [f for f, values in wanted.items() if tuple(after.get(f)) != values]
    return ", ".join(sorted(names))
