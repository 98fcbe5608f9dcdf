"""Ways to weigh the teachers per tag, and to combine what they say.

All of it is for labelled clips: :class:`Weighed` holds what the teachers say of them. Weights are (members, tags),
0 where a member lacks the tag; they need not sum to 1, :func:`combine` sees to that.
"""

from __future__ import annotations

from collections.abc import Callable

import emotify
import numpy as np
from emotify import BoolArray, Clips, FloatArray, Said
from scipy.stats import rankdata

from tagkit import metrics

#: Beyond this a logit says how sure a teacher is that a tag is absent, not which clip has it.
EPSILON = 1e-3
WAYS = ("probabilities", "ranks", "logits", "standardised logits")


def express(probabilities: FloatArray, way: str, like: FloatArray | None = None) -> FloatArray:
    """Return (members, clips, tags) in one of :data:`WAYS`.

    Logits are standardised per member and tag by the mean and the deviation of ``like``, other
    clips' probabilities (by default the same).
    """
    if way == "probabilities":
        return probabilities
    if way == "ranks":
        ranks = rankdata(probabilities, axis=1) / probabilities.shape[1]
        return np.where(np.isnan(probabilities), np.nan, ranks)
    if way == "logits":
        return logit(probabilities)
    reference = logit(probabilities if like is None else like)
    mean, deviation = reference.mean(1, keepdims=True), reference.std(1, keepdims=True)
    found: FloatArray = (logit(probabilities) - mean) / deviation
    return found


def logit(probabilities: FloatArray) -> FloatArray:
    kept = np.clip(probabilities, EPSILON, 1 - EPSILON)
    found: FloatArray = np.log(kept / (1 - kept))
    return found


def combine(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the weighted mean (clips, tags) over the members (members, clips, tags) that have the tag; NaN
    where nobody with a weight has it."""
    sums = weights.sum(0)
    shares = np.divide(weights, sums, where=sums > 0, out=np.full(weights.shape, np.nan))
    found: FloatArray = np.einsum("kt,knt->nt", shares, np.nan_to_num(values))
    return found


class Weighed:
    """What teachers say about clips whose labels are known, and what that tells about the teachers."""

    def __init__(self, clips: Clips, said: Said) -> None:
        """``clips`` and ``said`` hold the same clips, all of which are looked at."""
        self.clips, self.said = clips, said
        self.scores = [
            emotify.target_scores(given, said.tags, clips.targets) for given in said.probabilities
        ]
        self.ranks = express(said.probabilities, "ranks")

    def skill(self, rows: BoolArray) -> FloatArray:
        """ROC-AUC of each teacher for each target (members, targets) on the clips ``rows``."""
        labels = self.clips.labels[rows]
        return np.array([emotify.areas(labels, scores[rows]) for scores in self.scores])


Fit = Callable[[Weighed, BoolArray], FloatArray]
"""Weights (members, tags), from the clips ``rows`` alone."""


def plain(weighed: Weighed, rows: BoolArray) -> FloatArray:
    del rows
    return weighed.said.knows.astype(np.float64)


def per_target(weighed: Weighed, rows: BoolArray) -> FloatArray:
    """(AUC - .5)² of the teacher for the tag's target, by all its words for it."""
    return from_skill(weighed, weighed.skill(rows))


def shrunk(weighed: Weighed, rows: BoolArray) -> FloatArray:
    """As per_target, the AUC halfway to the teacher's mean over the targets of that kind."""
    skill = weighed.skill(rows)
    kinds = np.array([target.kind for target in weighed.clips.targets])
    for kind in set(kinds):
        of_kind = skill[:, kinds == kind]
        counts = np.maximum(1, (~np.isnan(of_kind)).sum(1, keepdims=True))
        skill[:, kinds == kind] = (of_kind + np.nansum(of_kind, 1, keepdims=True) / counts) / 2
    return from_skill(weighed, skill)


def from_skill(weighed: Weighed, skill: FloatArray) -> FloatArray:
    """Weights by the AUC of the targets a tag is mapped to; below chance is 0. Unmapped tags: plain."""
    found = plain(weighed, np.array([]))
    for column, tag in enumerate(weighed.said.tags):
        mapped = [tag in target.tags for target in weighed.clips.targets]
        if any(mapped):
            knows = weighed.said.knows[:, column]
            found[knows, column] = np.maximum(skill[knows][:, mapped].mean(1) - 0.5, 0) ** 2
    return _never_nobody(found, weighed.said.knows)


def per_tag(weighed: Weighed, rows: BoolArray) -> FloatArray:
    """(AUC - .5)² of the teacher's word itself for the targets that it is mapped to."""
    found = plain(weighed, rows)
    labels = weighed.clips.labels[rows]
    for column, tag in enumerate(weighed.said.tags):
        mapped = [tag in target.tags for target in weighed.clips.targets]
        if any(mapped):
            for member in np.flatnonzero(weighed.said.knows[:, column]):
                says = weighed.ranks[member, rows, column]
                repeated = np.repeat(says[:, None], sum(mapped), 1)
                mean = metrics.macro(metrics.roc_auc(labels[:, mapped], repeated))
                found[member, column] = max(mean - 0.5, 0) ** 2
    return _never_nobody(found, weighed.said.knows)


def agreement(weighed: Weighed, rows: BoolArray) -> FloatArray:
    """The rank correlation with the mean of the other teachers that have the tag; no labels."""
    found = plain(weighed, rows)
    ranks = weighed.ranks[:, rows]
    for column in range(len(weighed.said.tags)):
        members = np.flatnonzero(weighed.said.knows[:, column])
        if len(members) < 3:
            continue  # one: nothing to choose; two: each agrees as much with the other
        for member in members:
            others = ranks[members[members != member], :, column].mean(0)
            same = metrics.rank_correlation(ranks[member, :, column, None], others[:, None])
            found[member, column] = max(float(np.nan_to_num(same[0])), 0)
    return _never_nobody(found, weighed.said.knows)


def _never_nobody(weights: FloatArray, knows: BoolArray) -> FloatArray:
    return np.where(weights.sum(0) > 0, weights, knows)


def target_level(weighed: Weighed, skill: FloatArray | None) -> FloatArray:
    """The reference's way (clips, targets): the teachers' target scores are combined, plain or by ``skill``."""
    scores = np.array(weighed.scores)
    knows = ~np.isnan(scores[:, 0])
    weights = knows if skill is None else np.where(knows, (np.nan_to_num(skill) - 0.5) ** 2, 0)
    return combine(scores, weights.astype(np.float64))
