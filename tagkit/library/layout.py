"""How a run keeps logical fields in files: what opens their tags, and how that is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tagkit.errors import PlanError, StoreError
from tagkit.library.containers import TagFile, TagOptions, open_tags
from tagkit.library.fields import DEFAULTS, FieldMap, Names, load_fields


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


def load_layout(fields: Path | None, options: TagOptions | None = None) -> Layout:
    """Return the layout of a fields file, the default one without. Raises UsageError."""
    return Layout(load_fields(fields) if fields else FieldMap(), options or TagOptions())


def from_settings(settings: Mapping[str, Any], journal: Path | None = None) -> Layout:
    """Return the layout of a run in one's own journal. Raises StoreError where it cannot be read."""
    try:
        overrides = {name: Names(**names) for name, names in settings["fields"].items()}
        if not overrides.keys() <= DEFAULTS.keys():
            raise ValueError("a field that this tagkit does not know")
        return Layout(FieldMap(overrides), _options(settings))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StoreError(
            f"a run in the journal has a layout that cannot be read: {error}",
            path=journal,
            hint="'tagkit history' still shows what was written",
        ) from error


def for_plan(settings: Mapping[str, Any], fields: Path | None, plan: Path) -> Layout:
    """Return the layout to apply a plan with: of the person's own fields file, never of the plan's.

    A plan may come from a stranger, who could send moods into other fields. Raises UsageError, and
    PlanError where the plan was made with another layout.
    """
    try:
        layout = load_layout(fields, _options(settings))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PlanError("line 1: its settings cannot be read", path=plan) from error
    if layout.settings()["fields"] != settings.get("fields"):
        hint = "give the same --fields FILE"
        raise PlanError("it was made with another field layout", path=plan, hint=hint)
    return layout


def _options(settings: Mapping[str, Any]) -> TagOptions:
    options = TagOptions(**settings["options"])
    kinds = {name: type(value) for name, value in asdict(TagOptions()).items()}
    if any(type(getattr(options, name)) is not kind for name, kind in kinds.items()):
        raise ValueError("an option of another type")
    if len(options.v23_separator) > 3 or not options.v23_separator.isprintable():
        raise ValueError("an odd separator")
    return options
