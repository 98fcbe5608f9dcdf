"""The run on a Ray cluster: tasks go out in blocks, what is done comes back in any order."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import ray
import ray.data
import ray.exceptions

from tagkit import __version__
from tagkit.audio.windows import Hearing
from tagkit.engines.ray_data.decoding import Task
from tagkit.engines.ray_data.shards import Folder
from tagkit.engines.ray_data.stages import Decode, Hear, Listen, Settings
from tagkit.errors import TagkitError, UsageError, WeightsError
from tagkit.inference.ensemble import Ensemble

#: The most tracks that are done, or lost, as one: some four seconds of a core's work.
BLOCK = 32

#: How often a block is given to another worker before it is taken apart.
RETRIES = 3

#: What torch calls the GPU that Ray gives to an actor.
GPU = "cuda"

LOST = "the process that listened to it ended each time (see Ray's logs); the next run tries again"


class Done(NamedTuple):
    """A content that is in the store, with its ``error`` if it failed; ``duration`` in seconds."""

    key: str
    duration: float
    error: str | None


class Cluster:
    """A connection to a Ray cluster, or a cluster on this machine. To be used as a context manager.

    ``jobs``: the most actors on CPUs; 0 for as many as there are. Raises UsageError for a device that
    the cluster does not have.
    """

    def __init__(
        self,
        ensemble: Ensemble,
        folder: Folder,
        *,
        windows: int,
        jobs: int,
        device: str,
        backend: str,
    ) -> None:
        self._ensemble = ensemble
        self._folder = folder
        self._windows = windows
        self._jobs = jobs
        self._device = device
        self._backend = backend

    def __enter__(self) -> Cluster:
        self._stack = contextlib.ExitStack()
        if not ray.is_initialized():
            self._stack.enter_context(_connected())
        try:
            self._gpus = self._pick_gpus()
            files = [member.path.read_bytes() for member in self._ensemble.members]
            self._settings = Settings(
                ray.put(files),
                _hearings(self._ensemble, self._windows),
                self._windows,
                GPU if self._gpus else "cpu",
                self._backend,
                str(self._folder.marker),
                __version__,
            )
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def cpus(self) -> int:
        """How many CPUs the cluster has now."""
        return max(1, int(ray.cluster_resources().get("CPU", 1)))

    def hear(self, tasks: Sequence[Task]) -> Iterator[Done]:
        """Yield each task once it is in the store or has failed, in any order.

        A block whose workers are lost again and again is taken apart, so that what ends them costs
        itself alone. Raises TagkitError where no worker can work.
        """
        left = {task.key: task for task in tasks}
        for most in (BLOCK, 1):
            for done in self._pass(list(left.values()), most):
                # Not a second time: a worker that was thought lost may have been at it too.
                if left.pop(done.key, None) is not None:
                    yield done
            if not left:
                return
        yield from (Done(key, 0.0, LOST) for key in left)

    def _pass(self, tasks: Sequence[Task], most: int) -> Iterator[Done]:
        size = max(1, min(most, len(tasks) // (4 * self.cpus)))
        with _quiet():
            for table in self._pipeline(tasks, size).iter_batches(
                batch_size=None, batch_format="pyarrow", prefetch_batches=0
            ):
                for row in table.to_pylist():
                    self._folder.take(row["shard"], row["data"])
                    yield from map(Done, row["keys"], row["durations"], row["errors"])

    def _pipeline(self, tasks: Sequence[Task], size: int) -> Any:
        """The Dataset whose rows are shards; ``size`` tracks in a block."""
        rows = [
            {"key": t.key, "where": os.fsencode(t.where), "wanted": list(t.wanted)} for t in tasks
        ]
        data = ray.data.from_items(rows, override_num_blocks=-(-len(rows) // size))
        cpus = self._pool(self._jobs, self.cpus, size)
        shared = {
            "batch_format": "pyarrow",
            "fn_constructor_args": (self._settings,),
            # Restarted for ever, which is Ray Data's default; but a block is not tried for ever.
            "ray_remote_args_fn": lambda: {"max_task_retries": RETRIES},
        }
        with warnings.catch_warnings():
            # From 2.60 on Ray Data deprecates this argument, and has no other for the retries.
            warnings.simplefilter("ignore", DeprecationWarning)
            if not self._gpus:
                return data.map_batches(Hear, batch_size=None, compute=cpus, num_cpus=1, **shared)
            gpus = self._pool(self._gpus, self._gpus, size)
            return data.map_batches(
                Decode, batch_size=None, compute=cpus, num_cpus=1, **shared
            ).map_batches(Listen, batch_size=BLOCK, compute=gpus, num_gpus=1, num_cpus=0, **shared)

    @staticmethod
    def _pool(most: int, now: int, size: int) -> Any:
        """Actors: as many as there is room for now, and as the cluster grows or shrinks.

        An actor has the next blocks waiting, which are lost with it. One track has the actor for itself.
        """
        return ray.data.ActorPoolStrategy(
            min_size=1,
            max_size=most or None,
            initial_size=min(now, most) if most else now,
            max_tasks_in_flight_per_actor=1 if size == 1 else None,
        )

    def _pick_gpus(self) -> int:
        if self._device not in ("auto", "cpu", "cuda"):
            raise UsageError(f"Ray has no {self._device} device", hint="auto, cpu or cuda")
        gpus = int(ray.cluster_resources().get("GPU", 0))
        if self._device == "cuda" and not gpus:
            raise UsageError("this Ray cluster has no GPU", hint="try --device auto")
        return 0 if self._device == "cpu" else gpus


def _hearings(ensemble: Ensemble, windows: int) -> dict[str, Hearing]:
    found = {}
    for member, name in zip(ensemble.members, ensemble.model_ids(windows), strict=True):
        front_end = member.card.front_end
        if front_end is None:
            raise WeightsError(f"{member.card.name} combines models; it hears no audio itself")
        found[name] = (front_end.sample_rate, front_end.chunk_samples)
    return found


@contextlib.contextmanager
def _connected() -> Iterator[None]:
    """A connection: to RAY_ADDRESS, else to what 'ray start' made here, else to a cluster of our own."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # on stderr it is about Ray's own calls
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"no Ray cluster: {_last_line(error)}", hint="see RAY_ADDRESS, or use --engine local"
        ) from error
    try:
        with _stdout_is_data():
            yield
    finally:
        ray.shutdown()


