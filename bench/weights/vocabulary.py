"""Which tags ship, and why: the rule, and the table of it.

A tag ships if

- *labels*: labelled data here (``labelled.py``) shows an AUC of the students whose interval clears .5; or
- *published*: a published result of one of the teachers on this very tag is at least .60 ROC-AUC, and the
  students' rank correlation with the weighted teachers on held-out real music is at least .6.

Published results, tag by tag:

- MTG's mood/theme VGG on MTG-Jamendo's test tracks, from its published predictions (SHARED/predictions/
  mtg-baseline), whose macro ROC-AUC, .725821, is in its results file and comes out again;
- the FCN and Musicnn of MTG-Jamendo, MagnaTagATune and the Million Song Dataset (Musicnn: not of the last),
  each on its own corpus's test tracks: ``published.csv``, the column AUC of the reports
  ``results/test-CORPUS-train-CORPUS-MODEL/results_report.csv`` of github.com/philtgun/music-tagging-benchmark,
  from where the teachers' checkpoints are, with two decimals. Their means agree with the macro figures of
  M. Won et al. 2020 (.8255, .8226, .9005, .9106, .8742). ``positives``: ``n_examples_per_label.csv`` there.

The largest counts: of several teachers that know a tag, and of several words that a teacher has for it.
Nothing is published tag by tag for the two CRNNs; all their words are other teachers' words too.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shares
from labelled import Area
from numpy.typing import NDArray

from tagkit import metrics
from tagkit.vocab import VOCABULARIES, Tag, canonical

PUBLISHED = 0.60
AGREEMENT = 0.6
COLUMNS = (
    "tag,category,ships,basis,labelled_auc,low,high,published,published_of,rank_correlation"
).split(",")
MTG = "mtg-moodtheme-vgg"


@dataclass(frozen=True)
class Verdict:
    """What is known of a tag. ``published``: ROC-AUC and the teacher whose it is."""

    tag: Tag
    labelled: Area | None
    published: tuple[float, str] | None
    rank_correlation: float

    @property
    def basis(self) -> str:
        """Why it ships: "labels", "published", both; "" if it does not."""
        held = []
        if self.labelled is not None and self.labelled.low > 0.5:
            held.append("labels")
        if (
            self.published is not None
            and self.published[0] >= PUBLISHED
            and self.rank_correlation >= AGREEMENT
        ):
            held.append("published")
        return " and ".join(held)

    @property
    def why_not(self) -> str:
        """What it lacks, for people."""
        told = []
        if self.labelled is not None:
            told.append(f"AUC {self.labelled.value:.2f}, from {self.labelled.low:.2f}")
        if self.published is None or self.published[0] < PUBLISHED:
            told.append("nothing published from .60")
        else:
            told.append(f"agreement {self.rank_correlation:.2f}")
        return ", ".join(told)

    def cells(self) -> tuple[str, ...]:
        area = self.labelled
        three = ("", "", "") if area is None else tuple(f"{value:.4f}" for value in area[:3])
        return (
            *self.tag,
            "yes" if self.basis else "no",
            self.basis.replace("labels", f"labels ({area.of})" if area else ""),
            *three,
            *((f"{self.published[0]:.4f}", self.published[1]) if self.published else ("", "")),
            f"{self.rank_correlation:.4f}",
        )


def judge(
    tags: Sequence[Tag],
    labelled: Sequence[Mapping[Tag, Area]],
    published: Mapping[Tag, tuple[float, str]],
    rank_correlation: NDArray[np.float64],
) -> list[Verdict]:
    """Return a verdict on each tag. Of several labelled figures the one whose interval begins highest."""
    verdicts = []
    for tag, rho in zip(tags, rank_correlation.tolist(), strict=True):
        areas = [found[tag] for found in labelled if tag in found]
        best = max(areas, key=lambda area: area.low, default=None)
        verdicts.append(Verdict(tag, best, published.get(tag), rho))
    return verdicts


def results(shared: Path) -> dict[Tag, tuple[float, str]]:
    """Return the largest published ROC-AUC of any teacher on each tag, and whose it is."""
    found = dict(mtg(shared))
    for row in shares.published():
        corpus = row["vocabulary"].partition("-")[0]
        tag = canonical(row["word"])
        for model in ("fcn", "musicnn"):
            if row[model]:
                figure = (float(row[model]), f"{corpus}-{model}")
                found[tag] = max(found.get(tag, figure), figure)
    return found


def mtg(shared: Path) -> dict[Tag, tuple[float, str]]:
    """Return the ROC-AUC of each mood and theme of MTG's published predictions."""
    folder = shared / "predictions" / "mtg-baseline"
    truth = np.load(folder / "groundtruth.npy", allow_pickle=False).astype(bool)
    said = np.load(folder / "baseline_vggish_predictions.npy", allow_pickle=False)
    tags = map(canonical, VOCABULARIES["jamendo-moodtheme56"])
    areas = metrics.roc_auc(truth, said).tolist()
    return {tag: (area, MTG) for tag, area in zip(tags, areas, strict=True)}


def write(path: Path, verdicts: Sequence[Verdict]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        writer.writerows(verdict.cells() for verdict in verdicts)
