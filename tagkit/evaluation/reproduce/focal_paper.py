"""Tables I to IV of the focal-loss paper, from the predictions in its repository, and artist smoothing.

Knox et al., "MediaEval 2020 emotion and theme recognition in music task: loss function approaches for
multi-label music tagging"; https://github.com/usc-sail/media-eval-2020. The folder is laid out as there.
The print rounds its own figures to three decimals and cuts off those of the two baselines, which are
MTG's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tagkit import metrics
from tagkit.errors import DataError
from tagkit.evaluation.reproduce import smoothing
from tagkit.evaluation.reproduce.table import Folders, Row, Table, fields, matrix, printed, row
from tagkit.vocab import VOCABULARIES

OUTPUTS = VOCABULARIES["jamendo-moodtheme56"]
LOSSES = ("bce", "focal_loss", "cb_focal_loss", "db_focal_loss")

#: Head: more than 550 training tracks; tail: at most 200.
HEAD, TAIL = 550, 200

BOTH = ("PR-AUC", "ROC-AUC")
PARTS = ("head PR-AUC", "middle PR-AUC", "tail PR-AUC")

TABLE_I = printed(
    BOTH,
    """
    BCE Loss            0.150 0.766
    Focal Loss          0.156 0.778
    CB Focal Loss       0.153 0.773
    DB Focal Loss       0.153 0.768
    Ensemble            0.161 0.781
    VGG-ish-Baseline    0.107 0.725
    Popular-Baseline    0.031 0.500
    """,
)
TABLE_II = printed(
    PARTS,
    """
    BCE Loss            0.179 0.163 0.101
    Focal Loss          0.174 0.171 0.113
    CB Focal Loss       0.173 0.170 0.104
    DB Focal Loss       0.173 0.170 0.105
    Ensemble            0.182 0.179 0.109
    """,
)
TABLE_III = printed(
    BOTH,
    """
    BCE Loss            0.148 0.759
    Focal Loss          0.146 0.763
    CB Focal Loss       0.141 0.760
    DB Focal Loss       0.147 0.759
    Ensemble            0.152 0.768
    """,
)
TABLE_IV = printed(
    BOTH,
    """
    ensemble all data                       0.161 0.781
    best single model                       0.156 0.778
    CP-JKU avg ensemble                     0.155 0.773
    ensemble jamendo only                   0.142 0.763
    HCMUS ensemble wavenet                  0.141 0.766
    AugsBurger fusion with attention CNN    0.131 0.753
    """,
)
BASELINES = {
    "VGG-ish-Baseline": "baseline_vggish_predictions.npy",
    # It gives every track the most frequent tag: its decisions are its scores.
    "Popular-Baseline": "baseline_popular_decisions.npy",
}


def tables(folders: Folders) -> list[Table]:
    """Return Tables I to IV and the smoothed figures. Raises DataError for damaged files and where the
    ground truth is missing; where other files are, their rows say so."""
    truth = matrix(folders.data / "test_ground_truth.npy").astype(bool)
    if truth.shape[1] != len(OUTPUTS):
        raise DataError(f"has {truth.shape[1]} tags, not {len(OUTPUTS)}", path=folders.data)
    everything = folders.data / "all_training_data"
    standard = _models(everything / "standard_sampling" / "test")
    aware = _models(everything / "class_aware_resampling" / "test")
    beside = folders.baseline or folders.data.resolve().parent / "mtg-baseline"
    baselines = {name: [beside / file] for name, file in BASELINES.items()}
    submitted = {
        "ensemble all data": [folders.data / "ensemble_predictions_all_data.npy"],
        "best single model": standard["Focal Loss"],
        "ensemble jamendo only": [folders.data / "ensemble_predictions_jamendo_only.npy"],
    }
    return [
        Table("Table I: losses", _rows(TABLE_I, standard | baselines, truth)),
        _table_ii(folders.data, standard, truth),
        Table("Table III: class-aware sampling", _rows(TABLE_III, aware, truth)),
        Table("Table IV: submissions to MediaEval", _rows(TABLE_IV, submitted, truth)),
        smoothing.table(folders, everything / "standard_sampling", OUTPUTS, LOSSES),
    ]


def _models(folder: Path) -> dict[str, list[Path]]:
    """Whose mean each row of the losses' tables is."""
    files = [folder / f"{loss}_predictions.npy" for loss in LOSSES]
    single = {name: [file] for name, file in zip(TABLE_I, files, strict=False)}
    return single | {"Ensemble": files}


def _rows(
    published: Mapping[str, Mapping[str, str]], models: Mapping[str, Sequence[Path]], truth: Any
) -> list[Row]:
    rows = []
    for name, figures in published.items():
        scores, note = _mean(models.get(name, ()), truth)
        computed = None
        if scores is not None:
            areas = metrics.average_precision(truth, scores), metrics.roc_auc(truth, scores)
            computed = dict(zip(BOTH, map(metrics.macro, areas), strict=True))
        rows.append(row(name, figures, computed, truncated=name in BASELINES, note=note))
    return rows


def _table_ii(data: Path, models: Mapping[str, Sequence[Path]], truth: Any) -> Table:
    title = "Table II: PR-AUC of head, middle and tail tags"
    lists = [data / f"{name}_moodtheme-train.tsv" for name in ("jamendo", "m4a")]
    if missing := [path.name for path in lists if not path.exists()]:
        note = f"no {missing[0]}"
        return Table(
            title, [row(name, figures, None, note=note) for name, figures in TABLE_II.items()]
        )
    counts = sum(map(_counts, lists))
    chosen = (counts > HEAD, (counts > TAIL) & (counts <= HEAD), counts <= TAIL)
    rows = []
    for name, figures in TABLE_II.items():
        scores, note = _mean(models[name], truth)
        computed = None
        if scores is not None:
            areas = metrics.average_precision(truth, scores)
            computed = {
                part: metrics.macro(areas[tags]) for part, tags in zip(PARTS, chosen, strict=True)
            }
        rows.append(row(name, figures, computed, note=note))
    sizes = " / ".join(str(int(tags.sum())) for tags in chosen)
    return Table(
        title, rows, [f"{sizes} tags, by their tracks in Jamendo's and Music4All's training lists"]
    )


def _mean(files: Sequence[Path], truth: Any) -> tuple[Any, str]:
    """The mean of some predictions, or None and why."""
    if not files:
        return None, "another team's"
    if missing := [file.name for file in files if not file.exists()]:
        return None, f"no {missing[0]}"
    return np.mean([matrix(file, truth) for file in files], axis=0), ""


def _counts(path: Path) -> Any:
    """How many tracks of a training list have each tag (tags,)."""
    tags = [tag for line in fields(path)[1:] for tag in line[2:]]
    if unknown := set(tags) - set(OUTPUTS):
        raise DataError(f"has the unknown tag {min(unknown)!r}", path=path)
    return np.array([tags.count(output) for output in OUTPUTS])
