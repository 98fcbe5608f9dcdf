"""Scores and comparisons as JSON values, and as rows of a long table. NaN becomes None."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from tagkit import metrics
from tagkit.evaluation.compare import Comparison
from tagkit.evaluation.cuts import Decided
from tagkit.evaluation.figure import Figure
from tagkit.evaluation.scores import Scores

Record = dict[str, Any]


def of_scores(scores: Scores) -> Record:
    """Everything in ``scores`` but the predictions themselves."""
    predictions = scores.predictions
    return {
        "model": predictions.name,
        "tracks": len(predictions.ids),
        "artists": len({artist for artist in predictions.artists if artist}),
        "figures": _figures(scores.figures),
        "groups": [
            {
                "name": group.name,
                "kind": group.kind,
                "tags": [predictions.outputs[column] for column in group.columns],
                "figures": _figures(group.figures),
            }
            for group in scores.groups
        ],
        "decisions": [
            {
                "thresholds": decided.cut.name,
                "fitted_on": decided.cut.fitted_on,
                "figures": _figures(decided.figures),
            }
            for decided in scores.decided
        ],
        "tags": [_tag(scores, column) for column in range(len(predictions.outputs))],
        "notes": list(scores.notes),
    }


def of_comparison(comparison: Comparison) -> Record:
    return {
        "tags": list(comparison.outputs),
        "models": [
            {
                "model": model.name,
                "figures": _figures(model.figures),
                "differences": {
                    name: {part: _number(value) for part, value in found._asdict().items()}
                    for name, found in model.differences.items()
                },
            }
            for model in comparison.models
        ],
        "notes": list(comparison.notes),
    }


def rows(scores: Scores) -> Iterator[tuple[object, ...]]:
    """The header, then one row a figure: over all, of a group, of a way to decide, and of a tag."""
    yield "scope", "name", "figure", "value", "low", "high", "popularity"
    record = of_scores(scores)
    yield from _rows("overall", "", record["figures"])
    for group in record["groups"]:
        yield from _rows(group["kind"], group["name"], group["figures"])
    for decision in record["decisions"]:
        yield from _rows("decision", decision["thresholds"], decision["figures"])
    for tag in record["tags"]:
        yield from _rows("tag", tag["output"], tag["figures"])
        for name in ("positives", "train_count"):
            if tag[name] is not None:
                yield "tag", tag["output"], name, tag[name], None, None, None
        for cut, counts in tag["decisions"].items():
            for name, value in counts.items():
                yield "tag", tag["output"], f"{cut} {name}", value, None, None, None


def comparison_rows(comparison: Comparison) -> Iterator[tuple[object, ...]]:
    """The header, then one row a model and figure."""
    yield "model", "figure", "value", "low", "high", "difference", "from", "to", "better"
    for model in of_comparison(comparison)["models"]:
        for name, found in model["figures"].items():
            difference = model["differences"].get(name) or dict.fromkeys(
                ("value", "low", "high", "better")
            )
            values = (found["value"], found["low"], found["high"])
            yield model["model"], name, *values, *difference.values()


def _rows(
    scope: str, name: str, figures: Mapping[str, Mapping[str, object]]
) -> Iterator[tuple[object, ...]]:
    for figure, parts in figures.items():
        yield scope, name, figure, *parts.values()


def _tag(scores: Scores, column: int) -> Record:
    predictions = scores.predictions
    counts = predictions.train_counts
    return {
        "output": predictions.outputs[column],
        "tag": predictions.tags[column].name,
        "category": predictions.tags[column].category,
        "positives": int(predictions.labels[:, column].sum()),
        "train_count": None if counts is None else int(counts[column]),
        "figures": _figures({name: found[column] for name, found in scores.tags.items()}),
        "decisions": {decided.cut.name: _decision(decided, column) for decided in scores.decided},
    }


def _decision(decided: Decided, column: int) -> Record:
    counts = decided.counts
    return {
        "threshold": _number(float(decided.cut.thresholds[column])),
        **{part: int(values[column]) for part, values in counts._asdict().items()},
        "precision": _number(float(metrics.precision(counts)[column])),
        "recall": _number(float(metrics.recall(counts)[column])),
        "f1": _number(float(decided.f1[column])),
    }


def _figures(figures: Mapping[str, Figure]) -> dict[str, dict[str, float | None]]:
    return {
        name: {part: _number(value) for part, value in found._asdict().items()}
        for name, found in figures.items()
    }


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value
