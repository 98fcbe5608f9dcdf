"""``tagkit ensemble fit``: several models into one ensemble file, by what they say of validation tracks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tagkit.errors import UsageError

if TYPE_CHECKING:
    from tagkit.cli.writing import Tally
    from tagkit.data.dataset import Dataset
    from tagkit.errors import TagkitError
    from tagkit.evaluation.predictions import Predictions
    from tagkit.inference.ensemble import Ensemble
    from tagkit.training.ensembles import Plan
    from tagkit.training.evidence import Evidence

app = typer.Typer(no_args_is_help=True, help="Make one model of several.")


@app.callback()
def ensemble() -> None:
    """Make one model of several."""


@app.command()
def fit(
    models: Annotated[list[str], typer.Argument(metavar="A B ...", help="Bundles or their names.")],
    out: Annotated[Path, typer.Option(help="The ensemble file to write (.toml).")],
    combine: Annotated[
        str,
        typer.Option(
            help="mean, weights (one a model), per-tag (one a model and tag) or learned (a network)."
        ),
    ] = "weights",
    with_context: Annotated[
        bool,
        typer.Option("--context", help="Also fit how much a track's artist and album say."),
    ] = False,
    data: Annotated[Path | None, typer.Option(help="The dataset's folder.")] = None,
    dataset: Annotated[
        str,
        typer.Option(help="mtat, mtg-jamendo, music4all, msd or manifest; else what DATA shows."),
    ] = "",
    tags: Annotated[str, typer.Option(help="Which of its tag lists.")] = "",
    split_name: Annotated[
        str, typer.Option(help="Which of the dataset's ways to split, such as split-0 or won.")
    ] = "",
    mels: Annotated[
        bool, typer.Option("--mels", help="MTG-Jamendo's official mel-spectrograms, not audio.")
    ] = False,
    split: Annotated[str, typer.Option(help="What to fit on; never test.")] = "validation",
    predictions: Annotated[
        list[Path] | None,
        typer.Option(
            help="Do not listen: what each model said, one .npz of tagkit eval --save each."
        ),
    ] = None,
    folds: Annotated[int, typer.Option(help="Into how many the artists are split.")] = 5,
    resamples: Annotated[int, typer.Option(help="Of the bootstrap, for intervals.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    format_: Annotated[str, typer.Option("--format", help="table, json or csv.")] = "table",
    cache: Annotated[Path, typer.Option(help="Where mel datasets are kept.")] = Path("cache"),
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    windows: Annotated[
        int, typer.Option(help="The most windows of a track to listen to.", min=1, max=1000)
    ] = 16,
    jobs: Annotated[int, typer.Option(help="Threads that decode. Default: one a core.", min=0)] = 0,
) -> None:
    """Fit how models are combined, on validation tracks, and write an ensemble file.

    What is written is fitted on all these tracks. What is printed is out of fold: each figure speaks of
    artists that nothing was fitted on, beside the models' plain mean, with 95 % intervals by artist. If the
    fitted combination is not above the mean there, prefer --combine mean.
    """
    from tagkit.cli import evaluating
    from tagkit.cli.eval_view import COMPARED
    from tagkit.cli.writing import Tally, say
    from tagkit.evaluation.compare import compare
    from tagkit.evaluation.scores import Settings
    from tagkit.training import ensembles
    from tagkit.training.evidence import gather

    plan = ensembles.Plan(combine, with_context, folds)
    settings = Settings(resamples=resamples, seed=seed)
    if format_ not in COMPARED:
        raise UsageError(f"no format is called {format_!r}", hint=", ".join(COMPARED))
    evaluating.require_target(out, ".toml")
    _require_fair(split)
    members = ensembles.members(models)
    tally = Tally()
    reading = {"dataset": dataset, "tags": tags, "split": split_name, "mels": mels}
    source = evaluating.open_source(data, None, (), reading)
    if predictions:
        said = _saved(predictions, members, source)
    elif source is None:
        raise UsageError("nothing to fit on", hint="give --data, or --predictions for each model")
    else:
        listening = {"device": device, "windows": windows, "cache": cache}
        listening["jobs"] = jobs or os.cpu_count() or 1
        said = _listen(members, evaluating.require_tracks(source, split), listening, tally)
    evidence = gather([member.card for member in members.members], said)
    say(f"fitted on {len(evidence.ids):,} tracks, {len(evidence.tags)} tags")
    names = [member.card.name for member in members.members]
    judged = compare(ensembles.out_of_fold(evidence, plan, names), settings, micro=False)
    fitted = ensembles.fit(evidence, plan)
    ensembles.write(out, models, evidence, fitted, _notes(plan, evidence, split, source))
    say(f"wrote {out}")
    for note in judged.notes:
        say(note)
    COMPARED[format_](judged)
    if tally.counts["failed"]:
        raise typer.Exit(1)


def _require_fair(split: str) -> None:
    from tagkit.data.dataset import SPLITS

    if split == "test":
        raise UsageError(
            "nothing is fitted on the test split",
            hint="--split validation; test is for tagkit eval",
        )
    if split not in SPLITS:
        raise UsageError(f"no split is called {split!r}", hint="validation")


def _saved(files: list[Path], models: Ensemble, source: Dataset | None) -> list[Predictions]:
    """What each model said before, none of it of test tracks."""
    from tagkit.evaluation.predictions import load

    if len(files) != len(models.members):
        raise UsageError(
            f"{len(files)} predictions of {len(models.members)} models",
            hint="one for each, in their order",
        )
    said = [load(file) for file in files]
    test = {track.id for track in source.split("test").tracks} if source is not None else set()
    for file, found, member in zip(files, said, models.members, strict=True):
        if found.split == "test" or test & set(found.ids):
            raise UsageError("speaks of test tracks, and nothing is fitted on those", path=file)
        if found.name != member.card.name:
            raise UsageError(
                f"is what {found.name} says, not {member.card.name}",
                path=file,
                hint="give the predictions in the models' order",
            )
    return said


def _listen(
    members: Ensemble, tracks: Dataset, listening: dict[str, Any], tally: Tally
) -> list[Predictions]:
    from tagkit.cli.writing import progress
    from tagkit.evaluation.predict import predict_each

    with progress("listen", len(tracks.tracks)) as advance:

        def done(error: TagkitError | None) -> None:
            if error is not None:
                tally.fail(error)
            advance("")

        return predict_each(members, tracks, on_track=done, **listening)


def _notes(plan: Plan, evidence: Evidence, split: str, source: Dataset | None) -> str:
    data = source.name if source is not None else "saved predictions"
    return (
        f"Fitted by tagkit ensemble fit --combine {plan.combine}{' --context' * plan.context}\n"
        f"on {len(evidence.ids):,} {split} tracks of {data}. Thresholds: the largest F1 of each tag."
    )
