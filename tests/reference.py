"""The published implementations' weights by rule and outputs, as ``golden/`` of the shared data keeps them."""

from __future__ import annotations

import json
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
import torch
from numpy.typing import NDArray

from tests.shared import shared

Array = NDArray[np.float32]


def keys(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shared("golden", "keys", f"{name}.json").read_text())
    return found


def weights_by_rule(name: str) -> dict[str, torch.Tensor]:
    """The state dict that the reference outputs ``det_*`` were made with."""
    state: dict[str, torch.Tensor] = {}
    for key, shape, _ in keys(name)["keys"]:
        if ".spec." in f".{key}" or key.endswith(("num_batches_tracked", ".pe")):
            continue  # buffers that the reference computes
        r = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(tuple(shape))
        first = any(name in key for name in ("spec_bn.", "hstft_bn."))
        if key.endswith("running_mean"):
            value = -20 + r if first else 0.1 * r
        elif key.endswith("running_var"):
            value = 400 + 10 * np.abs(r) if first else 1 + 0.2 * np.abs(r)
        elif key == "hstft.bw_Q":
            value = 1 + 0.05 * np.abs(r)
        elif r.ndim >= 2:
            value = r * np.sqrt(2 / np.prod(shape[1:]))
        elif key.endswith("weight"):
            value = 1 + 0.1 * r
        else:
            value = 0.1 * r
        state[key] = torch.from_numpy(np.asarray(value, np.float32)).reshape(shape)
    return state


@cache
def piece(name: str, rate: int) -> Array:
    """A shared recording, mono at ``rate`` Hz, whole. Only libsndfile and soxr: no code of ours."""
    (path,) = (
        p for p in shared("audio").iterdir() if p.name.startswith(name) and p.suffix != ".txt"
    )
    samples, native = soundfile.read(path, dtype="float32", always_2d=True)
    mono: Array = soxr.resample(samples.mean(1), native, rate, quality="HQ")
    return mono


def noise(length: int, rows: int = 1) -> Array:
    return np.random.default_rng(0).standard_normal((rows, length)).astype(np.float32) * np.float32(
        0.1
    )


def golden(name: str) -> dict[str, Any]:
    with np.load(Path(shared("golden", f"{name}.npz")), allow_pickle=False) as stored:
        return dict(stored)


def assert_same_probabilities(found: Array, wanted: Array) -> None:
    """Equal to 1e-4, and in logits to 1e-2 where the reference is not saturated: 20 such values at least."""
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= 1e-4
    open_ = (wanted > 0.001) & (wanted < 0.999)
    assert open_.sum() >= 20

    def logit(p: Array) -> Array:
        x: Array = np.log(p / (1 - p))
        return x

    assert np.abs(logit(found[open_]) - logit(wanted[open_])).max() <= 1e-2
