"""Rebuild the shipped weights from the project's shared data: one command, and it resumes.

    python bench/weights/rebuild.py SHARED WORK

``SHARED`` holds ``teachers/``, ``music/``, ``midi/`` and ``datasets/``; ``WORK`` takes everything that is made
on the way (17 GB were seen). Stopped at any time, the same command goes on. On two CPU cores the lessons took
about 25 minutes and the two students, side by side, 50; what is collected and rendered comes before. The
bundles and the ensemble are written to ``weights/``.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import track

from tagkit import recipe
from tagkit.data import sources
from tagkit.inference.ensemble_file import Definition, write
from tagkit.training.teaching import school
from tagkit.training.teaching.teachers import Teachers

HERE = Path(__file__).parent
STUDENTS = {"student_ds_cnn": "tagkit-ds-cnn", "student_mel_tcn": "tagkit-mel-tcn"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("work", type=Path)
    arguments = parser.parse_args()
    shared, work = arguments.shared.resolve(), arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "shared").exists():
        (work / "shared").symlink_to(shared)
    convert(shared / "teachers", work)
    for step in ("collect", "render", "weigh"):
        script(step, shared, work)
    manifest = join(work)
    teachers = weighted(work)
    hear(work, manifest, teachers)
    train(work, manifest, teachers)
    for step in ("assemble", "judge"):
        script(step, shared, work)


def script(name: str, shared: Path, work: Path) -> None:
    subprocess.run([sys.executable, HERE / f"{name}.py", shared, work], check=True)


def convert(checkpoints: Path, work: Path) -> None:
    """Write the published teachers as bundles into ``work``."""
    for checkpoint in sorted(checkpoints.glob("*.pth")):
        bundle = work / f"{checkpoint.stem}.safetensors"
        corpus, architecture = checkpoint.stem.split("-", 1)
        vocabulary = f"{corpus}-top50"
        if corpus == "mtg":
            architecture, vocabulary = "mtg_vgg", "jamendo-moodtheme56"
        if not bundle.exists():
            command = ["weights", "import", checkpoint, "--as", architecture, "--out", bundle]
            command += ["--vocabulary", vocabulary, "--name", checkpoint.stem]
            subprocess.run([sys.executable, "-m", "tagkit", *command], check=True)


def join(work: Path) -> Path:
    """Write the manifest of all that is taught with: what was collected, and what was rendered."""
    manifest = work / "manifest.csv"
    rows = []
    for part in ("real.csv", "stems.csv"):
        with (work / part).open(encoding="utf-8", newline="") as lines:
            rows += list(csv.DictReader(lines))
    with manifest.open("w", encoding="utf-8", newline="") as out:
        table = csv.DictWriter(out, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return manifest


def weighted(work: Path) -> Path:
    """Write the teachers with their weights by tag as an ensemble file."""
    says = json.loads((work / "teachers.json").read_text(encoding="utf-8"))
    weights = {
        tag: tuple(given) for (tag, _), given in zip(says["tags"], says["weights"], strict=True)
    }
    path = work / "teachers.toml"
    members = tuple(says["members"])
    write(path, Definition(members, "weighted-teachers", "logit-mean", tag_weights=weights))
    return path


def hear(work: Path, manifest: Path, teachers: Path) -> None:
    """Make the lessons, which both students share."""
    console = Console(stderr=True)
    _, failed = school.ready(
        recipe.load(next(iter(STUDENTS))),
        sources.read(manifest, work),
        work,
        work / "cache",
        Teachers([str(teachers)], work / "cache", "cpu"),
        jobs=os.cpu_count() or 1,
        device="cpu",
        show=lambda what, total, items: track(items, what, total=total, console=console),
    )
    for error in failed:
        console.print(f"left out: {error}", markup=False)


def train(work: Path, manifest: Path, teachers: Path) -> None:
    """Train the students side by side, each on its share of the cores."""
    threads = str(max(1, (os.cpu_count() or 1) // len(STUDENTS)))
    # Without these the C library returns and faults in again what each layer allocates.
    memory = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 32)}
    running = []
    for student, name in STUDENTS.items():
        command = ["train", student, "--resume", "--data", work, "--manifest", manifest]
        command += ["--teacher", teachers, "--cache", work / "cache", "--jobs", "0"]
        command += ["--run", work / "runs" / name, "--out", work / "raw" / f"{name}.safetensors"]
        environment = os.environ | memory | {"OMP_NUM_THREADS": threads}
        running.append(
            subprocess.Popen([sys.executable, "-m", "tagkit", *command], env=environment)
        )
    if failed := [process.args for process in running if process.wait() not in (0, 1)]:
        sys.exit(f"failed: {failed}")


if __name__ == "__main__":
    main()
