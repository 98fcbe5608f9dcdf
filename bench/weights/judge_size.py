"""How large the students are: parameters, operations a chunk, bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from tagkit.inference import ensemble
from tagkit.weights import bundle


def measure(bundles: Sequence[Path]) -> dict[str, Any]:
    """Return by student its architecture, parameters, MFLOP (2 × multiply-adds) and seconds of a chunk, and MB
    of its file; and the tags of all together by category."""
    models = ensemble.load([str(path) for path in bundles])
    sizes = {}
    for member in models.members:
        model = bundle.load(member.path).model
        hears = member.card.front_end
        assert hears is not None
        with FlopCounterMode(display=False) as counter:
            model(torch.zeros(1, hears.n_mels, hears.frames))
        sizes[member.card.name] = {
            "architecture": member.card.architecture,
            "parameters": sum(weights.numel() for weights in model.parameters()),
            "mflop": counter.get_total_flops() / 1e6,
            "seconds": hears.chunk_samples / hears.sample_rate,
            "mb": member.path.stat().st_size / 1e6,
            "fingerprint": member.fingerprint,
        }
    return {"students": sizes, "tags": Counter(tag.category for tag in models.tags)}


def lines(found: dict[str, Any]) -> Iterator[str]:
    for name, size in found["students"].items():
        cost = f"{size['mflop']:.0f} MFLOP a chunk of {size['seconds']:.1f} s"
        yield f"{name}: {size['parameters']:,} parameters, {cost}, {size['mb']:.1f} MB"
    total = sum(found["tags"].values())
    told = (f"{count} {category}" for category, count in found["tags"].items())
    yield f"{total} tags: {', '.join(told)}"
