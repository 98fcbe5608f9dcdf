"""Between TOML tables and dataclasses: nothing unknown, nothing of another type, nothing out of range."""

from __future__ import annotations

import dataclasses
import json
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from tagkit.errors import RecipeError

_KINDS: dict[Any, tuple[str, tuple[type, ...]]] = {
    bool: ("true or false", (bool,)),
    int: ("a whole number", (int,)),
    float: ("a number", (int, float)),
    str: ("a text", (str,)),
    Mapping: ("a table", (dict,)),
    tuple: ("a list", (list, tuple)),
}


def build(kind: type[Any], table: Mapping[str, Any], path: Path, prefix: str = "") -> Any:
    """Return the dataclass ``kind`` that ``table`` describes. Raises RecipeError, naming the key."""
    fields = {entry.name: entry for entry in dataclasses.fields(kind)}
    hints = get_type_hints(kind)
    known(table, fields, path, prefix)
    values = {
        key: _value(hints[key], fields[key], value, path, prefix + key)
        for key, value in table.items()
    }
    try:
        return kind(**values)
    except TypeError as error:
        raise RecipeError(f"incomplete: {error}", path=path) from error
    except RecipeError as error:  # what a table checks by itself
        raise RecipeError(error.message, path=path, hint=error.hint) from error


def known(
    table: Mapping[str, Any], keys: Sequence[str] | Mapping[str, Any], path: Path, prefix: str
) -> None:
    """Raise RecipeError for a key of ``table`` that is none of ``keys``, with the nearest that is."""
    for key in table:
        if key not in keys:
            near = get_close_matches(key, keys, n=1)
            raise RecipeError(
                f"unknown key {prefix}{key}",
                path=path,
                hint=f"did you mean {prefix}{near[0]}?" if near else f"known: {', '.join(keys)}",
            )


def _value(hint: Any, field: dataclasses.Field[Any], value: Any, path: Path, key: str) -> Any:
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise RecipeError(f"{key} must be a table, not {value!r}", path=path)
        return build(hint, value, path, f"{key}.")  # type: ignore[arg-type]
    kind = get_origin(hint) or hint
    if kind is Literal:
        choices = get_args(hint)
        if value not in choices:
            wanted = ", ".join(f'"{choice}"' for choice in choices)
            raise RecipeError(f"{key} is {value!r}, not one of {wanted}", path=path)
        return value
    _check(kind, value, path, key)
    if kind is tuple:
        inner = get_args(hint)[0]
        for number, item in enumerate(value):
            _check(get_origin(inner) or inner, item, path, f"{key}[{number}]")
        return tuple(value)
    low, high = field.metadata.get("within", (None, None))
    if low is not None and not low <= value <= high:
        wanted = f"at least {low}" if high == math.inf else f"from {low} to {high}"
        raise RecipeError(f"{key} is {value!r}; it must be {wanted}", path=path)
    return float(value) if kind is float else value


def _check(kind: Any, value: object, path: Path, key: str) -> None:
    name, types = _KINDS[kind]
    if not isinstance(value, types) or (isinstance(value, bool) and kind is not bool):
        raise RecipeError(f"{key} must be {name}, not {value!r}", path=path)


def override(table: dict[str, Any], assignments: Sequence[str]) -> None:
    """Put each ``a.b=value`` into ``table``. ``value`` is TOML; what is none is a text.

    Raises RecipeError, and ValueError for a value that no file could hold.
    """
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        keys = name.strip().split(".")
        if not equals or not all(keys):
            raise RecipeError(f"--set {assignment!r} is no KEY=VALUE", hint="as train.epochs=3")
        place = table
        for key in keys[:-1]:
            place = place.setdefault(key, {})
            if not isinstance(place, dict):
                raise RecipeError(f"--set {assignment!r}: {key} is no table")
        place[keys[-1]] = _toml_value(text.strip())


def _toml_value(text: str) -> Any:
    text.encode()  # ValueError for a path in no encoding: the run folder's recipe is UTF-8
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return parsed["value"] if parsed.keys() == {"value"} else text


def dumps(table: Mapping[str, Any]) -> str:
    """Return ``table`` as TOML: plain values first, then tables, then lists of tables."""
    return "\n".join(_lines(table, "")) + "\n"


def _lines(table: Mapping[str, Any], prefix: str) -> Iterator[str]:
    deep = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    lists = {key: value for key, value in table.items() if _is_tables(value)}
    for key, value in table.items():
        if key not in deep and key not in lists:
            yield f"{_key(key)} = {_text(value)}"
    for key, value in deep.items():
        yield from ("", f"[{prefix}{_key(key)}]", *_lines(value, f"{prefix}{_key(key)}."))
    for key, values in lists.items():
        for value in values:
            yield from ("", f"[[{prefix}{_key(key)}]]", *_lines(value, f"{prefix}{_key(key)}."))


def _is_tables(value: Any) -> bool:
    listed = isinstance(value, list | tuple) and len(value) > 0
    return listed and all(isinstance(item, Mapping) for item in value)


def _key(key: str) -> str:
    plain = key.isascii() and key.replace("_", "a").replace("-", "a").isalnum()
    return key if plain else _text(key)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(k)} = {_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_text, value)) + "]"
    if isinstance(value, str):
        # JSON's texts are TOML's, but for the one control character that only TOML has to escape.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value) if isinstance(value, bool) else str(value)
