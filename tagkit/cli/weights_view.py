"""Models as rows, records and readable text, for ``tagkit weights list`` and ``info``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from tagkit import strangers
from tagkit.cli.writing import printable, tables
from tagkit.errors import TagkitError, WeightsError
from tagkit.inference import ensemble_file
from tagkit.vocab import CATEGORIES, VOCABULARIES
from tagkit.weights import bundle, catalogue, pull, registry
from tagkit.weights.record import to_record

Record = dict[str, Any]
_INDENT = "  "


def model_rows(damaged: Callable[[TagkitError], None]) -> Iterator[Record]:
    """Yield a row for each model: what is installed, then what can be pulled.

    ``state``: shipped, cached, pullable, or later. ``damaged`` is told of bundles that cannot be read.
    """
    installed = catalogue.list_installed()
    for item in installed:
        row: Record = {"name": item.name, "state": item.origin, "path": str(item.path)}
        if item.path.suffix == catalogue.ENSEMBLE:
            yield row | {"architecture": "ensemble", "tags": None, "licence": None}
            continue
        try:
            card = bundle.read_card(item.path)
        except TagkitError as error:
            damaged(error)
            yield row | {"architecture": "damaged", "tags": None, "licence": None}
        else:
            yield row | {
                "architecture": card.architecture,
                "tags": len(card.tags),
                "licence": card.licence or "unstated",
            }
    here = {item.name for item in installed}
    for entry in registry.entries().values():
        if entry.name not in here:
            labels = VOCABULARIES.get(entry.vocabulary)
            yield {
                "name": entry.name,
                "state": "pullable" if pull.supported(entry) else "later",
                "path": None,
                "architecture": entry.architecture,
                "tags": len(labels) if labels else None,
                "licence": entry.licence or "unstated",
            }


def print_table(rows: Iterable[Record]) -> None:
    """Print rows to stdout: shortened to the terminal's width, whole where it goes to a pipe."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    columns = ("name", "state", "architecture", "tags", "licence")
    for column in columns:
        table.add_column(column, justify="right" if column == "tags" else "left", no_wrap=True)
    for row in rows:
        # Text: what a stranger's card or file name says is no markup.
        cells = ("" if row[key] is None else printable(str(row[key])) for key in columns)
        table.add_row(*map(Text, cells))
    tables().print(table)


def describe(name: str) -> Record:
    """Return everything known about a model as JSON values. Raises WeightsError."""
    try:
        path = catalogue.find(name)
    except WeightsError:
        if name in registry.entries():
            return dataclasses.asdict(registry.find(name))
        raise
    if path.suffix == catalogue.ENSEMBLE:
        return {"path": str(path)} | _ensemble(path)
    record = to_record(bundle.read_card(path))
    return {"path": str(path), "fingerprint": bundle.fingerprint(path)} | record


def _ensemble(path: Path) -> Record:
    ensemble_file.read(path)  # so that it holds texts, numbers and tables of them, and no more
    return strangers.toml(path)


def describe_text(about: Record) -> Iterator[str]:
    """Yield :func:`describe`'s record as lines for a person; the tags come last, by category."""
    rest = {key: value for key, value in about.items() if key not in _PER_TAG}
    if "licence" in rest:
        rest["licence"] = rest["licence"] or "unstated: no right to use it is granted"
    yield from _lines(rest)
    yield from _tag_lines(about)


_PER_TAG = ("tags", "outputs", "thresholds", "calibration")


def _lines(table: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    for key, value in table.items():
        label = key.replace("_", " ")
        if isinstance(value, Mapping) and value:
            yield f"{indent}{label}:"
            yield from _lines(value, indent + _INDENT)
        elif isinstance(value, str) and "\n" in value:
            yield f"{indent}{label}:"
            yield from (indent + _INDENT + line for line in value.splitlines())
        elif value not in (None, "", {}):
            yield f"{indent}{label}: {value}"


def _tag_lines(about: Record) -> Iterator[str]:
    if "outputs" not in about:
        return
    thresholds = about["thresholds"] or [None] * len(about["tags"])
    tags = zip(about["tags"], about["outputs"], thresholds, strict=True)
    ordered = sorted(tags, key=lambda item: CATEGORIES.index(item[0][1]))
    for category, group in groupby(ordered, key=lambda item: item[0][1]):
        yield f"{category}:"
        for (name, _), output, threshold in group:
            given = "" if threshold is None else f", given from {threshold:.3f}"
            yield f"{_INDENT}{name} (output {output!r}{given})"
