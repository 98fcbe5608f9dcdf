"""What fewer windows cost in agreement: how far they say what sixteen say of the same tracks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr
from subjects import FEWER, FULL, Tagkit


class Said(NamedTuple):
    """``probabilities`` (tracks, tags), and the tags that each track is given."""

    probabilities: npt.NDArray[np.float64]
    given: list[set[str]]


class Agreement(NamedTuple):
    """With 16 windows' answers: the mean over tags of the rank correlation across tracks (-1 to 1);
    the mean difference in probability; of all tags given by either, the share that only one gives."""

    ranks: float
    difference: float
    changed: float


def said(lines: str) -> Said:
    """What ``tagkit tag --format jsonl --all-tags`` printed."""
    tracks = [json.loads(line) for line in lines.splitlines()]
    tags = list(tracks[0]["probabilities"])
    rows = [[track["probabilities"][tag] for tag in tags] for track in tracks]
    return Said(np.array(rows), [{tag["tag"] for tag in track["tags"]} for track in tracks])


def compare(full: Said, fewer: Said) -> Agreement:
    both = zip(full.probabilities.T, fewer.probabilities.T, strict=True)
    varied = [(one, other) for one, other in both if np.ptp(one) and np.ptp(other)]
    ranks = float(np.mean([spearmanr(one, other).statistic for one, other in varied]))
    difference = float(np.abs(full.probabilities - fewer.probabilities).mean())
    pairs = list(zip(full.given, fewer.given, strict=True))
    either = sum(len(one | other) for one, other in pairs)
    changed = sum(len(one ^ other) for one, other in pairs) / max(1, either)
    return Agreement(ranks, difference, changed)


def measure(work: Path, files: Sequence[Path]) -> dict[int, Agreement]:
    """Return what each smaller number of windows costs on these files."""
    heard = {
        windows: said(Tagkit(work, ["--all-tags", "--windows", str(windows)]).run(files)[1])
        for windows in (FULL, *FEWER)
    }
    return {windows: compare(heard[FULL], heard[windows]) for windows in FEWER}
