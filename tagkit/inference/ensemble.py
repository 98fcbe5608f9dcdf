"""Several models, one answer.

An ensemble is a small TOML file beside its members (:mod:`tagkit.inference.ensemble_file` tells what
it may say), or just a list of models.

Members with different vocabularies are combined tag by tag under canonical names: a tag is what the
members that know it say. Only cards are read here; listening loads the networks, deciding does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tagkit.errors import UsageError, VocabularyError, WeightsError
from tagkit.inference import ensemble_file
from tagkit.inference.context import Context
from tagkit.thresholds import DEFAULT_THRESHOLD
from tagkit.vocab import CATEGORIES, Tag, canonical
from tagkit.weights import bundle as bundles
from tagkit.weights import catalogue
from tagkit.weights.bundle import Bundle, fingerprint, read_card
from tagkit.weights.card import Card
from tagkit.weights.header import naming

FloatArray = NDArray[np.float32]
Value = TypeVar("Value")

DEFAULT = "default"
_EPS = 1e-6


def model_id(fingerprint: str, windows: int) -> str:
    """What an analysis is stored under: the same model with another number of windows hears otherwise."""
    return f"{fingerprint}:w{windows}"


@dataclass(frozen=True)
class Member:
    path: Path
    card: Card
    fingerprint: str
    weight: float = 1.0


@dataclass(frozen=True)
class Ensemble:
    """Members in order and how their outputs become one probability a tag.

    ``tag_weights``: one weight a member for tags that do not use the members' own. ``context``: how
    much artist and album say, or None; whoever decides tracks asks :func:`context.smooth` for it, with
    ``context_thresholds`` in place of ``thresholds``. ``most``: of a category, the most tags that a
    track gets; see :mod:`tagkit.thresholds`.
    """

    name: str
    members: tuple[Member, ...]
    combine: str = "mean"
    combiner: Path | None = None
    own_thresholds: Mapping[Tag, float] = field(default_factory=dict)
    tag_weights: Mapping[Tag, tuple[float, ...]] = field(default_factory=dict)
    context: Context | None = None
    own_context_thresholds: Mapping[Tag, float] = field(default_factory=dict)
    most: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def _voices(self) -> list[Card]:
        """Whose outputs are the answer: the combiner's, or every member's."""
        if self.combiner is not None:
            return [read_card(self.combiner)]
        return [member.card for member in self.members]

    @cached_property
    def network(self) -> Bundle:
        """The combiner, loaded once: tracks are combined in many batches."""
        assert self.combiner is not None
        return bundles.load(self.combiner)

    @cached_property
    def tags(self) -> tuple[Tag, ...]:
        """The joint vocabulary, by category, then by name."""
        found = {tag for card in self._voices for tag in card.tags}
        return tuple(sorted(found, key=lambda tag: (CATEGORIES.index(tag.category), tag.name)))

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """How much each voice says about each tag (voices, tags): 0 where it does not know the tag.

        Raises WeightsError for tag_weights that leave a tag to nobody who knows it.
        """
        if self.combiner is not None:
            return np.ones((1, len(self.tags)))
        if strange := set(self.tag_weights) - set(self.tags):
            raise WeightsError(f"tag_weights for {min(strange).name!r}, which no member knows")
        own = tuple(member.weight for member in self.members)
        wanted = np.array([self.tag_weights.get(tag, own) for tag in self.tags]).T
        knows = [[tag in set(card.tags) for tag in self.tags] for card in self._voices]
        found: NDArray[np.float64] = np.where(knows, wanted, 0.0)
        if len(nobodys := np.flatnonzero(found.sum(0) == 0)):
            raise WeightsError(
                f"tag_weights leave {self.tags[nobodys[0]].name!r} to models that do not know it"
            )
        return found

    @cached_property
    def thresholds(self) -> FloatArray:
        """One a tag (tags,): the ensemble's own, else the weighted mean of the members' that have one
        (with a combiner: the combiner's)."""
        return self._thresholds(self.own_thresholds)

    @cached_property
    def context_thresholds(self) -> FloatArray:
        """One a tag (tags,), for smoothed probabilities: the ensemble's own for these, else
        ``thresholds``."""
        return self._thresholds({**self.own_thresholds, **self.own_context_thresholds})

    def _thresholds(self, own: Mapping[Tag, float]) -> FloatArray:
        sums = np.zeros(len(self.tags))
        parts = np.zeros(len(self.tags))
        for card, weights in zip(self._voices, self.weights, strict=True):
            if card.thresholds is None:
                continue
            values = np.array(card.thresholds)
            for column, outputs in enumerate(_outputs_of(card, self.tags)):
                if outputs:
                    sums[column] += weights[column] * values[outputs].max()
                    parts[column] += weights[column]
        means = np.divide(sums, parts, where=parts > 0, out=np.full(len(sums), DEFAULT_THRESHOLD))
        for column, tag in enumerate(self.tags):
            means[column] = own.get(tag, means[column])
        found: FloatArray = means.astype(np.float32)
        return found

    def model_ids(self, windows: int) -> tuple[str, ...]:
        return tuple(model_id(member.fingerprint, windows) for member in self.members)


def load(names: Sequence[str]) -> Ensemble:
    """Return the ensemble that ``names`` mean: nothing (the shipped default), one TOML, or bundles.

    Raises WeightsError, UsageError for a mixture of both.
    """
    paths = [catalogue.find(name) for name in names or (DEFAULT,)]
    tomls = [path for path in paths if path.suffix == ".toml"]
    if not tomls:
        members = tuple(_member(path) for path in paths)
        return Ensemble("+".join(member.card.name for member in members), members)
    if len(paths) > 1:
        raise UsageError("an ensemble file stands alone", hint="give one --model, or only bundles")
    return _from_toml(tomls[0])


def _member(path: Path, weight: float = 1.0) -> Member:
    return Member(path, read_card(path), fingerprint(path), weight)


def _from_toml(path: Path) -> Ensemble:
    says = ensemble_file.read(path)
    weights = says.weights or (1.0,) * len(says.members)
    found = Ensemble(
        says.name or path.stem,
        tuple(map(_member, (_beside(path, name) for name in says.members), weights)),
        says.combine,
        _beside(path, says.combiner) if says.combiner is not None else None,
        context=says.context,
        most=says.most,
    )

    def by_tag(table: Mapping[str, Value]) -> dict[Tag, Value]:
        return {canonical(name, found.tags): value for name, value in table.items()}

    if found.combiner is not None and read_card(found.combiner).front_end is not None:
        raise WeightsError("hears audio: it is no combiner", path=found.combiner)
    try:
        found = replace(
            found,
            own_thresholds=by_tag(says.thresholds),
            tag_weights=by_tag(says.tag_weights),
            own_context_thresholds=by_tag(says.context_thresholds),
        )
    except VocabularyError as error:
        raise WeightsError(error.message, path=path, hint=error.hint) from error
    with naming(path):
        _ = found.weights  # what is wrong with them is said now
    return found


def _beside(toml: Path, name: str) -> Path:
    """A member by its file name beside the TOML, else by its name in the catalogue."""
    with naming(toml):  # a name too long for any file
        for candidate in (toml.parent / name, toml.parent / f"{name}.safetensors"):
            if candidate.is_file():
                return candidate
    return catalogue.find(name)


def _outputs_of(card: Card, tags: Sequence[Tag]) -> list[list[int]]:
    """For each tag, the card's outputs that mean it (several where a vocabulary has synonyms)."""
    where: dict[Tag, list[int]] = {}
    for position, tag in enumerate(card.tags):
        where.setdefault(tag, []).append(position)
    return [where.get(tag, []) for tag in tags]


def loudest(
    card: Card, given: FloatArray, tags: Sequence[Tag]
) -> tuple[NDArray[np.intp], FloatArray]:
    """Return which columns in ``tags`` the card knows (known,), and what it says of them (tracks, known): the
    loudest of its outputs that mean a tag, from all of them (tracks, outputs)."""
    outputs = _outputs_of(card, tags)
    columns = np.array([column for column, found in enumerate(outputs) if found], np.intp)
    said = np.take(given, [found[0] for found in outputs if found], axis=1)
    for place, column in enumerate(columns.tolist()):
        if len(outputs[column]) > 1:
            said[:, place] = given[:, outputs[column]].max(1)
    return columns, said


def calibrated(card: Card, probabilities: FloatArray) -> FloatArray:
    """Apply the card's calibration, sigmoid(scale · logit + shift), to (tracks, outputs)."""
    if card.calibration is None:
        return probabilities
    scale, shift = np.array(card.calibration, np.float32).T
    return _sigmoid(_logit(probabilities) * scale + shift)


def combine(ensemble: Ensemble, outputs: Sequence[FloatArray]) -> FloatArray:
    """Return (tracks, tags) in the order of ``ensemble.tags`` from one (tracks, outputs) a member.

    A model whose vocabulary has several words for a tag says the tag as loudly as the loudest of them.
    ``rank`` replaces each member's probabilities by their rank among the tracks given, in (0, 1]: it
    depends on the tracks that are decided together. ``learned`` asks the combiner bundle.
    """
    outputs = [
        calibrated(m.card, given) for m, given in zip(ensemble.members, outputs, strict=True)
    ]
    if ensemble.combiner is not None:
        return _learned(ensemble, np.concatenate(outputs, 1))
    tracks = len(outputs[0])
    sums = np.zeros((tracks, len(ensemble.tags)))
    for member, weights, given in zip(ensemble.members, ensemble.weights, outputs, strict=True):
        columns, said = loudest(member.card, given, ensemble.tags)
        sums[:, columns] += weights[columns] * _scaled(ensemble.combine, said)
    means = (sums / ensemble.weights.sum(0)).astype(np.float32)
    return _sigmoid(means) if ensemble.combine == "logit-mean" else means


def _scaled(how: str, values: FloatArray) -> FloatArray:
    """What is averaged in place of probabilities (tracks, known)."""
    if how == "logit-mean":
        return _logit(values)
    if how == "rank":
        ranks = [np.searchsorted(np.sort(said), said, side="right") for said in values.T]
        return (np.stack(ranks, 1) / max(1, len(values))).astype(np.float32)
    return values


def _learned(ensemble: Ensemble, inputs: FloatArray) -> FloatArray:
    import torch

    bundle = ensemble.network
    wanted = bundle.card.arguments.get("inputs")
    if wanted != inputs.shape[1]:
        raise WeightsError(
            f"takes {wanted} inputs, but the members have {inputs.shape[1]} outputs together",
            path=ensemble.combiner,
        )
    with torch.inference_mode():
        found = torch.sigmoid(bundle.model(torch.from_numpy(inputs))).numpy()
    columns = [positions[0] for positions in _outputs_of(bundle.card, ensemble.tags)]
    chosen: FloatArray = calibrated(bundle.card, found)[:, columns]
    return chosen


def _logit(probabilities: FloatArray) -> FloatArray:
    clipped = np.clip(probabilities, _EPS, 1 - _EPS)
    found: FloatArray = np.log(clipped / (1 - clipped)).astype(np.float32)
    return found


def _sigmoid(logits: FloatArray) -> FloatArray:
    # A steep calibration makes logits beyond what float32 can take the power of.
    found: FloatArray = (1 / (1 + np.exp(-np.clip(logits, -80, 80)))).astype(np.float32)
    return found
