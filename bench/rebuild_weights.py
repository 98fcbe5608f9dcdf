"""Rebuild the shipped weights from the project's shared data: one command, and it resumes.

    python bench/rebuild_weights.py SHARED WORK

``SHARED`` holds ``teachers/``, ``music/`` and ``datasets/``; ``WORK`` takes the converted teachers, the
feature cache, checkpoints and the manifest. Stopped at any time, the same command goes on. About an
hour of two CPU cores; the bundles are written to ``weights/``.

Split: Emotify's own train and test artists; of the other sources, three that share no artist with the
rest, and the whole of ``zento/``, are test; one training track in twelve chooses the best weights.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from tagkit import recipe
from tagkit.data.manifest import read_manifest
from tagkit.inference import ensemble
from tagkit.inference.pipeline import Analyser, Task
from tagkit.thresholds import expected_shares, for_shares
from tagkit.training.teachers import WINDOWS, Teachers
from tagkit.weights import bundle

WEIGHTS = Path(__file__).parents[1] / "weights"
STUDENTS = {"student_ds_cnn": "tagkit-ds-cnn", "student_mel_tcn": "tagkit-mel-tcn"}
HELD_OUT = ("zento/", "open/tuxemon", "open/map-tiles", "open/lincity")
#: Single notes strung together are no music that a teacher could judge.
LEFT_OUT = ("philharmonia/",)
DEFAULT = """\
# What "tagkit tag" listens with unless told otherwise. Written by bench/rebuild_weights.py, which also
# fits the thresholds: as many tags a track as the students' recipes say, on their training music.
name = "tagkit-default"
members = ["tagkit-ds-cnn", "tagkit-mel-tcn"]
combine = "mean"
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("work", type=Path)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    teachers = convert(arguments.shared / "teachers", arguments.work)
    manifest = write_manifest(arguments.shared / "datasets", arguments.work / "manifest.csv")
    for student, name in STUDENTS.items():
        tagkit(
            *("train", student, "--resume"),
            *("--data", str(arguments.shared / "music"), "--manifest", str(manifest)),
            *("--cache", str(arguments.work / "cache")),
            *("--run", str(arguments.work / "runs" / name)),
            *("--out", str(WEIGHTS / f"{name}.safetensors")),
            *(option for path in teachers for option in ("--teacher", str(path))),
        )
    fit_default(arguments.shared, arguments.work, teachers)


def fit_default(shared: Path, work: Path, teachers: list[Path]) -> None:
    """Write the ensemble's own thresholds: two models together are surer than either alone."""
    (WEIGHTS / "default.toml").write_text(DEFAULT, encoding="utf-8")
    music = shared / "music"
    paths = [i.path for i in read_manifest(work / "manifest.csv", music) if i.split != "test"]
    teaching = Teachers([str(path) for path in teachers], work / "cache")
    plan = recipe.load(next(iter(STUDENTS)))
    means = teaching.targets([teaching.listen(music / path) for path in paths]).mean(0)
    students = ensemble.load(())
    found = hear(students, [music / path for path in paths])
    shares = expected_shares(means, students.tags, plan.tags_per_track)
    pairs = zip(students.tags, for_shares(found, shares), strict=True)
    lines = [f'"{tag.name}" = {cut:.4f}' for tag, cut in pairs]
    text = DEFAULT + "\n[thresholds]\n" + "\n".join(lines) + "\n"
    (WEIGHTS / "default.toml").write_text(text, encoding="utf-8")


def hear(students: ensemble.Ensemble, paths: list[Path]) -> np.ndarray:
    """Return the ensemble's probabilities (tracks, tags), as ``tagkit tag`` would have them."""
    ids = students.model_ids(WINDOWS)
    analyser = Analyser([bundle.load(member.path) for member in students.members])
    heard = analyser.analyse(Task(path, ids) for path in paths)
    shown = track(heard, "listen", total=len(paths), console=Console(stderr=True))
    rows = [analysis.results for analysis in shown]
    outputs = [np.stack([row[name].probabilities for row in rows]) for name in ids]
    return ensemble.combine(students, outputs)


def tagkit(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "tagkit", *arguments], check=True)


def convert(teachers: Path, work: Path) -> list[Path]:
    """Return the teachers as bundles, converted where that is not done yet."""
    bundles = []
    for checkpoint in sorted(teachers.glob("*.pth")):
        bundle = work / f"{checkpoint.stem}.safetensors"
        corpus, architecture = checkpoint.stem.split("-", 1)
        vocabulary = f"{corpus}-top50"
        if corpus == "mtg":
            architecture, vocabulary = "mtg_vgg", "jamendo-moodtheme56"
        if not bundle.exists():
            tagkit(
                *("weights", "import", str(checkpoint), "--as", architecture),
                *("--vocabulary", vocabulary, "--name", checkpoint.stem, "--out", str(bundle)),
            )
        bundles.append(bundle)
    return bundles


def write_manifest(datasets: Path, manifest: Path) -> Path:
    """Write path and split of every file in ``music.csv``."""
    with (datasets / "emotify.csv").open(encoding="utf-8", newline="") as lines:
        emotify = {row["file"]: row["split"] for row in csv.DictReader(lines)}
    with (datasets / "music.csv").open(encoding="utf-8", newline="") as lines:
        files = [row["file"] for row in csv.DictReader(lines)]
    with manifest.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("path", "split"))
        writer.writerows((f, split(f, emotify)) for f in files if not f.startswith(LEFT_OUT))
    return manifest


def split(file: str, emotify: dict[str, str]) -> str:
    if emotify.get(file) == "test" or file.startswith(HELD_OUT):
        return "test"
    number = int(hashlib.sha256(file.encode()).hexdigest(), 16)
    return "validation" if number % 12 == 0 else "train"


if __name__ == "__main__":
    main()
