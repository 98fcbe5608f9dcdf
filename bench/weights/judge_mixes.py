"""Instruments on mixes of rendered instruments, where what plays is known exactly.

``WORK/mixes.csv`` lists the mixes (``mixes.py``): soundfont and pieces were met by nobody. A tag that may or
may not be said to be heard, as "strings" of one violin, is left out of that mix. Instruments with at least
ten mixes count; the intervals resample mixes, for songs are drawn at random for each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import labelled
import numpy as np
from labelled import Labels
from listening import Heard
from listening import students as listen

from tagkit import metrics
from tagkit.evaluation import bootstrap
from tagkit.vocab import Tag

FEWEST = 10
RESAMPLES = 2000


def measure(work: Path, bundles: Sequence[Path]) -> dict[str, Any]:
    labels = labelled.mixes(work)
    return figures(labels, listen(bundles, labels.paths, work))


def figures(labels: Labels, heard: Heard, resamples: int = RESAMPLES) -> dict[str, Any]:
    """Return the ROC-AUC of each instrument that is known and often enough there, and their mean."""
    tags = [tag for tag in labels.has if _counts(tag, labels, heard)]
    scores = heard.columns(tags)
    weights = bootstrap.weigh([""] * len(labels.paths), resamples)
    rows: list[dict[str, Any]] = []
    drawn = []
    for tag, column in sorted(zip(tags, scores.T, strict=True)):
        known = ~np.isnan(labels.has[tag])
        has, said = labels.has[tag][known, None] > 0.5, column[known, None]
        drawn.append(bootstrap.resample(has, said, weights[known]).roc_auc[:, 0])
        low, high = bootstrap.interval(drawn[-1])
        area = float(metrics.roc_auc(has, said)[0])
        rows.append({"tag": tag.name, "with": int(has.sum()), "without": int((~has).sum())})
        rows[-1] |= {"auc": area, "low": low, "high": high}
    low, high = bootstrap.interval(bootstrap.macro(np.stack(drawn, 1))) if drawn else (np.nan,) * 2
    return {
        "mixes": len(labels.paths),
        "instruments": rows,
        "macro": metrics.macro(np.array([row["auc"] for row in rows])),
        "low": low,
        "high": high,
    }


def _counts(tag: Tag, labels: Labels, heard: Heard) -> bool:
    how_many = Counter(labels.has[tag].tolist())
    enough = how_many[1.0] >= FEWEST and how_many[0.0] > 0
    return tag.category == "instrument" and tag in heard.tags and enough


def lines(found: dict[str, Any]) -> Iterator[str]:
    yield f"Instruments on {found['mixes']} mixes: ROC-AUC (95 %, bootstrap by mix)"
    count = len(found["instruments"])
    yield f"  mean of {count} instruments: {found['macro']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
    for row in sorted(found["instruments"], key=lambda row: -row["auc"]):
        area = f"{row['auc']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
        yield f"    {row['tag']:20}{area}  heard in {row['with']}, not in {row['without']}"
