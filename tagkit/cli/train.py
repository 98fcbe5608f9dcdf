"""``tagkit train``: a recipe and data in, a bundle out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train(
    recipe: Annotated[str, typer.Argument(help="A recipe's name, or a TOML file.")],
    data: Annotated[Path, typer.Option(help="The folder that the manifest's paths start from.")],
    manifest: Annotated[Path, typer.Option(help="CSV with the columns path and split.")],
    teacher: Annotated[
        list[str], typer.Option(help="A model or an ensemble to learn from; may be repeated.")
    ],
    out: Annotated[Path, typer.Option(help="The bundle to write.")],
    cache: Annotated[Path, typer.Option(help="Where log-mels and teachers' outputs are kept.")] = (
        Path("cache")
    ),
    run: Annotated[Path, typer.Option(help="Where the log and checkpoints go.")] = Path("runs"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint.")
    ] = False,
    device: Annotated[str, typer.Option(help="For the teachers: auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Train a student on what teachers say about your audio.

    The manifest's "train" tracks are learned from, "validation" chooses the best weights, "test" is
    only measured. Everything computed is cached: a run that was stopped goes on where it was.
    """
    from rich.console import Console
    from rich.progress import track

    from tagkit import models
    from tagkit import recipe as recipes
    from tagkit.data.cache import Cache
    from tagkit.data.manifest import read_manifest
    from tagkit.errors import RecipeError
    from tagkit.training.distill import distill
    from tagkit.training.teachers import Teachers, gather
    from tagkit.weights import bundle

    plan = recipes.load(recipe)
    front_end = models.entry(plan.architecture).front_end
    if front_end is None or not front_end.n_mels:
        raise RecipeError(f"{plan.architecture} hears no mels, so it cannot be a student")
    items = read_manifest(manifest, data)
    teachers = Teachers(teacher, device)
    console = Console(stderr=True)
    tracks, failed = gather(
        track(items, "listen", console=console), Cache(cache, data, front_end), teachers
    )
    for error in failed:
        console.print(f"left out: {error}", style="yellow", markup=False, highlight=False)
    student = distill(plan, teachers.ensemble.tags, tracks, run / plan.name, resume=resume)
    bundle.save(out, student.card, student.model, student.front_end)
    typer.echo(f"{out}\t{student.card.scores}")
