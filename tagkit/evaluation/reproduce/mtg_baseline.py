"""MTG's baselines for MediaEval's mood/theme task, from their published predictions and decisions.

https://github.com/MTG/mtg-jamendo-dataset, ``results/mediaeval2019``. The thresholds behind the VGG
baseline's decisions are those with the largest F1 *on the test tracks themselves*: its precision,
recall and F-score are higher than thresholds fitted on validation would give.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tagkit import metrics
from tagkit.errors import DataError
from tagkit.evaluation.reproduce.table import Folders, Row, Table, fields, matrix, row
from tagkit.vocab import VOCABULARIES

#: Each baseline, and which of its files its areas are computed from.
BASELINES = {"popular": "decisions", "vggish": "predictions"}


def tables(folders: Folders) -> list[Table]:
    """Return the results files, recomputed. Raises DataError where a file is missing or damaged."""
    truth = matrix(folders.data / "groundtruth.npy").astype(bool)
    published: dict[str, Mapping[str, str]] = {}
    computed: dict[str, Mapping[str, float]] = {}
    for name, scored in BASELINES.items():
        scores = matrix(folders.data / f"baseline_{name}_{scored}.npy", truth)
        decisions = matrix(folders.data / f"baseline_{name}_decisions.npy", truth)
        published[name] = _results(folders.data / f"baseline_{name}_results.tsv")
        computed[name] = _figures(truth, scores.astype(np.float64), decisions.astype(bool))
    rows = [
        row(
            figure,
            {name: published[name][figure] for name in BASELINES},
            {name: computed[name][figure] for name in BASELINES},
        )
        for figure in computed["vggish"]
        if all(figure in published[name] for name in BASELINES)
    ]
    note = "precision, recall and F-score of vggish are at thresholds fitted on these test tracks"
    return [Table("Results files", rows, [note]), _thresholds(folders.data, truth)]


def _results(path: Path) -> dict[str, str]:
    lines = fields(path)
    if not lines or any(len(line) != 2 for line in lines):
        raise DataError("is not a table of figure and value", path=path)
    return {line[0]: line[1] for line in lines}


def _figures(truth: Any, scores: Any, decisions: Any) -> dict[str, float]:
    """The figures of a results file under its names."""
    counts = metrics.confusion(truth, decisions)
    areas = {"ROC-AUC": metrics.roc_auc, "PR-AUC": metrics.average_precision}
    ratios = {"precision": metrics.precision, "recall": metrics.recall, "F-score": metrics.f1}
    found = {f"{name}-macro": metrics.macro(area(truth, scores)) for name, area in areas.items()}
    found |= {f"{name}-macro": metrics.macro(ratio(counts)) for name, ratio in ratios.items()}
    found |= {f"{name}-micro": metrics.micro(area, truth, scores) for name, area in areas.items()}
    return found | {
        f"{name}-micro": float(ratio(counts.pooled())[0]) for name, ratio in ratios.items()
    }


def _thresholds(data: Path, truth: Any) -> Table:
    """How many of the published thresholds and decisions come out again."""
    path = data / "baseline_vggish_thresholds.txt"
    lines = fields(path)
    if [line[0] for line in lines] != list(VOCABULARIES["jamendo-moodtheme56"]):
        raise DataError("has not the 56 tags in order", path=path)
    published = np.array([np.float32(line[1]) for line in lines])
    scores = matrix(data / "baseline_vggish_predictions.npy", truth)
    decisions = matrix(data / "baseline_vggish_decisions.npy", truth).astype(bool)
    fitted = metrics.per_tag_thresholds(truth, scores).astype(np.float32)
    rows: list[Row] = [
        _count("thresholds with the largest F1 on test", published == fitted),
        _count("decisions: prediction > threshold", (scores > published) == decisions),
    ]
    return Table("Thresholds of vggish", rows, ["tagkit gives a tag from its threshold on: >="])


def _count(name: str, equal: Any) -> Row:
    return row(name, {"count": str(equal.size)}, {"count": float(equal.sum())})
