"""Make bundles of the published Musicnn and ResCNN, in size and arithmetic; their values are drawn.

    python bench/throughput/bundles.py WORK [SHARED]

What they cost does not depend on the values, as long as the activations are of a natural size: no
subnormal numbers. From SHARED comes the real Musicnn.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch
from bundles_made import ARCHITECTURES, paths
from torch import nn

from tagkit import features, models
from tagkit.vocab import VOCABULARIES, canonical
from tagkit.weights import bundle
from tagkit.weights.card import Card

VOCABULARY = "jamendo-top50"


def main() -> None:
    work, shared = Path(sys.argv[1]), [Path(folder) for folder in sys.argv[2:]]
    for name, path in paths(work).items():
        checkpoint = [folder / "teachers" / f"jamendo-{name}.pth" for folder in shared]
        path.parent.mkdir(parents=True, exist_ok=True)
        if checkpoint and checkpoint[0].exists():
            convert(checkpoint[0], name, path)
        elif not path.exists():
            draw(name, ARCHITECTURES[name], path)


def convert(checkpoint: Path, name: str, path: Path) -> None:
    command = ["weights", "import", str(checkpoint), "--as", ARCHITECTURES[name], "--force"]
    command += ["--out", str(path), "--vocabulary", VOCABULARY, "--name", f"published-{name}"]
    subprocess.run([sys.executable, "-m", "tagkit", *command], check=True)


def draw(name: str, architecture: str, path: Path) -> None:
    """Write a bundle with torch's initial weights, seeded; it hears decibels as if they were learnt."""
    torch.manual_seed(20261121)
    outputs = VOCABULARIES[VOCABULARY]
    model = models.build(architecture, len(outputs)).eval()
    first = next(module for module in model.modules() if isinstance(module, nn.BatchNorm2d))
    front_end = models.entry(architecture).front_end
    assert first.running_mean is not None and first.running_var is not None and front_end
    first.running_mean.fill_(-20.0)
    first.running_var.fill_(400.0)
    card = Card(
        name=f"drawn-{name}",
        architecture=architecture,
        arguments={},
        front_end=front_end,
        tags=tuple(canonical(output) for output in outputs),
        outputs=outputs,
        notes="drawn at random: to measure speed with",
    )
    bundle.save(path, card, model, features.build(front_end))


if __name__ == "__main__":
    main()
