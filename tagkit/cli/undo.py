"""``tagkit undo``: take back what a run wrote, where it is still there."""

from __future__ import annotations

from typing import Annotated

import typer

from tagkit.cli import writing


def undo(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN] [PATH]...",
            help="The number of a run ('tagkit history'), or files and folders, or both.",
        ),
    ] = None,
    dry_run: writing.DryRunOption = False,
    keep_mtime: writing.KeepMtimeOption = False,
    through_links: writing.ThroughLinksOption = False,
    force: writing.ForceOption = False,
    yes: writing.YesOption = False,
    journal: writing.JournalOption = None,
) -> None:
    """Take back what tagkit wrote: by default the last run that is not taken back yet.

    A field goes back only where it still holds what the run wrote; one that was edited since is
    named and left. With PATHs, the last write of each file is taken back (or what RUN wrote to it);
    a file that has been moved is found by its audio when its new place is given. An undo is a run
    too: give its number to undo it.
    """
    from tagkit.cli import takeback
    from tagkit.library.runs.settle import open_journal

    tally = writing.Tally()
    options = writing.save_options(keep_mtime=keep_mtime, through_links=through_links, force=force)
    with open_journal(journal) as book:
        run, paths = takeback.parse(targets or [], book)
        chosen = takeback.choose(book, run, paths, tally)
        with writing.session(book, "undo", options) as session:
            undo = takeback.Undo(book, session, tally, options if dry_run else None)
            if not dry_run:
                writing.confirm(len(chosen), yes)
            for target in writing.track(chosen, "undo"):
                undo.take_back(target)
        for source, number in session.runs.items():
            writing.say(f"taken back from run {source}; 'tagkit undo {number}' reverses that")
        tally.end("would be restored" if dry_run else "restored")
