"""The steps of ``tagkit tag``, one method each, and what they count."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import typer

from tagkit import __version__, engines
from tagkit.cli import writing
from tagkit.cli.job import Job
from tagkit.cli.render import Renderer
from tagkit.cli.writing import say
from tagkit.errors import AudioError, ChangedError, NoWriterError, TagError, TagkitError
from tagkit.library import deciding
from tagkit.library.change import FileChange
from tagkit.library.fields import PROBABILITY
from tagkit.library.finding import remote, scan
from tagkit.library.finding.input_list import input_list
from tagkit.library.finding.paths import Paths
from tagkit.library.neighbours import Neighbours, gather
from tagkit.library.payload import content_key
from tagkit.library.plan import Header, Waiting, carried, save_plan
from tagkit.library.policy import propose
from tagkit.library.runs.journal import Journal
from tagkit.library.runs.settle import open_journal
from tagkit.library.saving.safesave import SaveOptions
from tagkit.library.store import Store, default_path
from tagkit.library.writer import OTHER_AUDIO, Outcome


class Tagging:
    """A run of ``tagkit tag`` over one set of files."""

    def __init__(self, job: Job, store: Path | None, journal: Path | None, started: float) -> None:
        self.job = job
        self._journal_path = journal
        self._store_path = store or default_path()
        self._started = started
        self._stack = ExitStack()
        self._journal: Journal | None = None
        self._paths = Paths()
        self.has_objects = False  # that lie in S3, among the paths
        self._neighbours: Neighbours | None = None
        self._counts: Counter[str] = Counter()
        self._missing = 0  # that were named and could not be taken
        self._passed_over: Counter[str] = Counter()  # met in folders, and none of the files
        self._reasons: dict[str, list[str]] = {}  # why files were skipped, and which
        self._heard = 0.0  # seconds of music newly analysed
        self._bytes = 0  # that a write rewrites

    def __enter__(self) -> Tagging:
        self._store = self._stack.enter_context(Store(self._store_path))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]

    # -- the steps ---------------------------------------------------------------------------

    def scan(
        self, inputs: Sequence[str], listed: str | None, follow: bool, ignore: Sequence[str]
    ) -> None:
        """Find the files; what a person named and cannot be taken is a failure."""
        names: Iterable[str] = inputs
        if listed is not None:
            names = [*inputs, *input_list(listed)]
        self._store.places.add_roots(Path(name) for name in names if os.path.isdir(name))  # noqa: PTH112
        for report in scan.scan(names, follow=follow, ignore=ignore):
            if isinstance(report, scan.Found):
                self._paths.append(report.path)
                self.has_objects |= remote.is_remote(report.path)
            elif report.failed:
                self._missing += 1
                self._fail(TagkitError(report.reason, path=report.path))
            else:
                self._passed_over[report.reason] += 1

    def settle(self) -> None:
        """Finish what a killed run has begun: a file that it was overwriting is not to be heard half-written."""
        self._open_journal()

    def analyse(self, engine: str, jobs: int, device: str, backend: str, retry: bool) -> None:
        """Listen to what the store lacks."""
        heard = engines.engine(engine)(
            self._store,
            self.job.ensemble,
            self._paths,
            windows=self.job.windows,
            jobs=jobs,
            device=device,
            backend=backend,
            retry=retry,
        )
        done = 0
        with writing.progress("listen", len(self._paths)) as advance:
            for item in heard:
                if item.error is not None:
                    self._fail(TagkitError(item.error, path=item.path))
                self._counts["analysed"] += item.analysed
                self._heard += item.duration
                done += item.analysed
                elapsed = time.monotonic() - self._started
                advance(f"{done / elapsed:.1f} files/s" if done else "")

    def relate(self) -> None:
        """Find whose other tracks speak for these, in this run or not."""
        shares = self.job.shares
        if shares is None:
            return
        unread = self._store.places.unread()
        for _ in writing.track(self._store.look(unread, ()), "read tags", total=len(unread)):
            pass
        # Ranks are among the tracks of a run: what is elsewhere has none.
        elsewhere = self.job.ensemble.combine != "rank"
        self._neighbours = gather(self._store, self._paths, shares, elsewhere=elsewhere)

    def show(self, render: Renderer, every: bool) -> None:
        """Print the decided tags."""
        for track in render(self._decided(), self.job.ensemble.tags, every):
            self._note(track)

    def propose(
        self, render: Renderer | None, every: bool, rehearse: SaveOptions | None = None
    ) -> None:
        """Compare with what the files hold, and put aside what is to change.

        With ``rehearse``, files that a write with these options would refuse are left out and said.
        """
        tracks: Iterator[deciding.Track] = self._decided()
        if render is not None:
            tracks = render(tracks, self.job.ensemble.tags, every)
        changes = (change for track in tracks if (change := self._change(track)) is not None)
        counted = self._counted(changes, rehearse)
        waiting = Waiting(counted, self._header(), self._store_path.parent)
        self._waiting = self._stack.enter_context(closing(waiting))

    def show_changes(self) -> None:
        """Print each file's fields, old → new."""
        for change in self._waiting:
            writing.show_change(change)

    def say_size(self) -> None:
        """Say how much a write would rewrite."""
        count = self._counts["to write"]
        size = self._bytes / 1e6
        amount = f"{size / 1e3:,.2f} GB" if size >= 1e3 else f"{size:.1f} MB"
        say(f"a write would rewrite {count:,} files, {amount}")

    def save(self, target: Path) -> None:
        """Save the plan for ``tagkit apply``."""
        count = save_plan(target, self._still_heard(), self._header())
        say(f"{target}: {count:,} files; 'tagkit apply {target}' writes them")

    def write(self, options: SaveOptions, yes: bool) -> None:
        """Write what was put aside; each file is journalled before it is changed."""
        count = self._counts["to write"]
        if not count:
            return
        writing.confirm(count, yes)
        job = self.job
        with writing.session(self._open_journal(), "tag", options) as session:
            for change in writing.track(self._waiting, "write", total=count):
                writer = session.writer(None, job.layout, job.stamp.model)
                self._written(change, writer.apply(change))

    def end(self) -> None:
        """Say what was done; exit 1 where a file failed."""
        say(self._summary())
        for reason, paths in sorted(self._reasons.items(), key=lambda item: -len(item[1])):
            more = f" and {len(paths) - 1:,} more" if len(paths) > 1 else ""
            say(f"  skipped {len(paths):,}: {reason}: {paths[0]}{more}")
        for reason, count in self._passed_over.most_common():
            say(f"  passed over {count:,}: {reason}")
        if self._counts["failed"]:
            raise typer.Exit(1)

    # -- their parts -------------------------------------------------------------------------

    def _decided(self) -> Iterator[deciding.Track]:
        job = self.job
        return deciding.decide(
            self._store,
            job.ensemble,
            self._paths,
            job.options,
            windows=job.windows,
            neighbours=self._neighbours,
        )

    def _note(self, track: deciding.Track) -> None:
        self._counts["with tags" if track.decisions else "without tags"] += 1
        self._counts["smoothed"] += track.smoothed

    def _change(self, track: deciding.Track) -> FileChange | None:
        self._note(track)
        try:
            tags = self.job.layout.open(track.path)
            change = propose(
                track.path,
                tags,
                self._wanted(track),
                content=track.content,
                stamp=self.job.stamp,
                remembered=self._open_journal().remembered(track.path, track.content),
                options=self.job.policy,
            )
            return carried(change) if change.changes else change
        except NoWriterError as error:
            self._skip(error)
        except TagError as error:
            self._fail(error)
        except OSError as error:
            self._fail(TagError(error.strerror or str(error), path=track.path))
        return None

    def _wanted(self, track: deciding.Track) -> dict[str, list[str]]:
        """What to say of each category that the run speaks for, also where it decided for nothing."""
        wanted: dict[str, list[str]] = {}
        for category in self.job.spoken:
            given = [d for d in track.decisions if d.category == category]
            wanted[category] = [d.name for d in given]
            if self.job.probabilities:
                texts = [f"{d.name}={d.probability:.2f}" for d in given]
                wanted[PROBABILITY + category] = texts
        return wanted

    def _counted(
        self, changes: Iterable[FileChange], rehearse: SaveOptions | None
    ) -> Iterator[FileChange]:
        for change in changes:
            self._counts["kept"] += bool(change.kept)
            if change.changes and rehearse and (refused := writing.refusal(change, rehearse)):
                self._count(refused)
                continue
            self._counts["to write" if change.changes else "unchanged"] += 1
            if change.changes:
                self._bytes += change.size
                yield change

    def _count(self, outcome: Outcome) -> None:
        if outcome.status == "failed" and outcome.error is not None:
            self._fail(outcome.error)
        elif outcome.status == "skipped" and outcome.error is not None:
            self._skip(outcome.error)
        else:
            self._counts["tagged" if outcome.status == "written" else "unchanged"] += 1

    def _written(self, change: FileChange, outcome: Outcome) -> None:
        """Count a file, and tell the store what it need not, or must, read again."""
        self._count(outcome)
        if outcome.now is not None:
            self._store.retagged(outcome.path, outcome.now)
        elif isinstance(outcome.error, ChangedError):
            # Maybe under the size and time that it had: nothing else would have it listened to again.
            self._store.doubt(change.content)

    def _still_heard(self) -> Iterator[FileChange]:
        """Yield the changes of files that hold the audio which the store has heard.

        A write finds that out by itself. A plan would be refused later, where no store is at hand.
        """
        for change in self._waiting:
            try:
                if content_key(change.path) == change.content:
                    yield change
                    continue
                self._store.doubt(change.content)
                self._fail(ChangedError(OTHER_AUDIO, path=change.path, hint="run again"))
            except AudioError as error:
                self._fail(error)

    def _open_journal(self) -> Journal:
        if self._journal is None:
            self._journal = self._stack.enter_context(open_journal(self._journal_path))
        return self._journal

    def _header(self) -> Header:
        settings: dict[str, Any] = self.job.layout.settings()
        return Header(__version__, self.job.stamp.model, settings)

    def _fail(self, error: TagkitError) -> None:
        self._counts["failed"] += 1
        say(f"failed: {error}")

    def _skip(self, error: TagkitError) -> None:
        reason = f"{error.message} ({error.hint})" if error.hint else error.message
        self._reasons.setdefault(reason, []).append(error.path or "")

    def _summary(self) -> str:
        counts = self._counts
        seconds = time.monotonic() - self._started
        words = [f"{len(self._paths) + self._missing:,} files"]
        for name in ("analysed", "smoothed", "with tags", "without tags", "tagged", "unchanged"):
            if counts[name]:
                words.append(f"{counts[name]:,} {name}")
        if counts["kept"]:
            words.append(f"{counts['kept']:,} with fields kept because they are yours")
        if self._reasons:
            words.append(f"{sum(map(len, self._reasons.values())):,} skipped")
        if counts["failed"]:
            words.append(f"{counts['failed']:,} failed")
        words.append(f"{seconds:.1f} s")
        if self._heard:
            words.append(f"{self._heard / seconds:,.0f} × real time")
        return ", ".join(words)
