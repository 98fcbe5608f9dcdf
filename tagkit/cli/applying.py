"""The steps of ``tagkit apply``: where the plan's files are here, and whether they are what they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tagkit.cli import writing
from tagkit.errors import AudioError, NoWriterError, TagError, UsageError
from tagkit.library.change import FileChange
from tagkit.library.layout import Layout
from tagkit.library.saving.safesave import SaveOptions
from tagkit.library.writer import Outcome, is_written, refuse_if_changed


@dataclass(frozen=True)
class Roots:
    """Folders of the plan's machine, and where they are on this one; the first that fits counts."""

    pairs: tuple[tuple[Path, Path], ...]

    @classmethod
    def parse(cls, texts: Sequence[str]) -> Roots:
        """Read ``OLD=NEW``. Raises UsageError."""
        pairs = []
        for text in texts:
            old, equals, new = text.partition("=")
            if not (equals and old and new):
                raise UsageError(f"--root {text}: expected OLD=NEW")
            pairs.append((Path(old), Path(new).absolute()))
        return cls(tuple(pairs))

    def move(self, change: FileChange) -> FileChange:
        for old, new in self.pairs:
            if change.path.is_relative_to(old):
                return replace(change, path=new / change.path.relative_to(old))
        return change


def check(change: FileChange, layout: Layout, options: SaveOptions) -> Outcome:
    """Show the change if it could be applied now, and say what would become of it."""
    try:
        tags = layout.open(change.path)
        if is_written(tags, change):
            return Outcome(change.path, "unchanged")
        refuse_if_changed(change.path, tags, change)
    except NoWriterError as error:
        return Outcome(change.path, "skipped", error)
    except (AudioError, TagError) as error:
        return Outcome(change.path, "failed", error)
    return writing.preview(change, options)
