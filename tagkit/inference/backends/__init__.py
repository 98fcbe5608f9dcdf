"""What computes the networks when music is listened to: torch, or a runtime that does nothing else.

A backend is one file with ``prepare(bundle, ...)`` and one row below. All of them say the same within .01 of
probability; what each costs is printed by ``bench/levers.py``. A network that a runtime cannot express is left to
torch. Reading this table needs none of them, nor torch.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeAlias

from tagkit.errors import UsageError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from tagkit.weights.bundle import Bundle

#: Images or samples ``(n, ...)`` on the device, any n from 1 on → logits ``(n, tags)`` and embedding ``(n, dims)``,
#: float32, there. Not for several threads at once.
Hearer: TypeAlias = "Callable[[Tensor], tuple[Tensor, Tensor]]"


@dataclass(frozen=True)
class Backend:
    """``needs``: modules that must be importable; ``install``: what makes them so; ``devices``: where it computes."""

    file: str
    needs: tuple[str, ...]
    install: str
    devices: tuple[str, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(name for name in self.needs if find_spec(name) is None)


#: The cheapest first, in CPU seconds as bench/levers.txt has them for the networks that ship.
BACKENDS: dict[str, Backend] = {
    "openvino": Backend("openvino_", ("openvino", "onnx"), "pip install 'tagkit[openvino]'", ("cpu",)),
    "onnx": Backend("onnx_", ("onnxruntime", "onnx"), "pip install 'tagkit[onnx]'", ("cpu",)),
    "torch": Backend("torch_", ("torch",), "pip install tagkit", ("cpu", "cuda", "mps")),
}  # fmt: skip

#: What ``--backend`` takes.
NAMES = ("auto", "torch", "onnx", "openvino")


class UnsuitedError(Exception):
    """A runtime cannot express or compute this network; the message says why, without a full stop."""


def pick(name: str, device: str) -> str:
    """Return the backend that ``name`` means for a device ("cpu", "cuda", "cuda:1", "mps").

    ``auto`` is the first of :data:`BACKENDS` that is installed and serves the device. Raises UsageError, with
    the command that installs what is missing.
    """
    kind = device.partition(":")[0]
    if name == "auto":
        fit = (key for key, row in BACKENDS.items() if kind in row.devices and not row.missing)
        return next(fit, "torch")
    if name not in BACKENDS:
        raise UsageError(f"no backend is called {name!r}", hint=f"there are {', '.join(NAMES)}")
    row = BACKENDS[name]
    if kind not in row.devices:
        raise UsageError(
            f"the backend {name} computes on {' and '.join(row.devices)}, not on {kind}",
            hint="--backend torch, or auto",
        )
    if row.missing:
        raise UsageError(
            f"the backend {name} needs {' and '.join(row.missing)}, which is not installed",
            hint=row.install,
        )
    return name


def prepare(
    name: str,
    bundle: Bundle,
    device: torch.device,
    threads: int | None = None,
    *,
    say: Callable[[str], object] | None = None,
) -> Hearer:
    """Return what hears with ``bundle`` on ``device``, by the backend ``name``; the bundle is left as it is.

    ``threads``: how many compute; default: as many as torch has. torch's are the whole process's, and are
    set. ``say`` is told in one sentence where a network is left to torch; default: a line on stderr.
    Raises UsageError as :func:`pick` does.
    """
    chosen = pick(name, device.type)
    try:
        return _load(chosen)(bundle, device, threads)
    except UnsuitedError as why:
        (say or _complain)(
            f"{bundle.card.name} is computed by torch, not by {chosen}: {why}",
        )
    return _load("torch")(bundle, device, threads)


def _load(name: str) -> Callable[[Bundle, torch.device, int | None], Hearer]:
    module = import_module(f"{__name__}.{BACKENDS[name].file}")
    found: Callable[[Bundle, torch.device, int | None], Hearer] = module.prepare
    return found


def _complain(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
