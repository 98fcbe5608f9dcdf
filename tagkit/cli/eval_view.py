"""Scores and comparisons on stdout: a table for people, JSON and CSV for programs."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from rich.table import Table
from rich.text import Text

from tagkit.cli.writing import printable, tables
from tagkit.evaluation import record
from tagkit.evaluation.compare import Comparison
from tagkit.evaluation.figure import Figure, interval, number
from tagkit.evaluation.scores import Scores
from tagkit.strangers import cell

#: What the figures are called where people read them.
NAMES = {
    "pr_auc_macro": "PR-AUC macro",
    "roc_auc_macro": "ROC-AUC macro",
    "pr_auc_micro": "PR-AUC micro",
    "roc_auc_micro": "ROC-AUC micro",
    "trapezoidal_pr_auc_macro": "trapezoidal PR-AUC macro",
    "ece": "calibration error (ECE)",
}
MOST_RANKED = 10


def table(scores: Scores) -> None:
    """Overall, by threshold, by group, and every tag from the best to the worst PR-AUC."""
    show = _Shown()
    predictions = scores.predictions
    show.line(f"{predictions.name}: {len(predictions.ids):,} tracks, {len(predictions.tags)} tags")
    show.table(
        ("", "value", "95 %", "popularity"),
        [
            (NAMES[name], number(of.value), interval(of), number(of.popularity))
            for name, of in scores.figures.items()
        ],
    )
    _decisions(show, scores)
    show.table(
        ("group", "tags", "PR-AUC", "95 %", "popularity", "ROC-AUC", "95 %"),
        [
            (
                group.name,
                str(len(group.columns)),
                *_area(group.figures["pr_auc"]),
                number(group.figures["pr_auc"].popularity),
                *_area(group.figures["roc_auc"]),
            )
            for group in scores.groups
        ],
    )
    _tags(show, scores)


def _decisions(show: _Shown, scores: Scores) -> None:
    figures = ("accuracy", "precision_macro", "recall_macro", "f1_macro", "f1_micro")
    rows = []
    for decided in scores.decided:
        cuts = np.unique(decided.cut.thresholds)
        cut = number(float(cuts[0])) if len(cuts) == 1 else "a tag each"
        values = [decided.figures[name] for name in figures]
        rows.append((decided.cut.name, cut, *(number(of.value) for of in values)))
        if values[0].popularity is not None:
            rows.append(("  popularity", "", *(number(of.popularity) for of in values)))
    names = [name.replace("_", " ").replace("f1", "F1") for name in figures]
    show.table(("thresholds", "from", *names), rows)


def _tags(show: _Shown, scores: Scores) -> None:
    """With the counts of the last way to decide that thresholds are fitted for: the finest."""
    predictions = scores.predictions
    order = scores.ranked([of.value for of in scores.tags["pr_auc"]])
    fitted = [decided for decided in scores.decided if decided.cut.name == "per-tag"]
    chosen = fitted[0] if fitted else scores.decided[-1] if scores.decided else None
    rows = []
    for column in order:
        areas = [scores.tags[name][column] for name in ("pr_auc", "roc_auc")]
        row = [predictions.outputs[column], str(int(predictions.labels[:, column].sum()))]
        row += [*_area(areas[0]), number(areas[0].popularity), number(areas[1].value)]
        if chosen is not None:
            row += [number(float(chosen.f1[column]))]
            row += [str(int(part[column])) for part in chosen.counts]
        rows.append(row)
    head = ["tag", "tracks", "PR-AUC", "95 %", "popularity", "ROC-AUC"]
    show.table([*head, *(["F1", "tp", "fp", "fn", "tn"] if chosen else [])], rows)
    if chosen is not None:
        ranked = scores.ranked(chosen.f1.tolist())
        for word, columns in (
            ("highest", ranked[:MOST_RANKED]),
            ("lowest", ranked[::-1][:MOST_RANKED]),
        ):
            listed = (f"{predictions.outputs[c]} {chosen.f1[c]:.3f}" for c in columns)
            show.line(f"{word} F1 ({chosen.cut.name}): {', '.join(listed)}")


def compared_table(comparison: Comparison) -> None:
    """One row a model and figure, with the difference from the first model."""
    show = _Shown()
    rows = []
    for name in comparison.models[0].figures:
        for model in comparison.models:
            found = model.figures[name]
            row = [NAMES[name], model.name, *_area(found)]
            if difference := model.differences.get(name):
                low, high = (f"{part:+.4f}" for part in (difference.low, difference.high))
                row += [f"{difference.value:+.4f}", f"{low} … {high}", f"{difference.better:.1%}"]
            else:
                row += [""] * 3
            rows.append(row)
    show.table(("", "model", "value", "95 %", "difference", "95 %", "better in"), rows)


def as_json(values: record.Record) -> None:
    print(json.dumps(values, indent=1, allow_nan=False))


def as_csv(rows: Iterable[Sequence[object]]) -> None:
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerows([cell(printable(c)) if isinstance(c, str) else c for c in row] for row in rows)


FORMATS: dict[str, Callable[[Scores], None]] = {
    "table": table,
    "json": lambda scores: as_json(record.of_scores(scores)),
    "csv": lambda scores: as_csv(record.rows(scores)),
}
COMPARED: dict[str, Callable[[Comparison], None]] = {
    "table": compared_table,
    "json": lambda found: as_json(record.of_comparison(found)),
    "csv": lambda found: as_csv(record.comparison_rows(found)),
}


class _Shown:
    """Tables with an empty line between two, in the terminal's width, whole in a pipe."""

    def __init__(self) -> None:
        self.console = tables()

    def line(self, text: str) -> None:
        self.console.print(Text(printable(text)), soft_wrap=True)

    def table(self, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        if not rows:
            return
        shown = Table(box=None, pad_edge=False)
        words = [all(not _is_number(row[place]) for row in rows) for place in range(len(names))]
        for name, is_word in zip(names, words, strict=True):
            shown.add_column(name, justify="left" if is_word else "right", no_wrap=True)
        for row in rows:
            # Text: what a stranger's tag or model is called is no markup.
            shown.add_row(*(Text(printable(word)) for word in row))
        self.console.print()
        self.console.print(shown)


def _is_number(word: str) -> bool:
    return word.lstrip("-+").replace(".", "").replace("%", "").isdigit()


def _area(of: Figure) -> tuple[str, str]:
    return number(of.value), interval(of)
