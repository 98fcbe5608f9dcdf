"""Torch itself, with the network rewritten once: the default, and what every network can be computed by.

float32 on a CPU: this backend says what the network was trained to say. A CUDA device computes in float16, which
moves a track's probabilities by less than .001 (bfloat16: .009; measured on a CPU, with the students and six
published networks).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tagkit.inference.backends import Hearer
from tagkit.inference.backends.folding import fold
from tagkit.inference.backends.layout import channels_last
from tagkit.inference.backends.network import Hearing, example
from tagkit.weights.bundle import Bundle

#: Bytes of the largest tensor between two layers that are computed at once on a CPU. Fewer chunks at a time cost the
#: large networks little and save them gigabytes; the small ones, whose calls cost more than their arithmetic, take
#: a whole track at once.
BUDGET = 64 << 20


def prepare(bundle: Bundle, device: torch.device, threads: int | None) -> Hearer:
    if threads is not None:
        torch.set_num_threads(threads)
    network = fold(Hearing(bundle))
    if device.type == "cuda":
        network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return halved(network, device.type)
    if device.type != "cpu":
        return network.to(device)
    network = channels_last(network)
    most = max(1, BUDGET // _largest(network, example(bundle, 1)))

    def hear(x: Tensor) -> tuple[Tensor, Tensor]:
        if len(x) <= most:
            found: tuple[Tensor, Tensor] = network(x)
            return found
        parts = [network(part) for part in torch.split(x, most)]
        logits, embedding = (torch.cat(part) for part in zip(*parts, strict=True))
        return logits, embedding

    return hear


def halved(network: nn.Module, kind: str) -> Hearer:
    """Return what computes ``network`` in float16 where torch holds that to be safe.

    No CUDA graph: in batches of hundreds of chunks, kernels last longer than their launches.
    """

    def hear(x: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(kind, torch.float16):
            logits, embedding = network(x)
        return logits.float(), embedding.float()

    return hear


@torch.no_grad()
def _largest(network: nn.Module, chunk: Tensor) -> int:
    """Bytes of the largest output of a layer for one chunk, by trying it.

    Trying it without values, on torch's meta device, would load a second's worth of modules first.
    """
    found = [4 * chunk.numel()]

    def note(_module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            found.append(4 * output.numel())

    notes = [module.register_forward_hook(note) for module in network.modules()]
    network(chunk)
    for handle in notes:
        handle.remove()
    return max(found)
