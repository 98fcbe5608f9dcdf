"""The networks of an ensemble, ready to listen, in a process that does nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tagkit.inference.listening import Ears, leave_cores_to_decoding, pick_device
from tagkit.inference.memory import keep_buffers
from tagkit.weights import bundle


def ears(paths: Iterable[Path], windows: int, device: str, backend: str) -> Ears:
    """Return the networks in these bundles. Raises WeightsError, UsageError."""
    keep_buffers()
    leave_cores_to_decoding()
    bundles = [bundle.load(path) for path in paths]
    return Ears(bundles, device=pick_device(device), windows=windows, backend=backend)
