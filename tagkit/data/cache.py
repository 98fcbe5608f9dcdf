"""What training hears of each file, computed once and read from disk after that.

One ``.npy`` a track, named by the audio's content: a file that was moved or re-tagged is not heard
again, and models that share a front end share its files. Written whole or not at all, so that an
interrupted preparation goes on where it stopped; a file that cannot be read is made again.

A log-mel is kept as bytes of half a decibel, from -100 dB up: a finer step than any codec leaves, at a
quarter of float32's size, frame by frame (see :mod:`tagkit.data.kept`). Audio is kept as 16-bit integers.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from tagkit import audio
from tagkit.data import kept, mels
from tagkit.errors import RecipeError
from tagkit.features import LogMel
from tagkit.files import whole
from tagkit.front_end import FrontEnd
from tagkit.library import payload

FLOOR = -100.0
STEP = 0.5
PEAK = 32767.0

#: Frames computed at once: an hour of music is 225,000 frames, and its spectrum half a gigabyte.
SLAB = 16384

#: The form of the files: what is computed otherwise one day gets another folder.
VERSION = 1

Stored = NDArray[Any]


class _Typed(Protocol):
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...


_Found = TypeVar("_Found", bound=_Typed)


def decibel(stored: torch.Tensor) -> torch.Tensor:
    """Bytes of a cached log-mel → float32 dB, row by row however the bytes lie."""
    return stored.to(torch.float32, memory_format=torch.contiguous_format) * STEP + FLOOR


def pcm(stored: torch.Tensor) -> torch.Tensor:
    """Cached 16-bit audio → float32 in [-1, 1]."""
    return stored.float() / PEAK


class Cache:
    """Features below ``folder`` in one front end: log-mels, or the audio itself.

    ``samples``: audio although the front end has mels, for whoever changes the audio first. Raises
    RecipeError where the folder cannot be made.
    """

    def __init__(self, folder: Path, front_end: FrontEnd, *, samples: bool = False) -> None:
        self.front_end = front_end
        self.samples = samples or not front_end.n_mels
        self.least = front_end.chunk_samples if self.samples else front_end.frames
        self.folder = folder / _version(front_end, self.samples)
        self._mel = None if self.samples else LogMel(front_end)
        self._keys: dict[Path, str] = {}
        with _writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)

    def get(self, path: Path) -> Stored:
        """Return what training hears of a file, computing it where it is not there yet.

        A read-only memory map: uint8 (mels, frames), see :func:`decibel`, or int16 (samples,) at
        ``front_end.sample_rate``, see :func:`pcm`; at least one chunk long, for a shorter track is
        repeated. A ``.npy`` is taken for one of MTG-Jamendo's mel-spectrograms. A map that is held
        takes a file descriptor: for many tracks, :meth:`open`.

        Raises AudioError, DataError for a ``.npy`` that is damaged or of another front end, and
        RecipeError where the cache cannot be written.
        """
        return self._have(path, _mapped)

    def open(self, path: Path) -> kept.Pieces:
        """As :meth:`get`, for pieces of it; nothing stays open."""
        return self._have(path, kept.Kept)

    def fill(self, path: Path) -> None:
        """Compute what is not there yet."""
        self.open(path)

    def _have(self, path: Path, load: Callable[[Path], _Found]) -> _Found | Stored:
        found = self._found(path, load)
        return self._make(path, load) if found is None else found

    def _found(self, path: Path, load: Callable[[Path], _Found]) -> _Found | None:
        key = self._keys.get(path)
        if key is None:
            key = self._keys[path] = payload.content_key(path)
        for name in (key, self._repeated(key)):
            found = self._load(name, load)
            if found is not None and found.shape[-1] >= self.least:
                return found
        return None

    def _make(self, path: Path, load: Callable[[Path], _Found]) -> _Found | Stored:
        made, short = self._hear(path)
        key = self._keys[path]
        name = self._repeated(key) if short else key
        self._save(name, made)
        saved = self._load(name, load)
        return made if saved is None else saved

    def _repeated(self, key: str) -> str:
        """The name of a track that was repeated to fill a chunk."""
        return f"{key}-{self.front_end.chunk_samples}"

    def _hear(self, path: Path) -> tuple[Stored, bool]:
        """Return what to keep of a file, and whether it was repeated to fill a chunk."""
        if path.suffix == ".npy":
            return self._image(path)
        samples = audio.read(path, self.front_end.sample_rate)
        short = len(samples) < self.front_end.chunk_samples
        if short:
            samples = np.resize(samples, self.front_end.chunk_samples)
        if self._mel is None:
            return np.rint(np.clip(samples, -1, 1) * PEAK).astype(np.int16), short
        return mel_bytes(_log_mel(self._mel, samples)), short

    def _image(self, path: Path) -> tuple[Stored, bool]:
        mels.require(self.front_end)
        if self.samples:
            raise RecipeError("this training changes audio, and there are only mel-spectrograms")
        image = mels.read(path)
        short = image.shape[1] < self.least
        if short:
            image = np.tile(image, -(-self.least // image.shape[1]))[:, : self.least]
        return mel_bytes(image), short

    def _place(self, name: str) -> Path:
        return self.folder / name[:2] / f"{name}.npy"

    def _load(self, name: str, load: Callable[[Path], _Found]) -> _Found | None:
        try:
            found = load(self._place(name))
        except (OSError, ValueError, EOFError):
            return None  # not there, or damaged: it is computed again
        kind, axes = (np.int16, 1) if self.samples else (np.uint8, 2)
        return found if found.dtype == kind and len(found.shape) == axes else None

    def _save(self, name: str, made: Stored) -> None:
        place = self._place(name)
        with _writing(place):
            place.parent.mkdir(exist_ok=True)
            with whole(place) as out:
                kept.save(out, made)


def _mapped(place: Path) -> Stored:
    return open_memmap(place, mode="r")


@contextlib.contextmanager
def _writing(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RecipeError(
            f"cannot be written: {error.strerror or error}",
            path=place,
            hint="free some space, or name another folder with --cache; then run again",
        ) from error


def _version(front_end: FrontEnd, samples: bool) -> str:
    """The folder of what is computed alike; the chunk does not matter to a track longer than it."""
    record: dict[str, Any] = {"version": VERSION, "sample_rate": front_end.sample_rate}
    if not samples:
        record |= asdict(front_end)
        del record["chunk_samples"]
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:12]
    return f"{'audio' if samples else 'mel'}-{digest}"


@torch.inference_mode()
def _log_mel(mel: LogMel, samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return dB (mels, frames) of a whole track, a slab at a time; slabs overlap by a window."""
    spec = mel.front_end
    margin = -(-spec.n_fft // (2 * spec.hop))  # frames whose window reaches over a slab's edge
    slabs = []
    for first in itertools.count(0, SLAB):
        start = max(0, first - margin)
        stop = (first + SLAB + margin) * spec.hop
        found = mel(torch.from_numpy(samples[start * spec.hop : stop])[None])[0].numpy()
        last = stop >= len(samples)
        slabs.append(found[:, first - start : None if last else first - start + SLAB])
        if last:
            break
    return np.concatenate(slabs, axis=1)


def mel_bytes(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """dB (mels, frames) → the bytes that are kept, see :func:`decibel`."""
    stored: NDArray[np.uint8] = np.clip(np.rint((image - FLOOR) / STEP), 0, 255).astype(np.uint8)
    return stored
