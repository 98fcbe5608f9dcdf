"""Cross-dataset predictions of https://github.com/philtgun/music-tagging-benchmark, scored as they lie.

A run is a folder, ``results/RUN`` there, with ``est.csv`` and ``gt.csv``: a line a track, its name, then
a number a tag. The figures below were measured on those files for MagnaTagATune's test tracks. Only in
``test-mtat-train-mtat-musicnn`` do the columns of both files mean the same tags; in the others a model
of one vocabulary stands beside labels of another, column by column: those figures check the arithmetic
and say nothing of the models. The repository's own reports compare the tags common to both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tagkit import metrics
from tagkit.errors import DataError
from tagkit.evaluation.arrays import read_lines
from tagkit.evaluation.reproduce.table import Folders, Row, Table, printed, row

COLUMNS = ("ROC-AUC", "PR-AUC", "PR-AUC (trapezoidal)", "ROC-AUC micro")

STATED = printed(
    COLUMNS,
    """
    test-mtat-train-jamendo-boc        0.494745 0.078352 0.077682 0.526548
    test-mtat-train-jamendo-musicnn    0.498769 0.081569 0.080866 0.533674
    test-mtat-train-msd-boc            0.564997 0.098783 0.097911 0.623029
    test-mtat-train-msd-musicnn        0.566659 0.104236 0.103166 0.633187
    test-mtat-train-mtat-musicnn       0.910898 0.450874 0.448017 0.935725
    """,
)
ROWS, TAGS = 4332, 50


def tables(folders: Folders) -> list[Table]:
    """Return the five runs; the rows of runs that are not there say which file is missing."""
    note = "only the last run's columns mean the same tags in both files; see docs/reproduce.md"
    return [
        Table("Cross-dataset runs on MagnaTagATune", [_row(folders, run) for run in STATED], [note])
    ]


def _row(folders: Folders, run: str) -> Row:
    here = folders.data / "results" / run
    folder = here if here.is_dir() else folders.data / run
    for name in ("est.csv", "gt.csv"):
        if not (folder / name).exists():
            return row(run, STATED[run], None, note=f"no {run}/{name}")
    scores, labels = _read(folder / "est.csv"), _read(folder / "gt.csv")
    if not np.isin(labels, (0, 1)).all():
        raise DataError("holds something else than 0 and 1", path=folder / "gt.csv")
    truth = labels.astype(bool)
    figures = (metrics.roc_auc, metrics.average_precision, metrics.trapezoidal_pr_auc)
    found = [metrics.macro(figure(truth, scores)) for figure in figures]
    found.append(metrics.micro(metrics.roc_auc, truth, scores))
    return row(run, STATED[run], dict(zip(COLUMNS, found, strict=True)))


def _read(path: Path) -> Any:
    """Return (tracks, tags) from a file of ``name,number,number…``; a name may hold commas."""
    try:
        lines = [line.rsplit(",", TAGS)[1:] for line in read_lines(path)]
        found = np.array(lines, dtype=np.float64)
    except ValueError as error:
        raise DataError(f"is no table of numbers: {error}", path=path) from error
    if found.shape != (ROWS, TAGS) or not np.isfinite(found).all():
        raise DataError(f"has not {ROWS:,} tracks with {TAGS} numbers each", path=path)
    return found
