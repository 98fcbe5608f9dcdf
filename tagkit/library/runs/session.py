"""The runs that one command makes: one for each field layout that its files were written with."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from tagkit.library.layout import Layout
from tagkit.library.runs.journal import Journal
from tagkit.library.runs.records import Kind
from tagkit.library.saving.safesave import SaveOptions
from tagkit.library.writer import Writer


class Session:
    """Writers on one journal. A run begins when its first writer is asked for, and ends with the session."""

    def __init__(
        self,
        journal: Journal,
        kind: Kind,
        options: SaveOptions,
        *,
        command: Sequence[str],
        version: str,
    ) -> None:
        self._journal = journal
        self._kind = kind
        self._options = options
        self._command = command
        self._version = version
        self._writers: dict[Hashable, Writer] = {}

    def writer(self, key: Hashable, layout: Layout, model: str = "") -> Writer:
        """Return the writer for ``key``: files with equal keys share a run, and so must their layout."""
        if key not in self._writers:
            run = self._journal.begin(
                self._kind,
                command=self._command,
                version=self._version,
                model=model,
                settings=layout.settings(),
            )
            self._writers[key] = Writer(self._journal, run, layout.open, self._options)
        return self._writers[key]

    @property
    def runs(self) -> dict[Hashable, int]:
        """The number of each run, by its key."""
        return {key: writer.run for key, writer in self._writers.items()}

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        for run in self.runs.values():
            self._journal.finish(run)
