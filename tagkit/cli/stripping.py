"""The steps of ``tagkit strip``: what is tagkit's in a file, found with the layout it was written with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from tagkit import __version__
from tagkit.cli import writing
from tagkit.errors import AudioError, NoWriterError, TagError
from tagkit.library.change import FileChange
from tagkit.library.layout import Layout, from_settings
from tagkit.library.payload import content_key
from tagkit.library.plan import Header, Waiting, carried
from tagkit.library.runs.journal import Journal
from tagkit.library.runs.session import Session
from tagkit.library.runs.strip import strip
from tagkit.library.writer import Outcome


class Strip:
    """Looks at one file after the other, and strips them with the layout it found."""

    def __init__(
        self, journal: Journal, session: Session, tally: writing.Tally, layout: Layout | None
    ) -> None:
        self._journal = journal
        self._session = session
        self._tally = tally
        self._layout = layout  # None: the one of the file's last write, else the default
        self._of_runs: dict[int, Layout] = {}

    def gather(self, paths: Iterable[Path]) -> tuple[Waiting, list[Layout]]:
        """Put aside what to strip; return that and the layout of each of its files."""
        layouts: list[Layout] = []

        def changes() -> Iterator[FileChange]:
            for path in paths:
                if found := self._look(path):
                    layouts.append(found[1])
                    yield found[0]

        header = Header(__version__, "", {})
        return Waiting(changes(), header, self._journal.path.parent), layouts

    def _look(self, path: Path) -> tuple[FileChange, Layout] | None:
        """Return what to strip from a file, and with which layout; None where there is nothing."""
        try:
            key = content_key(path)
            layout = self._layout or self._last_layout(path, key)
            remembered = self._journal.remembered(path, key)
            change = strip(path, layout.open(path), content=key, remembered=remembered)
            change = carried(change) if change.changes else change
        except NoWriterError:
            self._tally.add(Outcome(path, "unchanged"))  # tagkit has never written it
            return None
        except (AudioError, TagError) as error:
            self._tally.fail(error)
            return None
        for field in change.kept:
            writing.say(f"left: {path}: its {field} was edited since tagkit wrote it")
        if not change.changes:
            self._tally.add(Outcome(path, "unchanged"))
            return None
        return change, layout

    def apply(self, change: FileChange, layout: Layout) -> Outcome:
        key = json.dumps(layout.settings(), sort_keys=True)
        return self._session.writer(key, layout).apply(change)

    def _last_layout(self, path: Path, content: str) -> Layout:
        for write in self._journal.history(path, content):
            return self._layout_of(write.run)
        return Layout()

    def _layout_of(self, number: int) -> Layout:
        # Asked once a run: to read one counts its writes, and each file of it would count them all.
        if number not in self._of_runs:
            run = self._journal.run(number)
            self._of_runs[number] = (
                from_settings(run.settings, self._journal.path) if run else Layout()
            )
        return self._of_runs[number]
