"""``tagkit tag``: listen, decide, and show or write."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tagkit.cli import writing
from tagkit.engines import ENGINES
from tagkit.errors import UsageError

if TYPE_CHECKING:
    from tagkit.thresholds import Options

WRITTEN = ("mood", "theme", "instrument")
DEVICES = ("auto", "cpu", "cuda", "mps")


def tag(
    context: typer.Context,
    inputs: Annotated[
        list[str] | None, typer.Argument(metavar="PATH...", help="Audio files and folders.")
    ] = None,
    write: Annotated[
        bool,
        typer.Option(
            "--write", "--write-id3", help="Write the tags into the files, each in its native way."
        ),
    ] = False,
    dry_run: writing.DryRunOption = False,
    plan: Annotated[
        Path | None,
        typer.Option(help="Save what would be written here, for 'tagkit apply'; write nothing."),
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format", help="table, jsonl, csv or m3u8. Default: table, in a pipe jsonl."
        ),
    ] = None,
    all_tags: Annotated[
        bool, typer.Option("--all-tags", help="jsonl, csv: the probability of every tag.")
    ] = False,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="A model or an ensemble file, or several models. Default: the shipped one."
        ),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Give a tag from this probability, instead of its own.")
    ] = None,
    min_confidence: Annotated[
        float, typer.Option(help="Never give a tag below this probability.")
    ] = 0.0,
    top_k: Annotated[
        int | None, typer.Option(help="At most so many tags of each category.")
    ] = None,
    include: Annotated[
        list[str] | None, typer.Option(metavar="TAG", help="Only these tags; may be repeated.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="TAG", help="Not these tags; may be repeated.")
    ] = None,
    categories: Annotated[
        str,
        typer.Option(help="Of mood, theme, instrument, genre, vocals, with commas."),
    ] = ",".join(WRITTEN),
    with_context: Annotated[
        str,
        typer.Option(
            "--context",
            help="Whose other tracks in the store help to decide on mood, theme and genre: artist"
            " (the artist's and the album's), album (the album's alone) or none. How much they count"
            " is in the ensemble file; without that, each file is decided by itself.",
        ),
    ] = "artist",
    existing: Annotated[
        str,
        typer.Option(help="A mood, theme or instrument that is yours: keep, add to, or replace."),
    ] = "keep",
    genre: Annotated[
        str, typer.Option(help="Write genre: off, fill where there is none, or add.")
    ] = "off",
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Write probabilities to fields of their own.")
    ] = False,
    fields: writing.FieldsOption = None,
    also_txxx: Annotated[
        bool, typer.Option("--also-txxx", help="ID3v2.4: write TXXX:MOOD beside TMOO.")
    ] = False,
    v23_separator: Annotated[
        str, typer.Option(help="Between several values in ID3v2.3, which has no lists.")
    ] = "; ",
    upgrade_id3: Annotated[
        bool, typer.Option("--upgrade-id3", help="Turn ID3v2.2 tags into 2.4 instead of skipping.")
    ] = False,
    keep_mtime: writing.KeepMtimeOption = False,
    through_links: writing.ThroughLinksOption = False,
    force: writing.ForceOption = False,
    yes: writing.YesOption = False,
    input_list: Annotated[
        str | None, typer.Option(metavar="FILE", help="Read paths from a file, or - for stdin.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Follow symbolic links inside folders.")
    ] = False,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="Skip paths, in gitignore syntax.")
    ] = None,
    jobs: Annotated[
        int, typer.Option(help="Processes that decode. Default: one a core.", min=0)
    ] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    backend: Annotated[
        str,
        typer.Option(help="What computes the networks: auto, torch, onnx or openvino."),
    ] = "auto",
    engine: Annotated[
        str, typer.Option(help="Where to listen: local, or ray (many machines; see docs/scale.md).")
    ] = "local",
    windows: Annotated[
        int, typer.Option(help="The most windows of a track to listen to.", min=1, max=1000)
    ] = 16,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try files again that failed before.")
    ] = False,
    store: Annotated[
        Path | None, typer.Option(envvar="TAGKIT_STORE", help="Use this store, not the user's own.")
    ] = None,
    journal: writing.JournalOption = None,
) -> None:
    """Listen to music files, decide on tags, and show them or write them into the files.

    What was heard is remembered: a second run, or another threshold, listens to nothing again.
    Nothing is written without --write. A mood, theme, instrument or genre of yours is kept.
    Probabilities, shown or written, are those that were decided from: with --context none each
    file's own, else with its artist's and its album's other tracks.
    """
    started = time.monotonic()
    from tagkit.cli import job as asked
    from tagkit.cli import render, tagging
    from tagkit.inference import backends, ensemble
    from tagkit.library.containers import TagOptions
    from tagkit.library.layout import load_layout

    # A dry run's changes are for reading, in a pager too; for programs there is --plan.
    chosen = format_ or ("table" if dry_run or sys.stdout.isatty() else "jsonl")
    if chosen not in render.FORMATS:
        raise UsageError(f"no format is called {chosen!r}", hint=", ".join(render.FORMATS))
    if write and (dry_run or plan) and writing.is_default(context, "write"):
        write = False  # it is a habit from the config file, and this run is an exception
    if write and (dry_run or plan):
        raise UsageError("--write does not go with --dry-run or --plan", hint="choose one")
    if not inputs and input_list is None:
        raise UsageError("nothing to listen to", hint="name files or folders, or --input-list")
    if plan:
        _require_target(plan)
    for name, value, known in (  # said even where all is known and none of them is used
        ("device", device, DEVICES),
        ("backend", backend, backends.NAMES),
        ("engine", engine, ENGINES),
    ):
        if value not in known:
            raise UsageError(f"no {name} is called {value!r}", hint=", ".join(known))
    if not v23_separator.strip():
        raise UsageError("--v23-separator is blank", hint="values would run into each other")
    if all_tags and chosen not in ("jsonl", "csv"):
        writing.say("--all-tags shows in --format jsonl and csv only")
    level = asked.level(with_context)
    policy = asked.policy(existing, genre)
    wanted = _categories(categories, genre)
    tag_options = TagOptions(
        v23_separator=v23_separator, also_txxx=also_txxx, upgrade_id3=upgrade_id3
    )
    job = asked.Job(
        ensemble=ensemble.load(model or ()),
        options=_options(threshold, min_confidence, top_k, include, exclude, wanted),
        windows=windows,
        policy=policy,
        probabilities=probabilities,
        layout=load_layout(fields, tag_options),
        level=level,
    )
    if level != "none" and job.shares is None and not writing.is_default(context, "with_context"):
        writing.say(f"{job.ensemble.name} has no shares for --context {level}: nothing is smoothed")
    with tagging.Tagging(job, store, journal, started) as run:
        run.scan(inputs or [], input_list, follow, ignore or [])
        if run.has_objects and (engine == "local" or write or dry_run or plan):
            raise UsageError(
                "objects in S3 can be listened to and their tags shown, no more",
                hint="--engine ray, without --write, --dry-run and --plan",
            )
        if write or dry_run or plan:
            run.settle()
        run.analyse(engine, jobs, device, backend, retry)
        run.relate()
        shown = render.FORMATS[chosen]
        if not (write or dry_run or plan):
            run.show(shown, all_tags)
        else:
            changes_shown = dry_run and chosen == "table"
            saving = writing.save_options(
                keep_mtime=keep_mtime, through_links=through_links, force=force
            )
            rehearse = saving if dry_run and not plan else None  # a plan may be for elsewhere
            run.propose(None if changes_shown else shown, all_tags, rehearse)
            if changes_shown:
                run.show_changes()
            if dry_run:
                run.say_size()
            if plan:
                run.save(plan)
            if write:
                run.write(saving, yes)
        run.end()


def _require_target(plan: Path) -> None:
    """Raise UsageError where no plan can be saved: before hours of listening, not after them."""
    if plan.exists() and not plan.is_file():
        raise UsageError("is no regular file", path=plan, hint="name a new file for the plan")
    if not plan.absolute().parent.is_dir():
        raise UsageError("its folder is not there", path=plan, hint="make the folder first")


def _categories(given: str, genre: str) -> tuple[str, ...]:
    names = [name.strip() for name in given.split(",") if name.strip()]
    if not names:
        raise UsageError("--categories is empty", hint="name one, such as mood")
    if genre != "off" and "genre" not in names:
        names.append("genre")
    return tuple(names)


def _options(
    threshold: float | None,
    min_confidence: float,
    top_k: int | None,
    include: list[str] | None,
    exclude: list[str] | None,
    categories: tuple[str, ...],
) -> Options:
    from tagkit.thresholds import Options

    return Options(
        threshold=threshold,
        min_confidence=min_confidence,
        top_k=top_k,
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        categories=categories,
    )
