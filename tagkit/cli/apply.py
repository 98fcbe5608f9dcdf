"""``tagkit apply``: write exactly what a saved plan says, and refuse what has changed since."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from tagkit.cli import writing


def apply(
    plan: Annotated[Path, typer.Argument(help="A file that 'tagkit tag --plan FILE' has written.")],
    root: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OLD=NEW", help="Folder OLD of the plan is NEW on this machine; repeatable."
        ),
    ] = None,
    fields: writing.FieldsOption = None,
    dry_run: writing.DryRunOption = False,
    keep_mtime: writing.KeepMtimeOption = False,
    through_links: writing.ThroughLinksOption = False,
    force: writing.ForceOption = False,
    yes: writing.YesOption = False,
    journal: writing.JournalOption = None,
) -> None:
    """Write exactly what a plan says, on the machine that made it or another one.

    The whole plan is checked first. A file that holds other audio than then, or other values in the
    fields that would change, is refused with the reason; one that holds the new values already is
    left. A plan that was made with --fields needs the same file again.
    """
    from tagkit.cli.applying import Roots, check
    from tagkit.library.layout import for_plan
    from tagkit.library.plan import load_plan
    from tagkit.library.runs.settle import open_journal

    tally = writing.Tally()
    missing = 0
    options = writing.save_options(keep_mtime=keep_mtime, through_links=through_links, force=force)
    with open_journal(journal) as book:
        loaded = load_plan(plan)
        layout = for_plan(loaded.header.settings, fields, plan)
        roots = Roots.parse(root or [])
        if not dry_run:
            writing.confirm(loaded.count, yes)
        with writing.session(book, "apply", options) as session:
            for planned in writing.track(loaded, "apply", total=loaded.count):
                change = roots.move(planned)
                missing += not os.path.lexists(change.path)
                if dry_run:
                    tally.add(check(change, layout, options))
                else:
                    writer = session.writer(None, layout, loaded.header.model)
                    tally.add(writer.apply(change))
        if missing == loaded.count > 0:
            writing.say("none of the plan's files is here; --root OLD=NEW says where they are")
        tally.end("would be written" if dry_run else "written")
