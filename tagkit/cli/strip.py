"""``tagkit strip``: remove what tagkit wrote, and nothing of the user's."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from tagkit.cli import writing


def strip(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files and folders.")],
    fields: writing.FieldsOption = None,
    dry_run: writing.DryRunOption = False,
    keep_mtime: writing.KeepMtimeOption = False,
    through_links: writing.ThroughLinksOption = False,
    force: writing.ForceOption = False,
    yes: writing.YesOption = False,
    journal: writing.JournalOption = None,
) -> None:
    """Remove exactly what tagkit ever wrote from files: known by their TAGKIT field and the journal.

    A field that was edited since is named and left; values that were there before tagkit added its
    own stay. What --existing replace overwrote does not come back: that is undo's work.
    """
    from tagkit.cli.stripping import Strip
    from tagkit.library.layout import load_layout
    from tagkit.library.runs.settle import open_journal

    tally = writing.Tally()
    options = writing.save_options(keep_mtime=keep_mtime, through_links=through_links, force=force)
    with (
        open_journal(journal) as book,
        writing.session(book, "strip", options) as session,
    ):
        work = Strip(book, session, tally, load_layout(fields) if fields else None)
        waiting, layouts = work.gather(writing.files_below(paths, tally))
        with closing(waiting):
            if not dry_run:
                writing.confirm(len(layouts), yes)
            found = zip(waiting, layouts, strict=True)
            for change, layout in writing.track(found, "strip", total=len(layouts)):
                done = writing.preview(change, options) if dry_run else work.apply(change, layout)
                tally.add(done)
    tally.end("would be stripped" if dry_run else "stripped")
