"""How well the shipped ensemble agrees with its teachers on music that it never heard.

    python bench/agreement.py SHARED WORK

``WORK`` is the folder of ``rebuild_weights.py``: its cache holds what the teachers said of the test tracks;
the shipped ensemble listens to the files here and now, as ``tagkit tag`` does. Prints the mean over tags of
the rank correlation with the mean of the teachers, for all test tracks and by source, and each tag's.
"""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path

import numpy as np
import torch
from rebuild_weights import convert, hear
from torch.utils.flop_counter import FlopCounterMode

from tagkit import models
from tagkit.data.cache import Cache
from tagkit.data.dataset import SPLITS
from tagkit.data.manifest import read_manifest
from tagkit.inference import ensemble
from tagkit.metrics import rank_correlation
from tagkit.training.teachers import Teachers
from tagkit.weights import bundle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("work", type=Path)
    arguments = parser.parse_args()
    music = arguments.shared / "music"
    items = read_manifest(arguments.work / "manifest.csv", music)
    paths = [item.path for item in items if item.split == "test"]
    bundles = convert(arguments.shared / "teachers", arguments.work)
    teachers = Teachers([str(path) for path in bundles], arguments.work / "cache")
    front_end = models.entry("ds_cnn").front_end
    assert front_end is not None
    cache = Cache(arguments.work / "cache", front_end)
    wanted = teachers.targets([teachers.listen(music / path) for path in paths])
    students = ensemble.load(())
    assert students.tags == teachers.ensemble.tags
    found = hear(students, [music / path for path in paths])
    emotify = np.array([path.startswith("emotify/") for path in paths])
    print(
        f"{datetime.date.today()}: rank correlation with the mean of {len(teachers.ids)} teachers,"
    )
    print(f"mean over {len(students.tags)} tags (median; tags of at least .5)")
    every = np.ones_like(emotify)
    for name, rows in (("all", every), ("Emotify", emotify), ("other sources", ~emotify)):
        rho = rank_correlation(found[rows], wanted[rows])
        good = int((rho >= 0.5).sum())
        print(f"  {name}, {rows.sum()} tracks: {rho.mean():.3f} ({np.median(rho):.3f}; {good})")
    describe(students)
    for split in SPLITS:
        frames = [cache.get(music / item.path).shape[1] for item in items if item.split == split]
        hours = sum(frames) * front_end.hop / front_end.sample_rate / 3600
        print(f"  {split}: {len(frames)} tracks, {hours:.1f} h")
    rho = rank_correlation(found, wanted)
    for position in np.argsort(rho):
        tag = students.tags[position]
        print(f"{rho[position]:6.3f}  {tag.category:10}  {tag.name}")


def describe(students: ensemble.Ensemble) -> None:
    """Print each network's size and the operations (2 × multiply-adds) of a chunk."""
    for member in students.members:
        model = bundle.load(member.path).model
        hears = member.card.front_end
        assert hears is not None
        with FlopCounterMode(display=False) as counter:
            model(torch.zeros(1, hears.n_mels, hears.frames))
        mega = counter.get_total_flops() / 1e6
        size = member.path.stat().st_size / 1e6
        print(f"  {member.card.name}: {mega:.0f} MFLOP a chunk, {size:.1f} MB")


if __name__ == "__main__":
    main()
