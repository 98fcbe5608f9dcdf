"""How a run keeps logical fields in files: what opens their tags, and how that is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tagkit.errors import StoreError
from tagkit.library.containers import TagFile, TagOptions, open_tags
from tagkit.library.fields import DEFAULTS, FieldMap, Names


@dataclass(frozen=True)
class Layout:
    """The fields file of a run (``--fields``) and its tag options; ``Layout()`` is the default."""

    fields: FieldMap = field(default_factory=FieldMap)
    options: TagOptions = field(default_factory=TagOptions)

    def open(self, path: Path) -> TagFile:
        """Open a file's tag. Raises NoWriterError and TagError."""
        return open_tags(path, self.fields, options=self.options)

    def settings(self) -> dict[str, Any]:
        """Return this as JSON-able data, for the journal and a plan's header."""
        fields = {name: names._asdict() for name, names in self.fields.overrides.items()}
        return {"fields": fields, "options": asdict(self.options)}


def from_settings(settings: Mapping[str, Any]) -> Layout:
    """Return the layout of a run in the journal. Raises StoreError where it cannot be read."""
    try:
        overrides = {name: Names(**names) for name, names in settings["fields"].items()}
        if not overrides.keys() <= DEFAULTS.keys():
            raise ValueError(f"unknown fields {sorted(overrides.keys() - DEFAULTS.keys())}")
        return Layout(FieldMap(overrides), TagOptions(**settings["options"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StoreError(
            f"a run in the journal has a layout that cannot be read: {error}"
        ) from error
