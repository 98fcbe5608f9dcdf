"""Every track listened to, before training starts: what cannot be heard is left out, and named."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from accelerate import Accelerator
from accelerate.utils import gather_object

from tagkit.data.cache import Cache
from tagkit.data.dataset import Dataset
from tagkit.data.filling import Prepared, prepare
from tagkit.errors import TagkitError


def prepared(
    dataset: Dataset,
    cache: Cache,
    accelerator: Accelerator,
    *,
    jobs: int,
    show: Callable[[Iterable[Prepared]], Iterable[Prepared]] = iter,
) -> tuple[Dataset, list[TagkitError]]:
    """Fill ``cache``, each process with its share, and return the tracks that can be heard and the
    errors of the others, the same in every process. ``show`` passes on what it is given, as it comes.

    Raises RecipeError where the cache cannot be written.
    """
    paths = [dataset.root / track.path for track in dataset.tracks]
    mine = list(dict.fromkeys(paths))[accelerator.process_index :: accelerator.num_processes]
    failed = [(p.path, p.error) for p in show(prepare(cache, mine, jobs)) if p.error is not None]
    if accelerator.num_processes > 1:
        failed = gather_object(failed)
        # Where the processes share no disk, or for the audio's keys: the rest, too.
        for _ in prepare(cache, paths, jobs):
            pass
    lost = dict(failed)
    kept = [t for t, path in zip(dataset.tracks, paths, strict=True) if path not in lost]
    return dataset.keep(kept), [error for _, error in sorted(lost.items())]
