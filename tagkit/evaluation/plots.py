"""The report's pictures: scores in, SVG text out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagkit import metrics
from tagkit.evaluation.cuts import Decided
from tagkit.evaluation.drawing import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    canvas,
    legend,
    printable,
    thinned,
)
from tagkit.evaluation.figure import Figure
from tagkit.evaluation.scores import Scores


def labels(scores: Scores) -> list[str]:
    """The tags as a picture has room for them: without ``mood/theme---`` where that tells none apart."""
    outputs = [printable(output) for output in scores.predictions.outputs]
    short = [output.rsplit("---", 1)[-1] for output in outputs]
    return short if len(set(short)) == len(outputs) else outputs


def tag_bars(scores: Scores) -> str:
    """PR-AUC and ROC-AUC of every tag, from the best to the worst, with interval and popularity."""
    order = scores.ranked([of.value for of in scores.tags["pr_auc"]])[::-1]
    names = [labels(scores)[column] for column in order]
    with canvas(9, 0.8 + 0.175 * len(order), columns=2, sharey=True) as (axes, svg):
        for axis, name in zip(axes, ("pr_auc", "roc_auc"), strict=True):
            _bars(axis, [scores.tags[name][column] for column in order])
            axis.set_xlabel(name.upper().replace("_", "-"))
            axis.set_ylim(-0.7, len(order) - 0.3)
        axes[0].set_yticks(range(len(order)), names)
        legend(axes[0], "lower right")
        return svg()


def group_bars(scores: Scores) -> str:
    """The same for head, middle, tail and each category."""
    groups = scores.groups[::-1]
    with canvas(9, 0.9 + 0.3 * len(groups), columns=2, sharey=True) as (axes, svg):
        for axis, name in zip(axes, ("pr_auc", "roc_auc"), strict=True):
            _bars(axis, [group.figures[name] for group in groups])
            axis.set_xlabel(f"{name.upper().replace('_', '-')}, mean over the tags")
        names = [f"{group.name} ({len(group.columns)})" for group in groups]
        axes[0].set_yticks(range(len(groups)), names)
        return svg()


def _bars(axis: Any, figures: list[Figure]) -> None:
    places = np.arange(len(figures))
    values = np.array([of.value for of in figures])
    axis.barh(places, np.nan_to_num(values), height=0.72, color=BLUE, alpha=0.75, label="model")
    if figures and figures[0].low is not None:
        bounds = np.array([(of.low, of.high) for of in figures], float).T
        axis.hlines(places, *bounds, color=INK, linewidth=0.9, label="95 % by artist")
    popular = np.array([np.nan if of.popularity is None else of.popularity for of in figures])
    axis.plot(popular, places, "|", color=ORANGE, markersize=7, mew=1.6, label="popularity")
    axis.grid(axis="x", alpha=0.2)


def curves(scores: Scores) -> str:
    """Precision-recall and ROC curves: every tag, and all entries pooled."""
    from sklearn.metrics import precision_recall_curve, roc_curve

    truth, said = scores.predictions.labels, scores.predictions.scores
    names = labels(scores)
    order = scores.ranked([of.value for of in scores.tags["pr_auc"]])
    marked = {order[0]: GREEN, order[len(order) // 2]: ORANGE, order[-1]: GREY} if order else {}
    with canvas(9, 4.2, columns=2) as (axes, svg):
        for column in order:
            positive, column_scores = truth[:, column], said[:, column]
            if positive.all():
                continue
            look: dict[str, Any] = {"color": GREY, "alpha": 0.22, "linewidth": 0.7}
            if column in marked:
                look = {"color": marked[column], "label": names[column], "zorder": 3}
            precision, recall, _ = precision_recall_curve(positive, column_scores)
            axes[0].plot(*thinned(recall, precision), **look)
            fallout, hits, _ = roc_curve(positive, column_scores)
            axes[1].plot(*thinned(fallout, hits), **look)
        pooled = {"color": BLUE, "linewidth": 2.2, "label": "all tags pooled", "zorder": 4}
        if 0 < truth.mean() < 1:
            precision, recall, _ = precision_recall_curve(truth.ravel(), said.ravel())
            axes[0].plot(*thinned(recall, precision), **pooled)
            fallout, hits, _ = roc_curve(truth.ravel(), said.ravel())
            axes[1].plot(*thinned(fallout, hits), **pooled)
        axes[1].plot([0, 1], [0, 1], ":", color=INK, linewidth=0.8)
        for axis, x, y in zip(
            axes,
            ("recall", "false positive rate"),
            ("precision", "true positive rate"),
            strict=True,
        ):
            axis.set(xlabel=x, ylabel=y, xlim=(0, 1), ylim=(0, 1.02))
        legend(axes[0], "upper right")
        legend(axes[1], "lower right")
        return svg()


def calibration(scores: Scores) -> str:
    """The reliability diagram, and how the scores are spread."""
    truth, said = scores.predictions.labels, scores.predictions.scores
    with canvas(9, 4.2, columns=2) as (axes, svg):
        axes[0].plot([0, 1], [0, 1], ":", color=INK, linewidth=0.8)
        for adaptive, colour, name in (
            (False, BLUE, "bins of equal width"),
            (True, ORANGE, "bins of equal size"),
        ):
            found = metrics.reliability(truth, said, adaptive=adaptive)
            axes[0].plot(found.score, found.share, "o-", color=colour, markersize=4, label=name)
        axes[0].set(xlabel="mean score", ylabel="share of positives", xlim=(0, 1), ylim=(0, 1))
        legend(axes[0], "upper left")
        bins = np.linspace(0, 1, 41)
        for mask, colour, name in ((~truth, GREY, "negatives"), (truth, BLUE, "positives")):
            axes[1].hist(said[mask], bins, color=colour, alpha=0.65, label=name)
        axes[1].set_yscale("symlog", linthresh=1)
        axes[1].yaxis.set_major_formatter("{x:,.0f}")  # the default one writes formulas
        axes[1].set(xlabel="score", ylabel="entries", xlim=(0, 1))
        legend(axes[1], "upper right")
        return svg()


def thresholds(scores: Scores) -> str:
    """Pooled precision, recall and F1 over one threshold for all tags, and where the cuts lie."""
    from sklearn.metrics import precision_recall_curve

    truth, said = scores.predictions.labels.ravel(), scores.predictions.scores.ravel()
    precision, recall, cuts = precision_recall_curve(truth, said)
    precision, recall = precision[:-1], recall[:-1]
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    with canvas(9, 3.4) as (axes, svg):
        axis = axes[0]
        for values, colour, name in (
            (precision, BLUE, "precision"),
            (recall, GREEN, "recall"),
            (f1, ORANGE, "F1"),
        ):
            axis.plot(*thinned(cuts, values), color=colour, label=name)
        for decided in scores.decided:
            places = np.unique(decided.cut.thresholds)
            if len(places) == 1:
                axis.axvline(places[0], color=INK, linewidth=0.8, linestyle="--")
                axis.text(places[0], 1.02, decided.cut.name, ha="center")
            else:
                axis.plot(places, np.zeros(len(places)), "|", color=INK, alpha=0.5, markersize=9)
        axis.set(xlabel="threshold", xlim=(0, 1), ylim=(0, 1))
        legend(axis, "center right")
        return svg()


def co_confusion(scores: Scores, decided: Decided) -> str:
    """Of the tracks that got a tag wrongly (rows), the share that has each other tag (columns)."""
    from matplotlib.colors import LinearSegmentedColormap

    names = labels(scores)
    # From nothing to blue: on a light page and on a dark one.
    blues = LinearSegmentedColormap.from_list("shares", [(BLUE + "00"), (BLUE + "ff")])
    side = 2.2 + 0.135 * len(names)
    with canvas(side + 1, side, layout="compressed") as (axes, svg):
        axis = axes[0]
        shares = wrongly_given(scores, decided)
        image = axis.imshow(shares, cmap=blues, vmin=0, interpolation="nearest")
        axis.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
        axis.set_yticks(range(len(names)), names, fontsize=7)
        axis.set(xlabel="tags that the track has", ylabel="tag given wrongly")
        axis.figure.colorbar(image, ax=axis, shrink=0.4).outline.set_visible(False)
        return svg()


def wrongly_given(scores: Scores, decided: Decided) -> NDArray[np.float64]:
    """(tags, tags): row a, column b: the share of the tracks given a, without having it, that have b."""
    truth = scores.predictions.labels
    wrong = (scores.predictions.scores >= decided.cut.thresholds) & ~truth
    # Counts of tracks: exact in float32, and a matrix product is what processors are fast at.
    both = wrong.astype(np.float32).T @ truth.astype(np.float32)
    return np.asarray(both / np.maximum(wrong.sum(0), 1)[:, None], np.float64)
