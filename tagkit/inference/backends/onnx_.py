"""ONNX Runtime, float32 on a CPU."""

from __future__ import annotations

import onnxruntime
import torch
from torch import Tensor

from tagkit.inference.backends import Hearer
from tagkit.inference.backends.graph import hearer
from tagkit.weights.bundle import Bundle


def prepare(bundle: Bundle, device: torch.device, threads: int | None) -> Hearer:
    del device  # the table serves the CPU only
    count = threads or torch.get_num_threads()
    return hearer(bundle, "onnxruntime", {"float32": lambda graph: _build(graph, count)})


def _build(graph: bytes, threads: int) -> Hearer:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what cannot be computed is an exception, and is said once
    # Idle threads would wait by spinning, on cores that decoding needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def hear(x: Tensor) -> tuple[Tensor, Tensor]:
        logits, embedding = session.run(None, {"x": x.contiguous().numpy()})
        return torch.from_numpy(logits), torch.from_numpy(embedding)

    return hear
