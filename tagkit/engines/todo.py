"""Which files an engine still has to listen to, and which are done without it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tagkit.inference.ensemble import Ensemble
from tagkit.library.store import Look, Store

if TYPE_CHECKING:
    from tagkit.inference.pipeline import Task


class Heard(NamedTuple):
    """A file that is done: newly ``analysed`` or known before; ``duration`` in seconds if analysed."""

    path: Path
    analysed: bool
    duration: float
    error: str | None


def add_models(store: Store, ensemble: Ensemble, windows: int) -> tuple[str, ...]:
    """Make the ensemble's models known to the store and return their ids. Raises StoreError."""
    ids = ensemble.model_ids(windows)
    for member, name in zip(ensemble.members, ids, strict=True):
        store.add_model(name, member.card.name, member.card.tags)
    return ids


class Todo:
    """Sorts the looks into files that are done and tasks, as the engine asks for more of them."""

    def __init__(self, looks: Iterator[Look]) -> None:
        self._looks = looks
        self._keys: set[str] = set()  # contents under way or done in this run
        self._errors: dict[str, str] = {}  # of those that failed in this run
        self._passed: list[Heard] = []
        self._same: dict[str, list[Path]] = {}  # other names of contents that are under way
        self.waiting: Look | None = None
        self.taken: dict[Path, Look] = {}

    def known(self) -> Iterator[Heard]:
        """Yield files until one must be listened to."""
        for look in self._looks:
            if self._is_new(look):
                self.waiting = look
                return
            if look.key in self._same:
                self._same[look.key].append(look.path)
            else:
                error = look.error or self._errors.get(look.key or "")
                yield Heard(look.path, False, 0.0, error)

    def tasks(self) -> Iterator[Task]:
        from tagkit.inference.pipeline import Task

        while (look := self.waiting) is not None:
            self.taken[look.path] = look
            yield Task(look.path, look.missing)
            self._passed += self._until_next()

    def done(self, key: str, error: str | None) -> Iterator[Heard]:
        """Yield the other names of a content that is done now, and the known files met so far."""
        if error is not None:
            self._errors[key] = error
        yield from (Heard(path, False, 0.0, error) for path in self._same.pop(key))
        yield from self.passed()

    def passed(self) -> list[Heard]:
        """Return the known files met so far between the tasks."""
        found, self._passed = self._passed, []
        return found

    def _until_next(self) -> list[Heard]:
        self.waiting = None
        return list(self.known())

    def _is_new(self, look: Look) -> bool:
        """Whether there is something to do; the same audio under two names is heard once."""
        if look.error is not None or not look.missing or look.key in self._keys:
            return False
        assert look.key is not None
        self._keys.add(look.key)
        self._same[look.key] = []
        return True
