"""Several models, one answer.

An ensemble is a small TOML file beside its members, or just a list of models::

    name = "default"
    members = ["tagkit-ds-cnn", "tagkit-mel-tcn"]   # names, or paths from this file's folder
    combine = "mean"                                # or "logit-mean", "rank", "learned"
    weights = [1.0, 1.0]                            # optional, one a member
    combiner = "my-combiner"                        # with "learned": a bundle of the combiner architecture

    [thresholds]                                    # optional: canonical tag = probability
    happy = 0.31

Members with different vocabularies are combined tag by tag under canonical names: a tag is what the
members that know it say. Only cards are read here; listening loads the networks, deciding does not.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagkit.errors import UsageError, WeightsError
from tagkit.thresholds import DEFAULT_THRESHOLD
from tagkit.vocab import CATEGORIES, Tag, canonical
from tagkit.weights import catalogue
from tagkit.weights.bundle import fingerprint, read_card
from tagkit.weights.card import Card

FloatArray = NDArray[np.float32]

DEFAULT = "default"
COMBINATIONS = ("mean", "logit-mean", "rank", "learned")
_MOST_BYTES = 1 << 20
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
    """Members in order and how their outputs become one probability a tag."""

    name: str
    members: tuple[Member, ...]
    combine: str = "mean"
    combiner: Path | None = None
    own_thresholds: Mapping[Tag, float] = field(default_factory=dict)

    @cached_property
    def _voices(self) -> list[tuple[Card, float]]:
        """Whose outputs are the answer, and with which weight: the combiner's, or every member's."""
        if self.combiner is not None:
            return [(read_card(self.combiner), 1.0)]
        return [(member.card, member.weight) for member in self.members]

    @cached_property
    def tags(self) -> tuple[Tag, ...]:
        """The joint vocabulary, by category, then by name."""
        found = {tag for card, _ in self._voices for tag in card.tags}
        return tuple(sorted(found, key=lambda tag: (CATEGORIES.index(tag.category), tag.name)))

    @cached_property
    def thresholds(self) -> FloatArray:
        """One a tag (tags,): the ensemble's own, else the weighted mean of the members' that have one
        (with a combiner: the combiner's)."""
        sums = np.zeros(len(self.tags))
        parts = np.zeros(len(self.tags))
        for card, weight in self._voices:
            if card.thresholds is None:
                continue
            values = np.array(card.thresholds)
            for column, outputs in enumerate(_outputs_of(card, self.tags)):
                if outputs:
                    sums[column] += weight * values[outputs].max()
                    parts[column] += weight
        means = np.divide(sums, parts, where=parts > 0, out=np.full(len(sums), DEFAULT_THRESHOLD))
        for column, tag in enumerate(self.tags):
            means[column] = self.own_thresholds.get(tag, means[column])
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
    table = _read_toml(path)
    unknown = set(table) - {"name", "members", "combine", "weights", "combiner", "thresholds"}
    names, how = table.get("members"), table.get("combine", "mean")
    weights = table.get("weights")
    thresholds = table.get("thresholds", {})
    count = len(names) if isinstance(names, list) else 0

    def wrong(message: str) -> WeightsError:
        return WeightsError(message, path=path, hint="see docs/weights.md, 'Ensembles'")

    if unknown:
        raise wrong(f"unknown: {', '.join(sorted(unknown))}")
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise wrong("members must be a list of at least one name")
    if how not in COMBINATIONS:
        raise wrong(f"combine is {how!r}, not one of {', '.join(COMBINATIONS)}")
    if weights is not None and (
        not isinstance(weights, list)
        or len(weights) != count
        or not all(isinstance(w, int | float) and 0 < w < 1e6 for w in weights)
    ):
        raise wrong(f"weights must be {count} positive numbers, one a member")
    if not isinstance(thresholds, dict) or not all(
        isinstance(value, int | float) and 0 <= value <= 1 for value in thresholds.values()
    ):
        raise wrong("thresholds must be a table of tag = probability")
    if (how == "learned") != isinstance(table.get("combiner"), str):
        raise wrong("combine = 'learned' and combiner = NAME go together")
    members = tuple(
        _member(_beside(path, name), float(weight))
        for name, weight in zip(names, weights or [1.0] * count, strict=True)
    )
    combiner = _beside(path, table["combiner"]) if how == "learned" else None
    found = Ensemble(str(table.get("name", path.stem)), members, how, combiner)
    own = {canonical(name, found.tags): float(value) for name, value in thresholds.items()}
    return replace(found, own_thresholds=own)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise WeightsError("too large for an ensemble file", path=path)
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"not a readable ensemble file: {error}", path=path) from error


def _beside(toml: Path, name: str) -> Path:
    """A member by its file name beside the TOML, else by its name in the catalogue."""
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
    parts = np.zeros(len(ensemble.tags))
    for member, given in zip(ensemble.members, outputs, strict=True):
        for column, positions in enumerate(_outputs_of(member.card, ensemble.tags)):
            if positions:
                loudest = given[:, positions].max(1)
                sums[:, column] += member.weight * _scaled(ensemble.combine, loudest)
                parts[column] += member.weight
    means = (sums / parts).astype(np.float32)
    return _sigmoid(means) if ensemble.combine == "logit-mean" else means


def _scaled(how: str, values: FloatArray) -> FloatArray:
    if how == "logit-mean":
        return _logit(values)
    if how == "rank":
        below = np.searchsorted(np.sort(values), values, side="right")
        return (below / max(1, len(values))).astype(np.float32)
    return values


def _learned(ensemble: Ensemble, inputs: FloatArray) -> FloatArray:
    import torch

    from tagkit.weights.bundle import load as load_bundle

    assert ensemble.combiner is not None
    bundle = load_bundle(ensemble.combiner)
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
