"""Where a run happens: one device, or as many as ``torchrun`` or ``accelerate launch`` started it on."""

from __future__ import annotations

import platform
import shlex
import sys
from datetime import timedelta
from importlib.metadata import version
from typing import Any

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs, InitProcessGroupKwargs

from tagkit import __version__
from tagkit.errors import RecipeError
from tagkit.inference.listening import pick_device
from tagkit.inference.memory import ALL, keep_buffers

#: Processes wait for each other while a large dataset is prepared.
PATIENCE = timedelta(days=2)


def accelerator(device: str, precision: str) -> Accelerator:
    """Return accelerate's view of ``device``: auto, cpu, cuda or mps.

    ``precision``: "no", "bf16" or "fp16", whatever the launcher's own setting. On a CPU, this process keeps
    the memory that an update frees: the next one takes a tenth less time for it, with long inputs half. Raises
    UsageError for a device that is not there, RecipeError for a precision that it cannot do.
    """
    chosen = pick_device(device).type
    if chosen == "cpu":
        keep_buffers(ALL)
    try:
        return Accelerator(
            cpu=chosen == "cpu",
            mixed_precision=precision,
            kwargs_handlers=[
                InitProcessGroupKwargs(timeout=PATIENCE),
                # Else every update would give all processes the first one's running statistics.
                DistributedDataParallelKwargs(broadcast_buffers=False),
            ],
        )
    except ValueError as error:
        raise RecipeError(
            f"train.precision {precision!r} on {chosen}: {error}",
            hint='set train.precision to "no"',
        ) from error


def environment(accelerator: Accelerator) -> dict[str, Any]:
    """Return what a figure may depend on beside the recipe and the data."""
    return {
        "command": shlex.join(sys.argv),
        "device": str(accelerator.device),
        "processes": accelerator.num_processes,
        "threads": torch.get_num_threads(),
        "precision": accelerator.mixed_precision,
        "system": platform.platform(),
        "python": platform.python_version(),
        "tagkit": __version__,
        **{name: version(name) for name in ("torch", "accelerate", "numpy", "scikit-learn")},
    }
