"""Fitting an ensemble on validation tracks, and saying honestly what that is worth.

The combination that is kept is fitted on all validation tracks. What it is worth is measured out of
fold: fitted on four fifths of the artists, judged on the fifth, and beside it the plain mean of the
members. Where the fitted one is no better than the mean, it learned its tracks by heart.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tagkit import metrics
from tagkit.errors import UsageError
from tagkit.evaluation.predictions import Predictions
from tagkit.inference import context, ensemble, ensemble_file
from tagkit.inference.context import Context
from tagkit.inference.ensemble import Ensemble
from tagkit.inference.ensemble_file import Definition
from tagkit.training.combinations import FITTERS, Combination, Learned, Weighted
from tagkit.training.evidence import Evidence, FloatArray
from tagkit.weights import bundle, catalogue
from tagkit.weights.card import Card


@dataclass(frozen=True)
class Plan:
    """``combine``: a row of :data:`FITTERS`; ``context``: fit the shares of artist and album too;
    ``folds``: into how many the artists are split. Raises UsageError."""

    combine: str = "weights"
    context: bool = False
    folds: int = 5

    def __post_init__(self) -> None:
        if self.combine not in FITTERS:
            raise UsageError(
                f"no combination is called {self.combine!r}", hint=f"there is {', '.join(FITTERS)}"
            )
        if self.folds < 2:
            raise UsageError(f"{self.folds} folds", hint="at least 2")


@dataclass(frozen=True)
class Fitted:
    """A combination and from which probability its tags are given: by name, with the largest F1; none for
    a tag that no track has."""

    combination: Combination
    thresholds: dict[str, float]
    context: Context | None = None
    context_thresholds: dict[str, float] = field(default_factory=dict)


def members(names: Sequence[str]) -> Ensemble:
    """Return the plain mean of bundles. Raises UsageError unless they are two bundles or more."""
    paths = [catalogue.find(name) for name in names]
    if any(path.suffix == catalogue.ENSEMBLE for path in paths):
        raise UsageError("an ensemble cannot be a member", hint="name its members instead")
    if len({bundle.fingerprint(path) for path in paths}) < max(2, len(paths)):
        raise UsageError(
            "an ensemble needs at least two models", hint="name different bundles, each once"
        )
    return ensemble.load(names)


def fit(evidence: Evidence, plan: Plan) -> Fitted:
    """Fit on all of the evidence. Raises DataError where it does not allow that."""
    combination = FITTERS[plan.combine](evidence)
    scores = combination(evidence)
    thresholds = _thresholds(evidence, scores)
    if not plan.context:
        return Fitted(combination, thresholds)
    shares = _fit_context(evidence, scores)
    smoothed = _smooth(evidence, scores, shares)
    return Fitted(combination, thresholds, shares, _thresholds(evidence, smoothed))


def out_of_fold(evidence: Evidence, plan: Plan, names: Sequence[str]) -> list[Predictions]:
    """Return what the plain mean, each member (``names``) and the plan say of the tracks: the mean
    first, ready for :func:`evaluation.compare.compare`.

    What is fitted was fitted on other artists than those it speaks of. Its scores are ranks, from 0 to 1,
    among all tracks: each fold's fit has a scale of its own, and side by side they would not compare.
    """
    mean = FITTERS["mean"](evidence)(evidence)
    found = {"mean": mean, **dict(zip(names, evidence.voices, strict=True))}
    fitted = f"{plan.combine}, fitted"
    smoothed = f"{plan.combine} + context, fitted (uses other tracks by the artist)"
    if plan.combine != "mean":
        found[fitted] = np.empty_like(mean)
    if plan.context:
        found[smoothed] = np.empty_like(mean)
    for train, held in evidence.folds(plan.folds) if fitted in found or plan.context else ():
        part = evidence.rows(train)
        scores = FITTERS[plan.combine](part)(evidence)
        if fitted in found:
            found[fitted][held] = _ranks(scores)[held]
        if plan.context:
            shares = _fit_context(part, scores[train])
            # Folds keep artists whole, so nobody hears a neighbour of another fold.
            found[smoothed][held] = _ranks(_smooth(evidence, scores, shares))[held]
    return [_predictions(evidence, name, scores) for name, scores in found.items()]


def write(out: Path, names: Sequence[str], evidence: Evidence, fitted: Fitted, notes: str) -> None:
    """Write the ensemble file and, for a learned one, its combiner beside it.

    ``names``: the members as they were named; a path becomes relative to the file's folder. ``notes``
    become comments. Raises WeightsError where they cannot be written.
    """
    combination = fitted.combination
    says = Definition(
        members=tuple(_beside(out, name) for name in names),
        name=out.stem,
        thresholds=fitted.thresholds,
        context=fitted.context,
        context_thresholds=fitted.context_thresholds,
    )
    if isinstance(combination, Learned):
        combiner = out.with_name(f"{out.stem}-combiner{catalogue.BUNDLE}")
        _save_combiner(combiner, evidence, combination, notes)
        says = replace(says, combine="learned", combiner=combiner.name)
    elif isinstance(combination, Weighted) and combination.by_tag:
        columns = zip(evidence.tags, combination.votes.T.tolist(), strict=True)
        says = replace(says, tag_weights={tag.name: tuple(votes) for tag, votes in columns})
    elif isinstance(combination, Weighted):
        says = replace(says, weights=tuple(combination.votes.max(1).tolist()))
    ensemble_file.write(out, says, notes=notes)


def _save_combiner(path: Path, evidence: Evidence, combination: Learned, notes: str) -> None:
    spoken = evidence.spoken
    assert spoken is not None
    card = Card(
        # A bundle's name is stricter than a file's.
        name=re.sub(r"[^a-z0-9._-]", "-", path.stem.lower()).lstrip("._-") or "combiner",
        architecture="combiner",
        arguments={"inputs": spoken.inputs.shape[1]},
        front_end=None,
        tags=spoken.tags,
        outputs=spoken.outputs,
        notes=notes,
    )
    bundle.save(path, card, combination.network, None)


def _beside(out: Path, name: str) -> str:
    """A member's name from the ensemble file's folder; a name of the catalogue stays."""
    path = Path(name)
    if path.name == name and path.suffix != catalogue.BUNDLE:
        return name
    return Path(os.path.relpath(path.resolve(), out.resolve().parent)).as_posix()


def _ranks(scores: FloatArray) -> FloatArray:
    """How much of each column (tracks, tags) is not above each entry, in (0, 1]."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(scores, axis=0, method="max") / len(scores), np.float32)