@contextlib.contextmanager
def _stdout_is_data() -> Iterator[None]:
    """What Ray says of lost machines goes to stderr. It prints that on stdout, and has no setting."""
    from ray._private import worker

    show = getattr(worker, "print_to_stdstream", None)
    if show is None:
        yield
        return

    def on_stderr(data: dict[str, Any], ignore_prefix: bool = False) -> None:
        show({**data, "is_err": True}, ignore_prefix)

    worker.print_to_stdstream = on_stderr
    try:
        yield
    finally:
        worker.print_to_stdstream = show


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Ray Data with its progress and its reports in its log files only, and its errors as ours."""
    context = ray.data.DataContext.get_current()
    before = context.enable_progress_bars, context.max_errored_blocks
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # what is lost is noticed, and tried by itself
    consoles = [h for h in logging.getLogger("ray.data").handlers if hasattr(h, "stream")]
    levels = [handler.level for handler in consoles]
    for handler in consoles:
        handler.setLevel(logging.CRITICAL)
    try:
        yield
    except ray.exceptions.RayError as error:
        raise TagkitError(f"the Ray cluster gave up: {_last_line(error)}") from error
    finally:
        context.enable_progress_bars, context.max_errored_blocks = before
        for handler, level in zip(consoles, levels, strict=True):
            handler.setLevel(level)


def _last_line(error: BaseException) -> str:
    """What was wrong at the bottom of it, in a line."""
    return (str(error).strip() or type(error).__name__).splitlines()[-1]
