"""A library that has been heard already: files of every format, a home, and a store that knows them.

What the store holds of them is drawn, not heard, so that a run of ``tagkit tag --write`` needs neither
torch nor time. A :class:`Seen` is all that a test compares of a file.
"""

from __future__ import annotations

import functools
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tagkit.engines.todo import add_models
from tagkit.inference import ensemble
from tagkit.library.containers import open_tags
from tagkit.library.payload import audio_digest
from tagkit.library.store import Store
from tests import library, media
from tests.trust import command, size

FIELDS = ("mood", "theme", "instrument", "genre", "tagkit")
WINDOWS = 16


class Seen(NamedTuple):
    """A file as it is: its audio, what tagkit's fields hold to the byte, and everything else."""

    audio: str
    fields: dict[str, str]
    foreign: dict[str, bytes]


def see(path: Path) -> Seen:
    """Read a file. Raises TagError and AudioError where it is not whole."""
    tags = open_tags(path)
    fields = {name: tags.snapshot(name) for name in FIELDS}
    return Seen(audio_digest(path), fields, tags.foreign())


class Shelf:
    """A music folder below ``folder`` beside a home of its own. ``kinds`` are of ``media.KINDS``."""

    def __init__(self, folder: Path, kinds: Sequence[str] = media.WRITABLE) -> None:
        self.home = folder / "home"
        self.music = folder / "Music"
        self.model = folder / "small.safetensors"
        self.data = self.home / "data" / "tagkit"
        self.store = self.data / "library.sqlite"
        self.journal = self.data / "journal.sqlite"
        self.music.mkdir(parents=True)
        self.model.write_bytes(_model())
        self.files = [
            media.make(
                self.music / f"{number:03}-{kind}{media.KINDS[kind].suffix}",
                kind,
                seconds=0.3,
                seed=number,
                foreign=True,
            )
            for number, kind in enumerate(kinds)
        ]

    def hear(self, paths: Iterable[Path] | None = None) -> None:
        """Fill the store, as if every file (or ``paths``) had been listened to."""
        heard = ensemble.load([str(self.model)])
        random = size.draws("heard")
        with Store(self.store) as store:
            models = add_models(store, heard, WINDOWS)
            for look in list(store.look(list(paths or self.files), models)):
                assert look.key is not None, look.error
                said = [random.uniform(0.05, 0.95) for _ in heard.tags]
                store.record(look.key, dict.fromkeys(models, (said, None)), duration=0.3)

    def tag(self, *arguments: object) -> tuple[object, ...]:
        """Return the words of the run that tests drive: it gives every file moods and more."""
        return ("tag", self.music, "--model", self.model, "--context", "none", *arguments)

    def run(self, *arguments: object, **how: Any) -> subprocess.CompletedProcess[str]:
        return command.run(self.home, *arguments, **how)

    def seen(self) -> dict[Path, Seen]:
        return {path: see(path) for path in self.files}

    def strays(self) -> list[Path]:
        """Return what lies in the music folder and is none of its files."""
        return sorted(set(self.music.rglob("*")) - set(self.files))


@functools.cache
def _model() -> bytes:
    """Return the small model, made once for all shelves of this process."""
    with tempfile.TemporaryDirectory() as folder:
        return library.small_model(Path(folder) / "small.safetensors").read_bytes()
