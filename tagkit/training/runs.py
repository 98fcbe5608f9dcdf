"""The folder of a run: what is trained and where, how it went, and all that is needed to go on.

::

    recipe.toml        the resolved recipe
    data.json          what it learns from; a run goes on with the same recipe and data only, but for
                       what changes no weight: FREE, and train.epochs under a constant learning rate
    environment.json   one entry a start: versions, device, command
    log.jsonl          one line an epoch
    tensorboard/       the same figures, where TensorBoard is installed
    last.pt, best.pt   checkpoints: after the last finished epoch; the weights of the best
    .lock              held while a process trains here

Each file is replaced whole: whoever kills a run at any moment loses the epoch under way, no more.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import io
import json
import os
import sys
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from tagkit import recipe as recipes
from tagkit import strangers
from tagkit.errors import RecipeError
from tagkit.files import whole
from tagkit.recipe import Recipe
from tagkit.weights import checkpoint

#: What may differ when a run goes on.
FREE = {"title", "licence", "training_data", "notes", "train.patience"}

_PARTS = ".*.part"  # what tagkit.files leaves of a write that was killed
_LOCK = ".lock"


class Run:
    """``data``: what tells one dataset from another, as plain values.

    Raises RecipeError for a folder that is another run's, and wherever it cannot be written.
    """

    def __init__(
        self, folder: Path, recipe: Recipe, data: Mapping[str, Any], *, resume: bool = False
    ) -> None:
        self.folder = folder
        self.recipe = recipe
        self.data = dict(data)
        self._board: Any = None
        if folder.exists() and not folder.is_dir():
            raise RecipeError("is no folder", path=folder)
        with writing(folder):
            kept = list(folder.iterdir()) if folder.exists() else []
        there = any(path.name != _LOCK and not path.match(_PARTS) for path in kept)
        if there and not resume:
            raise RecipeError(
                "the run folder is not empty",
                path=folder,
                hint="go on with that run by --resume, or name another folder by --run",
            )
        if there:
            self._require_same()

    def _require_same(self) -> None:
        path = self.folder / "recipe.toml"
        try:
            text = strangers.content(path).decode()
        except (OSError, ValueError) as error:
            raise RecipeError(
                "is no run folder: its recipe.toml cannot be read",
                path=self.folder,
                hint="name another folder by --run",
            ) from error
        before = recipes.parse(text, path)
        changed = set(_differences(before, self.recipe)) - FREE
        if changed == {"train.epochs"}:
            if self.recipe.train.phases or self.recipe.train.schedule != "constant":
                raise RecipeError(
                    f"this run's schedule is laid out over its {before.train.epochs} epochs",
                    path=self.folder,
                    hint="start anew in another folder, from its bundle by train.start_from",
                )
        elif changed:
            raise RecipeError(
                f"this run is of another recipe; different: {', '.join(sorted(changed))}",
                path=self.folder,
                hint="give the same recipe and --set, or name another folder by --run",
            )
        if (self.folder / "data.json").exists() and self._kept("data.json") != self.data:
            raise RecipeError(
                "this run learned from other data",
                path=self.folder,
                hint="give the same data, or name another folder by --run",
            )

    def begin(self, environment: Mapping[str, Any]) -> None:
        """Write down what starts, or goes on, here."""
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._refuse_links()
            self._lock()
            for part in self.folder.glob(_PARTS):
                part.unlink()
        self._write("recipe.toml", recipes.dumps(self.recipe).encode())
        self._write("data.json", _json(self.data, indent=2))
        starts = self._kept("environment.json") or []
        self._write("environment.json", _json([*starts, environment], indent=2))

    def _refuse_links(self) -> None:
        """A run folder may be a stranger's: what is written here must not land where a link leads."""
        for path in self.folder.iterdir():
            if path.is_symlink():
                raise RecipeError(
                    "is a link: whatever it leads to would be written over",
                    path=path,
                    hint="put what it leads to in its place, or name another folder by --run",
                )

    def _lock(self) -> None:
        """Hold the folder until this process ends, however it ends."""
        if sys.platform == "win32":
            return
        import fcntl

        held = os.open(self.folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
        weakref.finalize(self, os.close, held)
        try:
            # lockf: the processes that read batches must not hold it, they may outlive a kill for seconds.
            fcntl.lockf(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                raise RecipeError(
                    "another process is training in this folder",
                    path=self.folder,
                    hint="wait for its end, or name another folder by --run",
                ) from error
            # A file system without locks: then nobody is kept out.

    def save(self, name: str, state: Mapping[str, Any]) -> None:
        """Write the checkpoint ``name``, "last" or "best"."""
        # Into memory first: a plain write then meets the full disk, and its OSError says so.
        data = io.BytesIO()
        torch.save(dict(state), data)
        self._write(f"{name}.pt", data.getbuffer())

    def read(self, name: str) -> dict[str, Any] | None:
        """Return the checkpoint ``name``, its tensors on the CPU; None where there is none."""
        path = self.folder / f"{name}.pt"
        if not path.exists():
            return None
        try:
            state: dict[str, Any] = checkpoint.load(path)
        except Exception as error:  # a damaged one may fail in any way
            raise RecipeError(
                f"cannot be read: {type(error).__name__}",
                path=path,
                hint="start anew in another folder, without --resume",
            ) from error
        return state

    def log(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Write the log of all epochs so far, and show the last one to TensorBoard."""
        self._write("log.jsonl", b"".join(_json(entry) for entry in history))
        if not history:
            return
        if self._board is None:
            self._board = _board(self.folder / "tensorboard", history[-1]["step"])
        if self._board:
            entry = history[-1]
            figures = {f"validation/{key}": value for key, value in entry["validation"].items()}
            figures |= {"loss": entry["loss"], "learning_rate": entry["learning_rate"]}
            with writing(self.folder / "tensorboard"):
                for key, value in figures.items():
                    self._board.add_scalar(key, value, entry["step"])
                self._board.flush()

    def _kept(self, name: str) -> Any:
        """The value in a JSON file of the folder; None where there is none."""
        with contextlib.suppress(OSError, ValueError, RecursionError):
            return json.loads(strangers.content(self.folder / name, strangers.TABLE))
        return None

    def note(self, name: str, value: Any) -> Path:
        """Write ``value`` as JSON to the file ``name`` and return its path."""
        self._write(name, _json(value, indent=2))
        return self.folder / name

    def _write(self, name: str, data: bytes | memoryview) -> None:
        with writing(self.folder / name), whole(self.folder / name) as file:
            file.write(data)


def _json(value: Any, indent: int | None = None) -> bytes:
    # Of a file name in no encoding, Python's stand-ins become what JSON escapes them as.
    text = json.dumps(value, indent=indent, ensure_ascii=False) + "\n"
    return text.encode(errors="backslashreplace")


def _board(folder: Path, first_step: int) -> Any:
    """Return TensorBoard's writer, which forgets what a killed run showed from ``first_step`` on."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return False
    return SummaryWriter(str(folder), purge_step=first_step)


def _differences(a: Recipe, b: Recipe) -> Iterator[str]:
    """The keys in which two recipes differ, as a recipe would write them."""
    for entry in dataclasses.fields(a):
        one, other = getattr(a, entry.name), getattr(b, entry.name)
        if one == other:
            continue
        if dataclasses.is_dataclass(one):
            for inner in dataclasses.fields(one):
                if getattr(one, inner.name) != getattr(other, inner.name):
                    yield f"{entry.name}.{inner.name}"
        else:
            yield entry.name


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what an operating system says of a write into a RecipeError."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise RecipeError(
            f"cannot be written: {error.strerror or error}",
            path=path,
            hint=f"{'free some space' if full else 'make it writable'}, then go on with --resume",
        ) from error
