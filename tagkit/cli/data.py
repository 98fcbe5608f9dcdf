"""``tagkit data``: is a dataset sound, and getting it ready for training."""

from __future__ import annotations

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from tagkit.cli.writing import printable, say, track
from tagkit.errors import UsageError

if TYPE_CHECKING:
    from tagkit.data.dataset import Dataset

app = typer.Typer(no_args_is_help=True, help="Check a dataset and get it ready for training.")

FolderArgument: TypeAlias = Annotated[
    Path | None, typer.Argument(metavar="DIR", help="A dataset's folder, or a manifest.")
]
KindOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--dataset",
        help="mtat, mtg-jamendo, music4all, msd or manifest. Default: what the folder shows.",
    ),
]
TagsOption: TypeAlias = Annotated[
    str,
    typer.Option("--tags", help="A tag set, such as merged50 (mtat), instrument (mtg-jamendo)."),
]
SplitOption: TypeAlias = Annotated[
    str, typer.Option("--split", help="A split, such as won (mtat) or split-1 (mtg-jamendo).")
]
MelsOption: TypeAlias = Annotated[
    bool, typer.Option("--mels", help="MTG-Jamendo's own mel-spectrograms instead of audio.")
]
LibraryOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--from-library", help="Take the tags that are in the files of this folder."),
]
FieldOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--field", help="mood, theme, instrument, genre or vocals; may be repeated."),
]
JobsOption: TypeAlias = Annotated[
    int, typer.Option(help="Threads that read. Default: one a core.", min=0)
]


class ReportFormat(StrEnum):
    table = "table"
    json = "json"


@app.command()
def check(
    folder: FolderArgument = None,
    dataset: KindOption = "",
    tags: TagsOption = "",
    split: SplitOption = "",
    mels: MelsOption = False,
    from_library: LibraryOption = None,
    field: FieldOption = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only see whether files are there; open none.")
    ] = False,
    output: Annotated[ReportFormat, typer.Option("--format")] = ReportFormat.table,
    jobs: JobsOption = 0,
) -> None:
    """Look at every file and label of a dataset: what is missing, unreadable, rare, twice there, or leaks.

    Exit 1 where files are missing or cannot be read; each is named on stderr.
    """
    from tagkit.cli import data_view
    from tagkit.data import check as checking

    found = _open(folder, dataset, tags, split, mels, from_library, field)
    report = checking.examine(
        found,
        jobs=jobs or os.cpu_count() or 1,
        probe=not quick,
        show=lambda paths: track(paths, "look"),
    )
    for path in report.missing:
        say(f"missing: {found.root / path}")
    for error in report.unreadable:
        say(f"unreadable: {error}")
    if output is ReportFormat.json:
        typer.echo(json.dumps(data_view.record(report), indent=2))
    else:
        for line in data_view.lines(report):
            typer.echo(printable(line))
    if report.missing or report.unreadable:
        raise typer.Exit(1)


@app.command()
def manifest(
    out: Annotated[Path, typer.Option("--out", help="The file to write: .csv, .tsv or .jsonl.")],
    folder: FolderArgument = None,
    dataset: KindOption = "",
    tags: TagsOption = "",
    split: SplitOption = "",
    from_library: LibraryOption = None,
    field: FieldOption = None,
) -> None:
    """Write a dataset as a manifest, to be read and edited: a line a track with its tags and split."""
    from tagkit.data import manifest as manifests

    found = _open(folder, dataset, tags, split, False, from_library, field)
    _warn(found)
    manifests.write(found, out)
    say(f"{len(found.tracks):,} tracks, {len(found.outputs)} tags")
    typer.echo(out)


@app.command()
def prepare(
    recipe: Annotated[str, typer.Argument(help="A recipe's name, or a TOML file.")],
    folder: FolderArgument = None,
    cache: Annotated[Path, typer.Option(help="Where features are kept.")] = Path("cache"),
    dataset: Annotated[
        str, typer.Option("--dataset", help="As in check. Default: the recipe's.")
    ] = "",
    from_library: LibraryOption = None,
    field: FieldOption = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe; may be repeated."),
    ] = None,
    jobs: JobsOption = 0,
) -> None:
    """Compute what a recipe's training hears of every file, once. Stopped at any time, it goes on.

    Recipes with one front end share a cache. Exit 1 where a file cannot be heard; each is named.
    """
    from tagkit.data import recipe_for
    from tagkit.data.cache import Cache
    from tagkit.data.filling import prepare
    from tagkit.training.supervised import front_end_of

    plan = recipe_for(recipe, settings or (), dataset, folder)
    data = plan.data
    found = _open(folder, data.dataset, data.tags, data.split, data.mels, from_library, field)
    _warn(found)
    store = Cache(cache, front_end_of(plan), samples=plan.augment.on_audio)
    paths = list(dict.fromkeys(found.root / item.path for item in found.tracks))
    failed = 0
    for done in track(prepare(store, paths, jobs or os.cpu_count() or 1), "prepare", len(paths)):
        if done.error is not None:
            failed += 1
            say(f"failed: {done.error}")
    say(f"{len(paths) - failed:,} of {len(paths):,} tracks are ready")
    typer.echo(store.folder)
    if failed:
        raise typer.Exit(1)


def _open(
    folder: Path | None,
    dataset: str,
    tags: str,
    split: str,
    mels: bool,
    library: Path | None,
    fields: list[str] | None,
) -> Dataset:
    """The dataset that the options name, whether its files are there or not."""
    from tagkit.data import library_tags, read_dataset
    from tagkit.recipe import Data

    if (folder is None) == (library is None):
        raise UsageError("name one dataset: its DIR, or --from-library DIR")
    if library is not None and not fields:
        raise UsageError("which tags of the library?", hint="name a field, such as --field MOOD")
    if library is not None:
        found = library_tags.read(library, fields or (), show=lambda f: track(f, "read tags"))
    else:
        assert folder is not None
        found = read_dataset(folder, Data(dataset=dataset, tags=tags, split=split, mels=mels))  # type: ignore[arg-type]
    return found


def _warn(dataset: Dataset) -> None:
    for warning in dataset.warnings:
        say(f"warning: {warning}")
