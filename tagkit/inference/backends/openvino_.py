"""OpenVINO on a CPU: in bfloat16 where the CPU computes in it (AVX-512 BF16, AMX) and the network bears it, else in
float32."""

from __future__ import annotations

from functools import cache, partial

import openvino
import torch
from torch import Tensor

from tagkit.inference.backends import Hearer
from tagkit.inference.backends.graph import hearer
from tagkit.weights.bundle import Bundle


def prepare(bundle: Bundle, device: torch.device, threads: int | None) -> Hearer:
    del device  # the table serves the CPU only
    count = threads or torch.get_num_threads()
    # PERFORMANCE is bfloat16 where that is native, ACCURACY the precision of the weights.
    ways = {mode: partial(_build, threads=count, mode=mode) for mode in ("PERFORMANCE", "ACCURACY")}
    return hearer(bundle, "openvino", ways)


@cache
def _core() -> openvino.Core:
    """One for the process, to its end.

    Its CPU plugin gives the thread that loads it a stack for signals, and unmaps that when the last user of a core
    goes, in whichever thread: a Ctrl-C would then have nowhere to be handled (2026.4.1: SIGSEGV).
    """
    return openvino.Core()


def _build(graph: bytes, threads: int, mode: str) -> Hearer:
    # From ONNX, not by convert_model: that reports its use over the network.
    core = _core()
    settings = {
        "EXECUTION_MODE_HINT": mode,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
    }
    request = core.compile_model(core.read_model(graph), "CPU", settings).create_infer_request()

    def hear(x: Tensor) -> tuple[Tensor, Tensor]:
        said = request.infer({"x": x.contiguous().numpy()})
        return torch.from_numpy(said["logits"]), torch.from_numpy(said["embedding"])

    return hear
