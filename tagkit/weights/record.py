"""A card as JSON values, and back: the schema, written out.

:func:`from_record` takes types for granted nowhere; whether the values make sense together is
:class:`~tagkit.weights.card.Card`'s own business.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from tagkit.errors import WeightsError
from tagkit.front_end import FrontEnd
from tagkit.vocab import Tag
from tagkit.weights.card import Card, check_format, require

# No architecture has a layer this wide or a stack this deep: it bounds what a card can ask for.
_MOST_ARGUMENT = 65_536
_MOST_ITEMS = 100
_KINDS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "bool": (bool,),
}
_TEXTS = ("name", "architecture", "title", "source", "training_data", "notes")


def to_record(card: Card) -> dict[str, Any]:
    """Return the card as JSON values."""
    return dataclasses.asdict(card) | {"tags": [list(tag) for tag in card.tags]}


def from_record(record: dict[str, Any]) -> Card:
    """Return the card in decoded JSON. Raises WeightsError for anything but a whole, sound card."""
    version = record.get("format_version")
    if not isinstance(version, int):
        raise WeightsError("its card has no format version")
    # Before anything else: another format may mean other keys and types.
    check_format(version)
    _same_keys(set(record), {entry.name for entry in dataclasses.fields(Card)}, "its card")
    for key in _TEXTS:
        _text(record[key], key)
    if record["licence"] is not None:
        _text(record["licence"], "licence")
    return Card(
        **record
        | {
            "arguments": _arguments(record["arguments"]),
            "front_end": None if record["front_end"] is None else _front_end(record["front_end"]),
            "tags": tuple(_tag(pair) for pair in _list(record["tags"], "tags")),
            "outputs": tuple(
                _text(text, "outputs") for text in _list(record["outputs"], "outputs")
            ),
            "thresholds": _numbers(record["thresholds"], "thresholds"),
            "calibration": _calibration(record["calibration"]),
            "scores": _table(record["scores"], "scores"),
        }
    )


def _same_keys(found: set[str], known: set[str], where: str) -> None:
    for names, problem in ((found - known, "has the unknown"), (known - found, "lacks")):
        require(not names, f"{where} {problem} {', '.join(sorted(map(repr, names)))}")


def _arguments(value: object) -> dict[str, Any]:
    table = _table(value, "arguments")
    for key, argument in table.items():
        for leaf in _leaves(argument):
            sound = leaf is None or isinstance(leaf, (bool, str))
            sound = sound or (isinstance(leaf, (int, float)) and abs(leaf) <= _MOST_ARGUMENT)
            require(sound, f"the argument {key} = {str(argument)[:60]} is out of range")
    return table


def _leaves(value: object, depth: int = 0) -> list[Any]:
    if not isinstance(value, list):
        return [value]
    require(depth < 4 and len(value) <= _MOST_ITEMS, "an argument in its card is too long")
    return [leaf for item in value for leaf in _leaves(item, depth + 1)]


def _front_end(value: object) -> FrontEnd:
    table = _table(value, "front_end")
    kinds = {entry.name: _KINDS[str(entry.type)] for entry in dataclasses.fields(FrontEnd)}
    _same_keys(set(table), set(kinds), "its front end")
    for key, item in table.items():
        # True is an int to Python, but not to us.
        sound = isinstance(item, kinds[key]) and (bool in kinds[key] or not isinstance(item, bool))
        require(sound, f"front_end.{key} = {str(item)[:60]} is of the wrong type")
    return FrontEnd(**table)


def _tag(value: object) -> Tag:
    pair = _list(value, "tags")
    require(len(pair) == 2, "tags in its card: not all are a name and a category")
    return Tag(_text(pair[0], "tags"), _text(pair[1], "tags"))


def _numbers(value: object, key: str) -> tuple[float, ...] | None:
    if value is None:
        return None
    items = _list(value, key)
    for item in items:
        sound = isinstance(item, (int, float)) and not isinstance(item, bool) and abs(item) < 1e9
        require(sound, f"{key} in its card: {str(item)[:60]} is not a number")
    return tuple(float(item) for item in items)


def _calibration(value: object) -> tuple[tuple[float, float], ...] | None:
    if value is None:
        return None
    pairs = [_numbers(pair, "calibration") or () for pair in _list(value, "calibration")]
    require(all(len(pair) == 2 for pair in pairs), "calibration: not all are (scale, shift)")
    return tuple((pair[0], pair[1]) for pair in pairs)


def _table(value: object, key: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise WeightsError(f"{key} in its card is not a table")
    return value


def _list(value: object, key: str) -> list[Any]:
    if not isinstance(value, list):
        raise WeightsError(f"{key} in its card is not a list")
    return value


def _text(value: object, key: str) -> str:
    if not isinstance(value, str):
        raise WeightsError(f"{key} in its card is not a text")
    return value
