"""``tagkit eval``: how right a model is, on a dataset or on saved predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tagkit.cli.reproduce import reproduce
from tagkit.errors import UsageError


class _Group(TyperGroup):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _spread(args, "--compare"))


def _spread(args: list[str], option: str) -> list[str]:
    """``--compare A B C`` as ``--compare A --compare B --compare C``, which click can read."""
    found: list[str] = []
    following = False
    for word in args:
        if following and not word.startswith("-"):
            # The first of them already has the option before it.
            found += [word] if found[-1] == option else [option, word]
        else:
            found.append(word)
            following = word == option
    return found


app = typer.Typer(cls=_Group, invoke_without_command=True, subcommand_metavar="[COMMAND]")


@app.callback()
def evaluate(
    context: typer.Context,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="A model or an ensemble file, or several models. Default: the shipped one."
        ),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="The dataset's folder.")] = None,
    dataset: Annotated[
        str,
        typer.Option(help="mtat, mtg-jamendo, music4all, msd or manifest; else what DATA shows."),
    ] = "",
    tags: Annotated[
        str,
        typer.Option(
            help="With --data: which of its tag lists. With --predictions: a file, a tag a line."
        ),
    ] = "",
    split: Annotated[str, typer.Option(help="test, validation or train: what is scored.")] = "test",
    split_name: Annotated[
        str, typer.Option(help="Which of the dataset's ways to split, such as split-0 or won.")
    ] = "",
    mels: Annotated[
        bool, typer.Option("--mels", help="MTG-Jamendo's official mel-spectrograms, not audio.")
    ] = False,
    from_library: Annotated[
        Path | None, typer.Option(help="Measure on your own tags in the files of this folder.")
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option(help="With --from-library: mood, genre ...; may be repeated."),
    ] = None,
    with_context: Annotated[
        bool,
        typer.Option("--context", help="Let other tracks by the artist speak, as ensembles may."),
    ] = False,
    validation: Annotated[
        bool,
        typer.Option(
            "--validation/--no-validation",
            help="Also listen to the validation split, to fit thresholds there.",
        ),
    ] = True,
    predictions: Annotated[
        Path | None,
        typer.Option(help=".npz made by --save, or .npy of scores (tracks, tags) in [0, 1]."),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="For .npy: .npy of 0 and 1 (tracks, tags).")
    ] = None,
    validation_predictions: Annotated[
        Path | None, typer.Option(help="The same of validation tracks, to fit thresholds on.")
    ] = None,
    validation_labels: Annotated[Path | None, typer.Option(help="And their labels.")] = None,
    artists: Annotated[
        Path | None, typer.Option(help="Text, the artist of a track a line, for intervals.")
    ] = None,
    train_counts: Annotated[
        Path | None, typer.Option(help="Text, a tag's number of training tracks a line.")
    ] = None,
    logits: Annotated[
        bool, typer.Option("--logits", help="The .npy scores are logits: apply a sigmoid.")
    ] = False,
    compare: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A B ...", help="Set models, ensembles or saved .npz files side by side."
        ),
    ] = None,
    head: Annotated[int, typer.Option(help="Head: tags with more training tracks.")] = 550,
    tail: Annotated[int, typer.Option(help="Tail: tags with at most so many.")] = 200,
    resamples: Annotated[
        int, typer.Option(help="Of artists, for intervals; 0 for none.", min=0, max=100_000)
    ] = 1000,
    seed: Annotated[int, typer.Option(help="Of the resamples.", min=0)] = 0,
    format_: Annotated[str, typer.Option("--format", help="table, json or csv.")] = "table",
    report: Annotated[
        Path | None, typer.Option(help="Write one HTML page with tables and curves.")
    ] = None,
    save: Annotated[Path | None, typer.Option(help="Keep what the model said, as .npz.")] = None,
    cache: Annotated[Path, typer.Option(help="Where mel datasets are kept.")] = Path("cache"),
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    windows: Annotated[
        int, typer.Option(help="The most windows of a track to listen to.", min=1, max=1000)
    ] = 16,
    jobs: Annotated[int, typer.Option(help="Threads that decode. Default: one a core.", min=0)] = 0,
) -> None:
    """Measure how right a model is, on a dataset or on saved predictions, or compare several.

    ROC-AUC and PR-AUC; precision, recall and F1 at thresholds; calibration; overall, by tag and by
    group of tags. Thresholds are fitted on the validation split, never on what is scored. Intervals
    are 95 %, by resampling artists. Beside each figure stands popularity's, which hears nothing.

    What was heard is kept by --save, at the end; an evaluation that is interrupted keeps nothing.
    """
    if context.invoked_subcommand is not None:
        return
    from tagkit.cli import evaluating
    from tagkit.cli.eval_view import COMPARED, FORMATS
    from tagkit.evaluation import drawing
    from tagkit.evaluation.report import write_report

    if format_ not in FORMATS:
        raise UsageError(f"no format is called {format_!r}", hint=", ".join(FORMATS))
    if compare and (model or predictions or report or save):
        raise UsageError("--compare stands alone", hint="name the models after --compare only")
    for target, suffix in ((report, ""), (save, ".npz")):
        if target is not None:
            evaluating.require_target(target, suffix)
    if report is not None:
        drawing.require()
    reading = {"dataset": dataset, "tags": tags, "split": split_name, "mels": mels}
    run = evaluating.Evaluating(
        evaluating.open_source(data, from_library, field or (), reading),
        split,
        {
            "device": device,
            "windows": windows,
            "jobs": jobs,
            "cache": cache,
            "context": with_context,
        },
        {"head": head, "tail": tail, "resamples": resamples, "seed": seed},
    )
    if compare:
        COMPARED[format_](run.compare(compare))
    else:
        vocabulary = Path(tags) if tags else None
        files = evaluating.Files(predictions, labels, vocabulary, artists, train_counts, logits)
        fitting = evaluating.Files(
            validation_predictions, validation_labels, vocabulary, logits=logits
        )
        scores = run.score(model or (), files, fitting, validation)
        try:
            if save is not None:
                scores.predictions.save(save)
            if report is not None:
                write_report(scores, report)
        finally:  # a full disk does not cost what was listened for
            FORMATS[format_](scores)
    run.end()


app.command()(reproduce)