def _fit_context(evidence: Evidence, scores: FloatArray) -> Context:
    neighbours = evidence.artists, evidence.albums
    return context.fit(scores, evidence.labels, evidence.tags, *neighbours).context


def _smooth(evidence: Evidence, scores: FloatArray, shares: Context) -> FloatArray:
    neighbours = evidence.artists, evidence.albums
    return np.asarray(context.smooth(scores, evidence.tags, *neighbours, shares), np.float32)


def _thresholds(evidence: Evidence, scores: FloatArray) -> dict[str, float]:
    found = metrics.per_tag_thresholds(evidence.labels, scores)
    # A threshold is a track's own score, and gives it the tag: rounded up, it would not.
    floored = np.floor(found * 1e6) / 1e6
    return {
        tag.name: float(value)
        for tag, value in zip(evidence.tags, floored, strict=True)
        if not np.isnan(value)
    }


def _predictions(evidence: Evidence, name: str, scores: FloatArray) -> Predictions:
    known = np.flatnonzero(~np.isnan(scores).any(0))
    tags = tuple(evidence.tags[column] for column in known)
    return Predictions(
        scores=np.clip(scores[:, known], 0, 1),
        labels=evidence.labels[:, known],
        outputs=tuple(tag.name for tag in tags),
        tags=tags,
        ids=evidence.ids,
        artists=evidence.artists,
        albums=evidence.albums,
        name=name,
    )
