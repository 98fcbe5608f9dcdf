"""``tagkit train``: a recipe and data in, a bundle out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tagkit.errors import UsageError


def train(
    recipe: Annotated[
        str, typer.Argument(help="A recipe's name (see tagkit recipes), or a TOML file.")
    ],
    data: Annotated[
        Path | None,
        typer.Option(help="The dataset's folder, or a manifest: CSV, TSV or JSONL."),
    ] = None,
    dataset: Annotated[
        str,
        typer.Option(
            help="What it is: mtat, mtg-jamendo, music4all, msd or manifest. Else recognised."
        ),
    ] = "",
    also: Annotated[
        list[Path] | None,
        typer.Option(
            help="Another dataset, whose tracks with the same tags are trained on as well."
        ),
    ] = None,
    from_library: Annotated[
        Path | None, typer.Option(help="Learn from the tags that the files of this folder have.")
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option(help="A field that --from-library reads; repeatable. [default: mood]"),
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="With --teacher: CSV with the columns path and split.")
    ] = None,
    teacher: Annotated[
        list[str] | None,
        typer.Option(help="A model or an ensemble to learn from, in place of labels; repeatable."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The bundle. [default: in the run folder]")
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="Log and checkpoints. [default: runs/NAME]")
    ] = None,
    cache: Annotated[Path, typer.Option(help="What is prepared of the audio is kept here.")] = Path(
        "cache"
    ),
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change the recipe, as train.epochs=3; repeatable."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the run folder's last checkpoint.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    jobs: Annotated[
        int, typer.Option(min=0, help="Files prepared at once, and threads that read.")
    ] = 2,
) -> None:
    """Train a model as a recipe says, and write it as a bundle for tagkit tag --model.

    The training tracks are learned from, the validation tracks choose the best epoch and the
    thresholds, the test tracks are only measured. What is prepared of the audio is kept: a command
    that was stopped goes on where it was with --resume. On several devices or machines, it is started
    by accelerate launch -m tagkit train, or by torchrun -m -- tagkit train.

    stdout: one line of JSON, with the bundle's path and its figures. Exit code 1, with the bundle all the
    same: some track could not be heard and was left out.
    """
    from tagkit.cli import training

    job = training.Job(
        recipe=recipe,
        settings=tuple(settings or ()),
        data=data,
        kind=dataset,
        out=out,
        run=run,
        cache=cache,
        resume=resume,
        device=device,
        jobs=jobs,
    )
    if teacher:
        if data is None or manifest is None:
            raise UsageError("--teacher needs --data and --manifest")
        failed = training.learn_from_teachers(job, manifest, teacher)
        raise typer.Exit(1 if failed else 0)
    if manifest is not None:
        raise UsageError("--manifest goes with --teacher", hint="a manifest with tags is --data")
    if (data is None) == (from_library is None):
        raise UsageError("what to learn from?", hint="give --data, or --from-library")
    failed = training.supervise(job, also or (), from_library, field or ("mood",))
    raise typer.Exit(1 if failed else 0)
