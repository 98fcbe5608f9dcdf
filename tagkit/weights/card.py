"""The card of a bundle: what its outputs mean, what it hears, whose it is and how good it is.

Cards come from strangers: every text in one is safe to print (control characters, with which a text
could steer a terminal, are refused) and its name is safe as a file name.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tagkit.errors import WeightsError
from tagkit.front_end import FrontEnd
from tagkit.strangers import NAME, NAME_RULE
from tagkit.vocab import CATEGORIES, Tag

FORMAT_VERSION = 1

# Control characters but tab and newline; Unicode's line and direction controls; lone surrogates,
# which JSON can say but no file or terminal can take.
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_MOST_TAGS = 10_000

#: The parts of a card that have one item for each output.
PER_OUTPUT = ("tags", "outputs", "thresholds", "calibration")


@dataclass(frozen=True)
class Card:
    """What a bundle says about itself. Raises WeightsError where the parts do not fit together.

    ``tags``, ``outputs``, ``thresholds`` and ``calibration`` have one item for each output, in the
    order of the outputs: the canonical tag, the spelling in the published vocabulary, the probability
    from which the tag is given (0–1), and ``(scale, shift)`` of ``sigmoid(scale · logit + shift)``.
    ``None``: none were fitted. ``licence`` ``None``: the publisher states none.
    ``scores``: measured figures, names to numbers, texts, or tables of them.
    ``arguments`` and ``scores`` become JSON values (tuples become lists).
    """

    name: str
    architecture: str
    arguments: Mapping[str, Any]
    front_end: FrontEnd | None  # None: a combiner, which hears models and no audio
    tags: tuple[Tag, ...]
    outputs: tuple[str, ...]
    thresholds: tuple[float, ...] | None = None
    calibration: tuple[tuple[float, float], ...] | None = None
    licence: str | None = None
    title: str = ""
    source: str = ""
    training_data: str = ""
    scores: Mapping[str, Any] = field(default_factory=dict)
    notes: str = ""
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        check_format(self.format_version)
        check_name(self.name)
        for part in ("arguments", "scores"):
            # A card that was saved and read again equals the one that was saved.
            object.__setattr__(self, part, _json_values(getattr(self, part), part))
        count = len(self.tags)
        require(0 < count <= _MOST_TAGS, f"a card has 1 to {_MOST_TAGS:,} tags, not {count:,}")
        for part in PER_OUTPUT:
            values = getattr(self, part)
            if values is not None and len(values) != count:
                raise WeightsError(f"its card has {count} tags, but {len(values)} {part}")
        for tag in self.tags:
            _check_tag(tag)
        for value in self.thresholds or ():
            require(0.0 <= value <= 1.0, f"the threshold {value} is not between 0 and 1")
        for pair in self.calibration or ():
            require(all(map(math.isfinite, pair)), f"the calibration {pair} is not finite")
        _check_texts(vars(self))


def check_format(version: int) -> None:
    """Raise WeightsError for the format of another tagkit."""
    if version != FORMAT_VERSION:
        raise WeightsError(
            f"bundle format {version} was made by a newer tagkit",
            hint=f"this one reads format {FORMAT_VERSION}; upgrade tagkit",
        )


def check_name(name: str) -> None:
    """Raise WeightsError unless ``name`` can be a bundle's: lower case, digits, ``.``, ``_``, ``-``."""
    if not NAME.fullmatch(name):
        raise WeightsError(
            f"{name!r} cannot be a bundle's name",
            hint=NAME_RULE,
        )


def require(sound: bool, message: str) -> None:
    """Raise WeightsError with ``message`` unless ``sound``."""
    if not sound:
        raise WeightsError(message)


def _check_tag(tag: Tag) -> None:
    require(tag.category in CATEGORIES, f"{tag.name!r} has the unknown category {tag.category!r}")
    # Players split values at these; a name with one of them would come back as two.
    require(
        tag.name.strip() == tag.name != ""
        and tag.name == tag.name.lower()
        and not set(";/,\n\t") & set(tag.name),
        f"{tag.name!r} cannot be a tag: lower case, none of ; / ,",
    )


def _json_values(table: Mapping[str, Any], part: str) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(json.dumps(dict(table), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise WeightsError(f"{part} in its card are not JSON values: {error}") from error
    return values


def _check_texts(value: object) -> None:
    if isinstance(value, str):
        require(not _CONTROL.search(value), f"a control character in the text {value[:60]!r}")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _check_texts(key)
            _check_texts(item)
    elif isinstance(value, Sequence):
        for item in value:
            _check_texts(item)
