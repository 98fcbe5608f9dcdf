"""What the commands that write share: options, the journal, one line a file, a summary, the exit code."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias, TypeVar

import typer

from tagkit.errors import TagError, TagkitError, UsageError, VocabularyError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from tagkit.library.change import FileChange
    from tagkit.library.runs.journal import Journal
    from tagkit.library.runs.records import Kind
    from tagkit.library.runs.session import Session
    from tagkit.library.saving.safesave import SaveOptions
    from tagkit.library.writer import Outcome

T = TypeVar("T")

JournalOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--journal", envvar="TAGKIT_JOURNAL", help="Use this journal, not the user's own."
    ),
]
DryRunOption: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Show what would change, old → new; write nothing.")
]
KeepMtimeOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--keep-mtime",
        help="Give the file its old time back. Programs that look for new times"
        " (quick scans, rsync, backups) then miss the change.",
    ),
]
ThroughLinksOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--through-links", help="Write files with several names (hard links) too: all names change."
    ),
]
ForceOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--force", help="Write even where owner, ACLs or attributes cannot be carried over."
    ),
]
YesOption: TypeAlias = Annotated[
    bool, typer.Option("--yes", "-y", help="Do not ask before many files are written.")
]
FieldsOption: TypeAlias = Annotated[
    Path | None, typer.Option("--fields", help="TOML that maps categories to other fields.")
]

ASK_ABOVE = 100  # files


@contextmanager
def reported() -> Iterator[None]:
    """Turn what ends a command into one line on stderr and the exit code: 2 usage, 130 Ctrl-C, else 1."""
    try:
        yield
    except TagkitError as error:
        say(f"error: {error}")
        raise typer.Exit(2 if isinstance(error, UsageError | VocabularyError) else 1) from error
    except KeyboardInterrupt:
        say("interrupted; everything finished is kept")
        raise typer.Exit(130) from None
    except BrokenPipeError:
        # The reader has what it wanted (head, less).
        _forget_stdout()
        raise typer.Exit(0) from None
    except OSError as error:
        _forget_stdout()
        where = f"{error.filename}: " if error.filename else "stdout: "
        say(f"error: {where}{error.strerror or error}")
        raise typer.Exit(1) from error


def _forget_stdout() -> None:
    """Send the rest to nowhere: Python would complain of the broken stdout once more at its exit."""
    with suppress(OSError, ValueError):  # ValueError: a stand-in without a descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


_bars: list[Progress] = []  # the one that is drawn now


def say(text: str) -> None:
    """Write a line to stderr. Names and tags come from strangers: nothing in them moves the cursor."""
    if _bars:  # above the bar, not into it
        _bars[-1].console.print(printable(text), markup=False, highlight=False, soft_wrap=True)
    else:
        typer.echo(printable(text), err=True)


def tables(*, wrapped: bool = False) -> Console:
    """Return what prints tables to stdout: in the terminal's width; in a pipe whole, or ``wrapped``."""
    from rich.console import Console

    class Output(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would end the program with 1

    return Output(width=None if wrapped or sys.stdout.isatty() else 1000)


def printable(text: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def show_change(change: FileChange) -> None:
    """Write a file's changes to stdout, one line a field."""
    typer.echo(printable(str(change.path)))
    for field_change in change.changes:
        show_field(field_change.field, field_change.old, field_change.new)


def show_field(name: str, old: Sequence[str], new: Sequence[str]) -> None:
    if name != "tagkit":  # the marker goes with the others, and is no news to anybody
        before, after = ("; ".join(values) or "(none)" for values in (old, new))
        typer.echo(printable(f"  {name}: {before} → {after}"))


def confirm(count: int, yes: bool) -> None:
    """Ask once before more than 100 files are written; never where nobody can answer."""
    if count > ASK_ABOVE and not yes and _answerable():
        try:
            agreed = typer.confirm(f"Write {count:,} files?", err=True)
        except typer.Abort as error:  # Ctrl-C, or the end of the input
            raise KeyboardInterrupt from error
        if not agreed:
            say("nothing is written")
            raise typer.Exit(1)


def _answerable() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def is_default(context: typer.Context, name: str) -> bool:
    """Whether an option's value comes from the config file, or from nowhere."""
    source = context.get_parameter_source(name)
    return source is None or source.name in ("DEFAULT", "DEFAULT_MAP")


@dataclass
class Tally:
    """What became of the files: each that was not done is named on stderr at once."""

    counts: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        self.counts[outcome.status] += 1
        if outcome.error is not None:
            say(f"{outcome.status}: {outcome.error}")

    def fail(self, error: TagkitError) -> None:
        self.counts["failed"] += 1
        say(f"failed: {error}")

    def end(self, done: str) -> None:
        """Say how many files were ``done`` ("restored"), and what else; exit 1 where one failed."""
        words = [f"{self.counts['written']:,} {done}"]
        words += [
            f"{self.counts[status]:,} {status}"
            for status in ("unchanged", "skipped", "failed")
            if self.counts[status]
        ]
        say(", ".join(words))
        if self.counts["failed"]:
            raise typer.Exit(1)


def preview(change: FileChange, options: SaveOptions) -> Outcome:
    """Show a change in place of writing it, where the file could be written."""
    from tagkit.library.writer import Outcome

    if not change.changes:
        return Outcome(change.path, "unchanged")
    if refused := refusal(change, options):
        return refused
    show_change(change)
    return Outcome(change.path, "written")


def refusal(change: FileChange, options: SaveOptions) -> Outcome | None:
    """Return what would become of a file that may not be written, and None where it may."""
    from tagkit.library.saving.guard import SkipError, os_errors, preflight
    from tagkit.library.writer import Outcome

    try:
        with os_errors(change.path):
            path = change.path.resolve(strict=True)
        preflight(path, through_links=options.through_links)
    except SkipError as error:
        return Outcome(change.path, "skipped", error)
    except TagError as error:
        return Outcome(change.path, "failed", error)
    return None


def save_options(*, keep_mtime: bool, through_links: bool, force: bool) -> SaveOptions:
    from tagkit.library.saving.safesave import SaveOptions

    return SaveOptions(keep_mtime=keep_mtime, through_links=through_links, force=force)


def session(journal: Journal, kind: Kind, options: SaveOptions) -> Session:
    """Begin the runs of this command."""
    from tagkit import __version__
    from tagkit.library.runs.session import Session

    command = ["tagkit", *sys.argv[1:]]
    return Session(journal, kind, options, command=command, version=__version__)


def track(items: Iterable[T], doing: str, total: int | None = None) -> Iterator[T]:
    """Show a bar with rate and remaining time while the items pass, where a person looks on."""
    count = len(items) if isinstance(items, Sized) else total
    with progress(doing, count) as advance:
        for item in items:
            yield item
            advance("")


@contextmanager
def progress(doing: str, total: int | None) -> Iterator[Callable[[str], None]]:
    """Yield a function that moves a bar on stderr by one file, with a word on its rate."""
    # Asked before rich is loaded, whose variables can call a pipe a terminal.
    if not (sys.stderr.isatty() or {"FORCE_COLOR", "TTY_COMPATIBLE"} & os.environ.keys()):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(show_speed=False),
        TextColumn("{task.completed}/{task.total} {task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    with bar:
        task = bar.add_task(doing, total=total, rate="")
        _bars.append(bar)
        try:
            yield lambda rate: bar.update(task, advance=1, rate=rate)
        finally:
            _bars.remove(bar)


def files_below(inputs: list[str], tally: Tally) -> Iterator[Path]:
    """Yield the audio files that a person named, or that lie below a folder that was named."""
    from tagkit.library.finding.scan import Found, scan

    for report in scan(inputs):
        if isinstance(report, Found):
            yield report.path
        elif report.failed:
            tally.fail(TagkitError(report.reason, path=report.path))
