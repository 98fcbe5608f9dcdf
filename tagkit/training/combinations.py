"""Ways to make one answer of several models' answers, each fitted on labelled tracks.

To add one: a function ``(evidence) -> Combination``, a row in :data:`FITTERS`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from tagkit import metrics, models
from tagkit.errors import DataError
from tagkit.models import TagModel
from tagkit.training.evidence import Evidence, FloatArray, Spoken

#: Votes given out after the first; the weights are then in steps of about a tenth.
ROUNDS = 12

_EPOCHS, _PATIENCE, _BATCH = 200, 10, 64
_LEARNING_RATE = 1e-3  # Adam's default: the paper names the optimizer only


class Combination(Protocol):
    """Evidence → probabilities (tracks, tags)."""

    def __call__(self, evidence: Evidence) -> FloatArray: ...


@dataclass(frozen=True)
class Weighted:
    """The weighted mean of the members that know a tag; ``votes`` (members, tags), 0 for the others.
    ``by_tag``: whether each tag has votes of its own."""

    votes: NDArray[np.float64]
    by_tag: bool = False

    def __call__(self, evidence: Evidence) -> FloatArray:
        sums = np.einsum("mtk,mk->tk", np.nan_to_num(evidence.voices), self.votes)
        return np.asarray(sums / self.votes.sum(0), np.float32)


@dataclass(frozen=True)
class Learned:
    """A network over the members' outputs side by side (paper 5)."""

    network: TagModel

    def __call__(self, evidence: Evidence) -> FloatArray:
        spoken = _require_spoken(evidence)
        with torch.inference_mode():
            found = torch.sigmoid(self.network(torch.from_numpy(spoken.inputs))).numpy()
        columns = [
            found[:, [known == tag for known in spoken.tags]].max(1) for tag in evidence.tags
        ]
        return np.stack(columns, 1)


def mean(evidence: Evidence) -> Weighted:
    """The plain mean: nothing is fitted."""
    return Weighted(np.where(np.isnan(evidence.voices).any(1), 0.0, 1.0))


def weights(evidence: Evidence) -> Weighted:
    """One weight a member, for the largest macro PR-AUC (average precision).

    Greedy selection with replacement (Caruana et al., "Ensemble selection from libraries of models",
    ICML 2004): every member starts with one vote, which pulls towards the plain mean; each round the
    one whose further vote helps most gets it, until none helps.
    """
    return _vote(evidence, together=True)


def per_tag(evidence: Evidence) -> Weighted:
    """As :func:`weights`, but each tag has votes of its own, by its own average precision."""
    return _vote(evidence, together=False)


def _vote(evidence: Evidence, *, together: bool) -> Weighted:
    labels, voices = evidence.labels, np.nan_to_num(evidence.voices).astype(np.float64)
    knows = mean(evidence).votes
    votes = knows.copy()
    sums = np.einsum("mtk,mk->tk", voices, votes)
    # A sum ranks a tag's tracks as the mean does, so it need not be divided.
    best = metrics.average_precision(labels, sums)
    every = np.arange(labels.shape[1])
    for _ in range(ROUNDS):
        areas = np.stack([metrics.average_precision(labels, sums + voice) for voice in voices])
        gains = np.nan_to_num(areas - best)  # a tag without a positive gains nothing
        if together:
            gains[:] = gains.mean(1, keepdims=True)
        winner = gains.argmax(0)
        better = gains[winner, every] > 0
        if not better.any():
            break
        votes[winner, every] += better * knows[winner, every]
        sums += better * voices[winner, :, every].T
        best = np.where(better, areas[winner, every], best)
    return Weighted(votes, by_tag=not together)


def learned(evidence: Evidence) -> Learned:
    """The combiner of paper 5 ("lightweight ensemble"): BCE, Adam; a fifth of the artists is held out
    (one, where they are fewer than five) and stops the training where its loss no longer falls.

    Raises DataError where the members' outputs are not the dataset's tags, and for one artist only.
    """
    _require_spoken(evidence)
    fold = next(iter(evidence.folds(min(5, max(2, evidence.groups)))))
    fit_on, held_out = (evidence.rows(rows).spoken for rows in fold)
    assert fit_on is not None
    assert held_out is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        inputs = fit_on.inputs.shape[1]
        network = models.build("combiner", len(fit_on.outputs), inputs=inputs)
        return Learned(_descend(network, fit_on, held_out))


def _descend(network: TagModel, fit_on: Spoken, held_out: Spoken) -> TagModel:
    """Train, and return the network as it was when the held-out loss was least."""
    optimizer = torch.optim.Adam(network.parameters(), lr=_LEARNING_RATE)
    inputs, targets = _tensors(fit_on)
    best, kept, waited = float("inf"), network, 0
    for _ in range(_EPOCHS):
        network.train()
        for batch in torch.split(torch.randperm(len(inputs)), _BATCH):
            loss = F.binary_cross_entropy_with_logits(network(inputs[batch]), targets[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        network.eval()
        with torch.inference_mode():
            heard, wanted = _tensors(held_out)
            found = float(F.binary_cross_entropy_with_logits(network(heard), wanted))
        if found < best:
            best, kept, waited = found, copy.deepcopy(network), 0
        elif (waited := waited + 1) == _PATIENCE:
            break
    return kept


def _tensors(spoken: Spoken) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(spoken.inputs), torch.from_numpy(spoken.targets.astype(np.float32))


def _require_spoken(evidence: Evidence) -> Spoken:
    if evidence.spoken is None:
        raise DataError(
            "a learned combiner needs members whose outputs are the dataset's tags",
            hint="train the members on this dataset, or combine by weights or per-tag",
        )
    return evidence.spoken


FITTERS: dict[str, Callable[[Evidence], Combination]] = {
    # name       what is fitted
    "mean": mean,  # nothing
    "weights": weights,  # a weight a member
    "per-tag": per_tag,  # a weight a member and tag
    "learned": learned,  # a network
}
