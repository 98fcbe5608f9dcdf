"""A bundle's network as an ONNX graph, exported once and kept in the user's cache.

::

    file = sha256 of all that follows, 64 hex digits | newline | way | newline | the graph, weights included

A kept graph is found by what it was made from: architecture, arguments, every tensor, and the versions of what
made it; the way is how its runtime computes it, in the backend's own word. One that is damaged is made again.
Graphs are data; nothing in one is executed as code, and none is taken from anywhere but this cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from platformdirs import user_cache_path
from torch.utils._python_dispatch import TorchDispatchMode

import tagkit
from tagkit import files
from tagkit.inference.backends import Hearer, UnsuitedError
from tagkit.inference.backends.network import Hearing, example
from tagkit.weights.bundle import Bundle

#: Raised with every change to what is exported.
FORMAT = 1

#: The most that a chunk's probability may move, or its embedding by a tenth of its length, in the sounds that are
#: tried. In bfloat16 what ships moves by .003 to .007 a chunk, and by .001 in the mean of a track's 16.
TOLERANCE = 0.01

Build = Callable[[bytes], Hearer]


def hearer(bundle: Bundle, runtime: str, ways: Mapping[str, Build]) -> Hearer:
    """Return what one of ``ways`` makes of the bundle's graph: the first that says what the network says.

    ``runtime``: the module's name. Graph and way are kept. Raises UnsuitedError.
    """
    place = _place(bundle, runtime)
    if kept := _read(place):
        with contextlib.suppress(Exception):  # another kind of damage: made again
            return ways[kept[0]](kept[1])
    graph = export(bundle)
    apart = float("inf")
    for way, build in ways.items():
        try:
            found = build(graph)
            apart = _apart(bundle, found)
        except Exception as error:
            raise UnsuitedError(f"{runtime} cannot compute it ({_first_line(error)})") from error
        if apart <= TOLERANCE:
            _write(place, way, graph)
            return found
    raise UnsuitedError(f"{runtime} computes it wrongly, by {apart:.2g}")


def export(bundle: Bundle) -> bytes:
    """Return the graph: input ``x`` (n, ...), outputs ``logits`` and ``embedding``. Raises UnsuitedError."""
    if _is_complex(bundle):
        raise UnsuitedError("it computes with complex numbers, which ONNX has not")
    # What the exporter cannot express it prints, whole, on stdout.
    torch._C._jit_set_onnx_log_output_stream("stderr")
    # Of torch's two exporters the older: a tenth of a second, where the newer takes seconds; no ONNX Script
    # to install; and more of our networks. Torch says that it will go some day.
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as scratch:
        warnings.simplefilter("ignore")
        made = Path(scratch) / "graph.onnx"
        try:
            torch.onnx.export(
                Hearing(bundle),
                (example(bundle, 2),),
                made,
                dynamo=False,
                verbose=False,
                input_names=["x"],
                output_names=["logits", "embedding"],
                dynamic_axes={name: {0: "n"} for name in ("x", "logits", "embedding")},
            )
        except Exception as error:
            raise UnsuitedError(f"it cannot be written as ONNX ({_first_line(error)})") from error
        return made.read_bytes()


class _Seen(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes whether anything that is computed is complex."""

    complex = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        found = func(*args, **(kwargs or {}))
        if isinstance(found, torch.Tensor) and found.is_complex():
            self.complex = True
        return found


@torch.no_grad()
def _is_complex(bundle: Bundle) -> bool:
    seen = _Seen()  # type: ignore[no-untyped-call]
    network, x = Hearing(bundle), example(bundle, 1)
    with seen:
        network(x)
    return seen.complex


def folder() -> Path:
    """Where graphs are kept: beside the weights of the user's cache."""
    base = os.environ.get("TAGKIT_CACHE")
    return (Path(base) if base else user_cache_path("tagkit")) / "graphs"


def _place(bundle: Bundle, runtime: str) -> Path:
    card = bundle.card
    made_by = {name: version(name) for name in ("torch", "onnx", runtime)}
    told = [FORMAT, tagkit.__version__, made_by, card.architecture, card.arguments]
    found = hashlib.sha256(json.dumps(told, sort_keys=True, default=list).encode())
    # Not the fingerprint, which speaks of the file: a bundle's model may have been trained further since.
    for name, tensor in sorted(bundle.model.state_dict().items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return folder() / f"{card.name}-{found.hexdigest()[:32]}.onnx"


def _read(place: Path) -> tuple[str, bytes] | None:
    """The kept way and graph, or None where there are none or they are damaged."""
    try:
        digest, _, rest = place.read_bytes().partition(b"\n")
    except OSError:
        return None
    if digest != hashlib.sha256(rest).hexdigest().encode():
        return None
    way, _, graph = rest.partition(b"\n")
    return way.decode("ascii", "replace"), graph


def _write(place: Path, way: str, graph: bytes) -> None:
    rest = way.encode() + b"\n" + graph
    # A cache that cannot be written costs an export a run, and no result.
    with contextlib.suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        with files.whole(place) as file:
            file.write(hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest)


@torch.no_grad()
def _apart(bundle: Bundle, found: Hearer) -> float:
    """How far a hearer is from the network, on another number of chunks than it was exported with."""
    x = example(bundle, 7)
    logits, embedding = Hearing(bundle)(x)
    said, place = found(x)
    if said.shape != logits.shape or place.shape != embedding.shape:
        return float("inf")
    probability = (said.sigmoid() - logits.sigmoid()).abs().max()
    distance = (place - embedding).norm(dim=1) / embedding.norm(dim=1).clamp_min(1e-6)
    return max(float(probability), float(distance.max()) * TOLERANCE / 0.1)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120].rstrip(".: ")
