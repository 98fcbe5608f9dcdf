"""The TOML file of an ensemble, read and written; what it may say is checked here, and nowhere else.

::

    name = "default"
    members = ["tagkit-ds-cnn", "tagkit-mel-tcn"]   # names, or paths from this file's folder
    combine = "mean"                                # or "logit-mean", "rank", "learned"
    weights = [1.0, 1.0]                            # optional, one a member
    combiner = "my-combiner"                        # with "learned": a bundle of the combiner architecture

    [tag_weights]                                   # optional: a tag's own, in place of ``weights``
    happy = [2.0, 1.0]

    [thresholds]                                    # optional: canonical tag = probability
    happy = 0.31

    [most]                                          # optional: the most tags of a category on a track
    mood = 3

    [context]                                       # optional: see tagkit.inference.context
    artist = 0.2
    album = 0.5

    [context.thresholds]                            # optional: for smoothed probabilities
    happy = 0.28
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tagkit import strangers
from tagkit.errors import DataError, WeightsError
from tagkit.files import whole
from tagkit.inference.context import Context
from tagkit.vocab import CATEGORIES

COMBINATIONS = ("mean", "logit-mean", "rank", "learned")
_MOST_MEMBERS = 100
_KEYS = (
    "name",
    "members",
    "combine",
    "weights",
    "combiner",
    "tag_weights",
    "thresholds",
    "most",
    "context",
)


@dataclass(frozen=True)
class Definition:
    """What the file says, checked in itself: tags and members are still names."""

    members: tuple[str, ...]
    name: str = ""
    combine: str = "mean"
    weights: tuple[float, ...] | None = None
    combiner: str | None = None
    tag_weights: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    context: Context | None = None
    context_thresholds: Mapping[str, float] = field(default_factory=dict)
    most: Mapping[str, int] = field(default_factory=dict)


def read(path: Path) -> Definition:
    """Return what an ensemble file says. Raises WeightsError for what it may not say."""
    table = _toml(path)
    try:
        return _definition(table)
    except DataError as error:  # a context whose shares are none
        raise WeightsError(str(error), path=path) from error
    except _WrongError as error:
        raise WeightsError(str(error), path=path, hint="see docs/weights.md, 'Ensembles'") from None


def write(path: Path, definition: Definition, *, notes: str = "") -> None:
    """Write an ensemble file, whole or not at all; ``notes`` become comments at its top.

    Raises WeightsError where it cannot be written.
    """
    lines = [f"# {line}".rstrip() for line in notes.splitlines()]
    lines.append(f"name = {_text(definition.name)}")
    lines.append(f"members = [{', '.join(map(_text, definition.members))}]")
    lines.append(f"combine = {_text(definition.combine)}")
    if definition.combiner is not None:
        lines.append(f"combiner = {_text(definition.combiner)}")
    if definition.weights is not None:
        lines.append(f"weights = {_numbers(definition.weights)}")
    if definition.tag_weights:
        lines += ["", "[tag_weights]"]
        lines += [f"{_text(t)} = {_numbers(w)}" for t, w in definition.tag_weights.items()]
    lines += _thresholds("thresholds", definition.thresholds)
    if definition.most:
        lines += ["", "[most]"]
        lines += [f"{category} = {count}" for category, count in definition.most.items()]
    if (context := definition.context) is not None:
        lines += ["", "[context]", f"artist = {context.artist:.4g}", f"album = {context.album:.4g}"]
        lines += _thresholds("context.thresholds", definition.context_thresholds)
    try:
        with whole(path) as file:
            file.write(("\n".join(lines) + "\n").encode())
    except OSError as error:
        raise WeightsError(f"cannot be written: {error.strerror or error}", path=path) from error


def _thresholds(title: str, values: Mapping[str, float]) -> list[str]:
    if not values:
        return []
    return ["", f"[{title}]", *(f"{_text(tag)} = {value:.6f}" for tag, value in values.items())]


def _text(value: str) -> str:
    # A JSON string without surrogate pairs is a TOML basic string, but for the delete character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _numbers(values: tuple[float, ...]) -> str:
    return f"[{', '.join(f'{value:.6g}' for value in values)}]"


def _toml(path: Path) -> dict[str, Any]:
    try:
        return strangers.toml(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WeightsError(f"not a readable ensemble file: {reason}", path=path) from error


class _WrongError(Exception):
    """A file that says what it may not."""


def _definition(table: Mapping[str, Any]) -> Definition:
    if unknown := set(table) - set(_KEYS):
        raise _WrongError(f"unknown: {', '.join(sorted(unknown))}")
    names, how = table.get("members"), table.get("combine", "mean")
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise _WrongError("members must be a list of at least one name")
    if len(names) > _MOST_MEMBERS:
        raise _WrongError(f"{len(names):,} members; at most {_MOST_MEMBERS}")
    if not isinstance(table.get("name", ""), str):
        raise _WrongError("name must be a text")
    if how not in COMBINATIONS:
        raise _WrongError(f"combine is {how!r}, not one of {', '.join(COMBINATIONS)}")
    weights, combiner = table.get("weights"), table.get("combiner")
    if weights is not None and not (_are_weights(weights, len(names)) and all(weights)):
        raise _WrongError(f"weights must be {len(names)} positive numbers, one a member")
    if (how == "learned") != isinstance(combiner, str):
        raise _WrongError("combine = 'learned' and combiner = NAME go together")
    tag_weights = table.get("tag_weights", {})
    if not isinstance(tag_weights, dict) or not all(
        _are_weights(values, len(names)) for values in tag_weights.values()
    ):
        raise _WrongError(f"tag_weights must be a table of tag = {len(names)} numbers from 0 on")
    context, context_thresholds = _context(table.get("context"))
    return Definition(
        members=tuple(names),
        name=table.get("name", ""),
        combine=how,
        weights=None if weights is None else tuple(map(float, weights)),
        combiner=combiner,
        tag_weights={tag: tuple(map(float, values)) for tag, values in tag_weights.items()},
        thresholds=_probabilities("thresholds", table.get("thresholds", {})),
        context=context,
        context_thresholds=context_thresholds,
        most=_most(table.get("most", {})),
    )


def _most(table: Any) -> dict[str, int]:
    if (
        not isinstance(table, dict)
        or set(table) - set(CATEGORIES)
        or not all(type(count) is int and count > 0 for count in table.values())
    ):
        raise _WrongError(
            f"most must be a table of category = number from 1 on, of {', '.join(CATEGORIES)}"
        )
    return dict(table)


def _context(table: Any) -> tuple[Context | None, dict[str, float]]:
    if table is None:
        return None, {}
    if not isinstance(table, dict) or set(table) - {"thresholds"} != {"artist", "album"}:
        raise _WrongError("context must say artist and album, and may have thresholds")
    shares = table["artist"], table["album"]
    if not all(map(_is_number, shares)):
        raise _WrongError("context must say artist and album as numbers")
    thresholds = _probabilities("context.thresholds", table.get("thresholds", {}))
    return Context(*map(float, shares)), thresholds


def _probabilities(part: str, table: Any) -> dict[str, float]:
    if not isinstance(table, dict) or not all(
        _is_number(value) and 0 <= value <= 1 for value in table.values()
    ):
        raise _WrongError(f"{part} must be a table of tag = probability")
    return {tag: float(value) for tag, value in table.items()}


def _are_weights(values: Any, count: int) -> bool:
    """Whether they are ``count`` numbers from 0 on, not all 0."""
    return (
        isinstance(values, list)
        and len(values) == count
        and all(_is_number(value) and 0 <= value < 1e6 for value in values)
        and any(values)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
