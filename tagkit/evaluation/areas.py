"""ROC-AUC and PR-AUC, overall, per tag and for any group of tags, each with interval and baseline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tagkit import metrics
from tagkit.evaluation import bootstrap
from tagkit.evaluation.figure import Figure, figure
from tagkit.evaluation.predictions import Predictions


class Areas:
    """ROC-AUC and PR-AUC of every tag, and their means over any of the tags."""

    def __init__(
        self,
        predictions: Predictions,
        baseline: Predictions,
        weights: bootstrap.Weights | None = None,
    ) -> None:
        labels, scores = predictions.labels, predictions.scores
        self.predictions = predictions
        self.values = {
            "pr_auc": metrics.average_precision(labels, scores),
            "roc_auc": metrics.roc_auc(labels, scores),
        }
        # What a constant gets: the share of positives, and one half.
        self.popular = {
            "pr_auc": np.where(np.isnan(self.values["pr_auc"]), np.nan, labels.mean(0)),
            "roc_auc": np.where(np.isnan(self.values["roc_auc"]), np.nan, 0.5),
        }
        self.baseline = baseline
        self.resampled = None if weights is None else bootstrap.resample(labels, scores, weights)

    def overall(self) -> dict[str, Figure]:
        labels, scores = self.predictions.labels, self.predictions.scores
        micro = {"pr_auc": metrics.average_precision, "roc_auc": metrics.roc_auc}
        found = {f"{name}_macro": of for name, of in self.means(range(labels.shape[1])).items()}
        for name, metric in micro.items():
            found[f"{name}_micro"] = figure(
                metrics.micro(metric, labels, scores),
                self.resampled and getattr(self.resampled, f"micro_{name}"),
                metrics.micro(metric, labels, self.baseline.scores),
            )
        area, error = metrics.trapezoidal_pr_auc, metrics.expected_calibration_error
        found["trapezoidal_pr_auc_macro"] = Figure(metrics.macro(area(labels, scores)))
        found["ece"] = Figure(metrics.micro(error, labels, scores))
        return found

    def per_tag(self) -> dict[str, tuple[Figure, ...]]:
        found = {
            name: tuple(
                figure(
                    float(value),
                    self.resampled and getattr(self.resampled, name)[:, column],
                    float(self.popular[name][column]),
                )
                for column, value in enumerate(values)
            )
            for name, values in self.values.items()
        }
        errors = metrics.expected_calibration_error(
            self.predictions.labels, self.predictions.scores
        )
        return found | {"ece": tuple(Figure(float(error)) for error in errors)}

    def means(self, columns: Sequence[int]) -> dict[str, Figure]:
        chosen = list(columns)
        return {
            name: figure(
                metrics.macro(values[chosen]),
                self.resampled and bootstrap.macro(getattr(self.resampled, name)[:, chosen]),
                metrics.macro(self.popular[name][chosen]),
            )
            for name, values in self.values.items()
        }
