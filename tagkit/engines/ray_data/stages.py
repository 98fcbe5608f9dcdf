"""What the workers do: the classes that Ray Data makes actors of.

On CPUs one actor decodes a track and listens to it at once, so that windows (some 3 MB a track) never
travel. Where GPUs listen, actors on CPUs decode for them. In and out are Arrow tables.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import ray

from tagkit import __version__
from tagkit.audio.windows import Decoded, Hearing
from tagkit.engines.ray_data.decoding import Decoder, Task
from tagkit.engines.ray_data.shards import Result, Shelf, summary
from tagkit.errors import AudioError, PassingError, UsageError

if TYPE_CHECKING:
    from tagkit.inference.listening import Ears

#: Tracks whose windows travel to a GPU together.
TOGETHER = 8

DECODED = pa.schema(
    [
        ("key", pa.string()),
        ("wanted", pa.list_(pa.string())),
        ("duration", pa.float64()),
        ("error", pa.string()),
        ("passing", pa.bool_()),
        ("windows", pa.list_(pa.large_binary())),  # float32, a value a hearing
    ]
)


class Settings(NamedTuple):
    """What every worker needs to know. ``models``: a reference to the bundles' bytes, in the object
    store of the cluster: no worker needs the files. ``marker``: see :class:`shards.Shelf`."""

    models: Any
    hearings: dict[str, Hearing]
    windows: int
    device: str
    backend: str
    marker: str
    version: str


class Hear:
    """Decodes and listens, on a CPU."""

    def __init__(self, settings: Settings) -> None:
        check_version(settings.version)
        self._decoder = Decoder(settings.hearings, settings.windows)
        self._ears = _ears(settings)
        self._shelf = Shelf(settings.marker)

    def __call__(self, batch: pa.Table) -> pa.Table:
        results = []
        for task, decoded in self._decoder.run(tasks(batch)):
            if isinstance(decoded, AudioError):
                results.append(
                    Result(task.key, task.wanted, 0.0, {}, _reason(decoded), _passing(decoded))
                )
            else:
                (said,) = self._ears.hear([decoded], task.wanted)
                results.append(Result(task.key, task.wanted, decoded.duration, said, None))
        return _kept(self._shelf, results)


class Decode:
    """Decodes, on a CPU, for :class:`Listen`."""

    def __init__(self, settings: Settings) -> None:
        check_version(settings.version)
        self._decoder = Decoder(settings.hearings, settings.windows)

    def __call__(self, batch: pa.Table) -> Iterator[pa.Table]:
        rows: list[dict[str, Any]] = []
        for task, decoded in self._decoder.run(tasks(batch)):
            rows.append(self._row(task, decoded))
            if len(rows) == TOGETHER:
                yield pa.Table.from_pylist(rows, DECODED)
                rows = []
        if rows:
            yield pa.Table.from_pylist(rows, DECODED)

    def _row(self, task: Task, decoded: Decoded | AudioError) -> dict[str, Any]:
        row = {"key": task.key, "wanted": task.wanted, "duration": 0.0, "error": None}
        if isinstance(decoded, AudioError):
            passing = _passing(decoded)
            return {**row, "error": _reason(decoded), "passing": passing, "windows": []}
        windows = [decoded.windows[hearing].tobytes() for hearing in self._decoder.hearings(task)]
        return {**row, "duration": decoded.duration, "windows": windows}


class Listen:
    """Listens to what :class:`Decode` sends, on a GPU."""

    def __init__(self, settings: Settings) -> None:
        check_version(settings.version)
        self._hearings = settings.hearings
        self._ears = _ears(settings)
        self._shelf = Shelf(settings.marker)

    def __call__(self, batch: pa.Table) -> pa.Table:
        rows = batch.to_pylist()
        found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for row in rows:
            if row["error"] is None:
                found.setdefault(tuple(row["wanted"]), []).append(row)
        said: dict[str, Any] = {}
        for wanted, group in found.items():
            heard = self._ears.hear([self._decoded(row) for row in group], wanted)
            said.update(zip((row["key"] for row in group), heard, strict=True))
        results = [
            Result(
                row["key"],
                tuple(row["wanted"]),
                row["duration"],
                said.get(row["key"], {}),
                row["error"],
                bool(row["passing"]),
            )
            for row in rows
        ]
        return _kept(self._shelf, results)

    def _decoded(self, row: dict[str, Any]) -> Decoded:
        hearings = sorted({self._hearings[model] for model in row["wanted"]})
        windows = {
            hearing: np.frombuffer(bytearray(data), np.float32).reshape(-1, hearing[1])
            for hearing, data in zip(hearings, row["windows"], strict=True)
        }
        return Decoded(windows, row["duration"])


def tasks(batch: pa.Table) -> Iterator[Task]:
    """Yield the rows that the run made; see ``cluster``."""
    return (Task(r["key"], os.fsdecode(r["where"]), tuple(r["wanted"])) for r in batch.to_pylist())


def check_version(wanted: str) -> None:
    """Raise UsageError where this machine has another tagkit than the one that started the run."""
    if __version__ != wanted:
        raise UsageError(
            f"this machine has tagkit {__version__}, the run was started by {wanted}",
            hint="install the same on all",
        )


def _ears(settings: Settings) -> Ears:
    from tagkit.inference import loading

    with tempfile.TemporaryDirectory(prefix="tagkit-") as folder:
        paths = []
        for number, data in enumerate(ray.get(settings.models)):
            path = Path(folder, f"{number}.safetensors")
            path.write_bytes(data)
            paths.append(path)
        return loading.ears(paths, settings.windows, settings.device, settings.backend)


def _kept(shelf: Shelf, results: Iterable[Result]) -> pa.Table:
    results = list(results)
    # A failure that need not be the file's own is said, and not remembered.
    return summary(results, *shelf.put(result for result in results if not result.passing))


def _passing(error: AudioError) -> bool:
    return isinstance(error, PassingError)


def _reason(error: AudioError) -> str:
    """Its message as text that Arrow takes: a file's name, which may be in it, need not be."""
    return error.message.encode("utf-8", "backslashreplace").decode()
