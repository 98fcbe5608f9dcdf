"""What a run of ``tagkit tag`` is asked for, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import get_args

from tagkit import __version__
from tagkit.errors import UsageError
from tagkit.inference.context import LEVELS, Context
from tagkit.inference.ensemble import Ensemble
from tagkit.library.layout import Layout
from tagkit.library.policy import Existing, GenreMode, PolicyOptions, Stamp
from tagkit.thresholds import Options
from tagkit.vocab import canonical


@dataclass(frozen=True)
class Job:
    """What a run is asked for."""

    ensemble: Ensemble
    options: Options
    windows: int
    policy: PolicyOptions
    probabilities: bool
    layout: Layout
    level: str  # of the context

    @property
    def shares(self) -> Context | None:
        """How much artist and album say in this run; None where each file is decided alone."""
        shares = self.ensemble.context
        return None if shares is None else shares.at(self.level)

    @property
    def stamp(self) -> Stamp:
        return Stamp(__version__, self.ensemble.name)

    @cached_property
    def spoken(self) -> tuple[str, ...]:
        """The categories that the run speaks for: those with a tag that it could give.

        With ``--include calm`` it has nothing to say of instruments, and what an earlier run wrote
        of them stays.
        """
        tags = self.ensemble.tags
        include, exclude = (
            {canonical(name, tags) for name in names}
            for names in (self.options.include, self.options.exclude)
        )
        could = {
            tag.category for tag in tags if tag not in exclude and (not include or tag in include)
        }
        return tuple(name for name in self.options.categories if name in could)


def policy(existing: str, genre: str) -> PolicyOptions:
    """Return the checked options. Raises UsageError."""
    for name, value, kind in (("existing", existing, Existing), ("genre", genre, GenreMode)):
        if value not in get_args(kind):
            raise UsageError(f"--{name} is {value!r}", hint=f"one of {', '.join(get_args(kind))}")
    return PolicyOptions(existing, genre)  # type: ignore[arg-type]


def level(given: str) -> str:
    """Return the checked ``--context``. Raises UsageError."""
    if given not in LEVELS:
        raise UsageError(f"--context is {given!r}", hint=f"one of {', '.join(LEVELS)}")
    return given
