"""Where the analyse step runs: this machine, or many.

An engine is a function ``analyse(store, ensemble, paths, *, windows, jobs, device, backend, retry)`` that
yields every path once what its models hear in it is in the store, or it has failed; see
:func:`tagkit.engines.local.analyse`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from tagkit.engines.todo import Heard

Engine: TypeAlias = "Callable[..., Iterator[Heard]]"

#: What ``--engine`` takes, and the module of each.
ENGINES = {"local": "local", "ray": "ray_data"}


def engine(name: str) -> Engine:
    """Return the engine; only then are its libraries loaded."""
    found: Engine = import_module(f"{__name__}.{ENGINES[name]}").analyse
    return found
