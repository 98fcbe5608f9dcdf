"""The steps of ``tagkit undo``: which writes are meant, and each of them taken back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from tagkit.cli import writing
from tagkit.errors import AudioError, ChangedError, TagError, UsageError
from tagkit.library.layout import from_settings
from tagkit.library.payload import content_key
from tagkit.library.runs.journal import Journal
from tagkit.library.runs.records import Run, Write
from tagkit.library.runs.session import Session
from tagkit.library.runs.undo import Reversal, last_write, reversal, written_since
from tagkit.library.saving.safesave import SaveOptions
from tagkit.library.writer import Outcome


class Target(NamedTuple):
    """A write to be taken back, and where its file is now (None: where it was)."""

    write: int
    path: Path | None = None


def parse(targets: list[str], journal: Journal) -> tuple[Run | None, list[str]]:
    """Tell a run's number from paths. Raises UsageError."""
    first = targets[0] if targets else ""
    if not (first.isascii() and first.isdigit()) or os.path.lexists(first):
        return None, targets
    run = journal.run(int(first))
    if run is None:
        raise UsageError(f"there is no run {first}", hint="tagkit history lists them")
    return run, targets[1:]


def choose(
    journal: Journal, run: Run | None, paths: list[str], tally: writing.Tally
) -> list[Target]:
    """Return what is meant, the last write first. Raises UsageError."""
    return _of_paths(journal, paths, run, tally) if paths else _of_run(journal, run)


def _of_run(journal: Journal, run: Run | None) -> list[Target]:
    """Return what is left of a run, by default of the last one. Raises UsageError."""
    run = run or journal.last_run()
    if run is None:
        raise UsageError("there is nothing to take back", hint="tagkit history lists the runs")
    if journal.is_alive(run.id):
        raise UsageError(f"run {run.id} is still at work", hint="wait until it has ended")
    return [Target(number) for number in journal.writes(run.id)]


def _of_paths(
    journal: Journal, inputs: list[str], run: Run | None, tally: writing.Tally
) -> list[Target]:
    """Return the last write of each file, or what ``run`` wrote to it."""
    found = []
    named = set(inputs)
    for path in writing.files_below(inputs, tally):
        try:
            write = last_write(journal, path, content_key(path), run.id if run else None)
        except AudioError as error:
            tally.fail(error)
            continue
        if write is not None:
            found.append(Target(write.id, path))
        elif str(path) in named:
            tally.add(Outcome(path, "unchanged"))
            writing.say(f"{path}: nothing of tagkit's to take back")
    return found


class Undo:
    """Takes back one write after the other, or only shows what that would do."""

    def __init__(
        self,
        journal: Journal,
        session: Session,
        tally: writing.Tally,
        rehearse: SaveOptions | None,
    ) -> None:
        self._journal = journal
        self._session = session
        self._tally = tally
        self._rehearse = rehearse  # with these options a write would be; None: it is
        self._runs: dict[int, Run] = {}

    def take_back(self, target: Target) -> None:
        write = self._journal.write(target.write)
        if write.undone:
            return
        path = target.path or write.path
        try:
            found = self._compare(write, path)
        except TagError as error:
            self._tally.fail(error)
            return
        since = written_since(self._journal, write, path) if found.left else {}
        for field in found.left:
            by = f"written by the later run {since[field]}" if field in since else ""
            writing.say(f"left: {path}: its {field} was {by or f'edited since run {write.run}'}")
        self._tally.add(self._apply(write, found, later=not since.keys().isdisjoint(found.left)))

    def _compare(self, write: Write, path: Path) -> Reversal:
        if not os.path.lexists(path):
            hint = f"has it moved? tagkit undo {write.run} NEW-PATH"
            raise ChangedError("it is no longer there", path=path, hint=hint)
        layout = from_settings(self._run(write).settings, self._journal.path)
        return reversal(write, path, layout.open(path))

    def _apply(self, write: Write, found: Reversal, later: bool) -> Outcome:
        """Take back what can be; ``later``: the rest can be when a later run is taken back."""
        change = found.change
        if self._rehearse is not None:
            return writing.preview(change, self._rehearse)
        if not change.changes:
            if not later:
                self._journal.nothing_left(write.id)
            return Outcome(change.path, "unchanged")
        run = self._run(write)
        writer = self._session.writer(run.id, from_settings(run.settings), run.model)
        outcome = writer.apply(change, reverts=write.id)
        if later:
            self._journal.something_left(write.id)
        return outcome

    def _run(self, write: Write) -> Run:
        if write.run not in self._runs:
            self._runs[write.run] = self._journal.run_of(write)
        return self._runs[write.run]
