"""Every system of the five papers, trained on the composed corpus with several seeds; prints docs/results.md's table.

    python bench/train_all.py WORK [--quick] [--pieces 400] [--updates 2] [--seeds 3] [--jobs 2]

The networks are the narrow ones of ``tests/test_every_system.py``, with ``--updates`` times its updates, on
``--pieces`` pieces of ``tests/corpus.py``. ``WORK`` keeps the corpus, what is prepared of it and
``rows.jsonl``, a line a finished training: a bench that was stopped goes on where it was. ``--quick`` is
the tests' own size with one seed.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tagkit import recipe
from tagkit.weights import bundle
from tests import corpus
from tests.test_every_system import SYSTEMS, System, popularity

FOCAL = SYSTEMS["focal_rescnn_focal"]
BASELINE = SYSTEMS["baseline_nadam"]
SHORT_CHUNK = SYSTEMS["short_chunk_cnn"]
WEIGHTED = (
    "class_weighted_bce",
    "batch_weighted_bce",
    "global_weighted_bce",
    "combined_weighted_bce",
)
#: Not descended to: they have no loss and no epochs, and what they learned is in buffers.
FITTED = ("popularity", "svm_logmel", "svm_mfcc", "svm_mfcc_pca")


class Row(NamedTuple):
    """``says``: what of the recipe is another than its own, for the table."""

    recipe: str
    system: System
    says: str = ""


def rows() -> list[Row]:
    """Each architecture; then the papers' comparisons: losses, sampling, mixup, steps, variants."""
    found = [Row(name, system) for name, system in SYSTEMS.items()]
    for loss in ("bce", "class_balanced", "distribution_balanced"):
        found.append(Row(f"focal_rescnn_{loss}", FOCAL))
    for loss in ("bce", "focal", "class_balanced", "distribution_balanced"):
        aware = (*FOCAL.sets, "train.sampler=class-aware")
        found.append(Row(f"focal_rescnn_{loss}", FOCAL._replace(sets=aware), "class-aware"))
    for loss in ("bce", "focal"):
        mixed = (*FOCAL.sets, "augment.mixup=1.0")
        found.append(Row(f"focal_rescnn_{loss}", FOCAL._replace(sets=mixed), "mixup"))
    for loss in WEIGHTED:
        weighted = (*SHORT_CHUNK.sets, f"loss.name={loss}")
        found.append(Row("short_chunk_cnn", SHORT_CHUNK._replace(sets=weighted)))
    for step in ("sgd", "adam", "focal", "elu", "gelu"):
        found.append(Row(f"baseline_{step}", BASELINE))
    found.append(Row("six_block_augmented", SYSTEMS["six_block"]))
    found.append(Row("query2label_no_encoder", SYSTEMS["query2label"]))
    for name in ("svm_mfcc", "svm_mfcc_pca"):
        found.append(Row(name, SYSTEMS["svm_logmel"]))
    return found


@dataclass(frozen=True)
class Bench:
    work: Path
    pieces: list[corpus.Piece]
    updates: float

    @property
    def log(self) -> Path:
        return self.work / "rows.jsonl"

    def lay_out(self) -> None:
        done = self.work / "laid-out"
        if not done.exists():
            audio = corpus.encode(self.pieces, jobs=os.cpu_count() or 1)
            corpus.write_mtat(self.work / "mtat", self.pieces, audio)
            corpus.write_jamendo(self.work / "jamendo", self.pieces, audio)
            done.touch()

    def key(self, row: Row, seed: int) -> str:
        return json.dumps([row.recipe, *row.system, len(self.pieces), self.updates, seed])

    def finished(self) -> dict[str, dict[str, Any]]:
        if not self.log.exists():
            return {}
        lines = map(json.loads, self.log.read_text(encoding="utf-8").splitlines())
        return {line["key"]: line for line in lines}

    def sets(self, row: Row) -> list[str]:
        """What makes the row's system as small as this bench has it."""
        steps = recipe.load(row.recipe, row.system.sets).train.steps_per_epoch
        return [*row.system.sets, f"train.steps_per_epoch={round(steps * self.updates)}"]

    def train(self, row: Row, seed: int) -> dict[str, Any]:
        """Run the command; return the line for the log."""
        sets = [*self.sets(row), f"train.seed={seed}"]
        with tempfile.TemporaryDirectory(dir=self.work) as folder:
            out, run = Path(folder) / "made.safetensors", Path(folder) / "run"
            command = [sys.executable, "-m", "tagkit", "train", row.recipe]
            command += ["--data", str(self.work / row.system.layout), "--jobs", "0"]
            command += ["--cache", str(self.work / "cache"), "--run", str(run), "--out", str(out)]
            command += [part for one in sets for part in ("--set", one)]
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"{row.recipe}, seed {seed}:\n{done.stderr}")
            model = bundle.load(out).model
            line = {"key": self.key(row, seed), **json.loads(done.stdout)["test"]}
            if row.recipe in FITTED:
                return {**line, "parameters": sum(b.numel() for b in model.buffers())}
            epochs = map(json.loads, (run / "log.jsonl").read_text().splitlines())
            line["seconds"] = float(np.mean([epoch["seconds"] for epoch in epochs]))
        return {**line, "parameters": sum(p.numel() for p in model.parameters())}


def table(bench: Bench, seeds: int) -> Iterator[str]:
    """The rows that have all their seeds, as Markdown."""
    finished = bench.finished()
    yield (
        "| recipe | changed | loss | parameters | ROC-AUC | PR-AUC | × popularity "
        "| chunks an epoch | s an epoch |"
    )
    yield "|---" * 9 + "|"
    for row in rows():
        found = [finished.get(bench.key(row, seed)) for seed in range(seeds)]
        if None in found:
            continue
        every = {key: [one[key] for one in found if one] for key in ("roc_auc", "pr_auc")}
        times = np.mean(every["pr_auc"]) / popularity(row.system, bench.pieces)
        learned, loss, chunks, seconds = found[0] or {}, "", "", ""
        if row.recipe not in FITTED:
            made = recipe.load(row.recipe, bench.sets(row))
            loss, chunks = made.loss["name"], str(made.train.batch * made.train.steps_per_epoch)
            seconds = f"{np.mean([one['seconds'] for one in found if one]):.1f}"
        yield (
            f"| {row.recipe} | {row.says} | {loss} | {learned['parameters']:,} "
            f"| {_spread(every['roc_auc'])} | {_spread(every['pr_auc'])} | {times:.1f} "
            f"| {chunks} | {seconds} |"
        )


def _spread(values: Iterable[float]) -> str:
    given = np.array(list(values))
    if len(given) == 1:  # one seed says nothing of how far others fall
        return f"{given.mean():.3f}"
    return f"{given.mean():.3f} ± {given.std():.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--pieces", type=int, default=400)
    parser.add_argument("--updates", type=float, default=2.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.pieces, arguments.updates, arguments.seeds = 200, 1.0, 1
    bench = Bench(arguments.work, corpus.compose(arguments.pieces), arguments.updates)
    arguments.work.mkdir(parents=True, exist_ok=True)
    bench.lay_out()
    finished = bench.finished()
    # Seed by seed: a bench that is stopped early has whole tables of fewer seeds.
    left = [(row, seed) for seed in range(arguments.seeds) for row in rows()]
    left = [(row, seed) for row, seed in left if bench.key(row, seed) not in finished]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        trained = pool.map(lambda one: bench.train(*one), left)
        for number, ((row, seed), line) in enumerate(zip(left, trained, strict=True), 1):
            with bench.log.open("a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")
            print(f"{number}/{len(left)} {row.recipe} {row.says} seed {seed}", file=sys.stderr)
    print(
        f"{datetime.date.today()}; pieces: {arguments.pieces}; updates: {arguments.updates:g} × the tests'; "
        f"seeds: {arguments.seeds}; CPU cores: {os.cpu_count()}, one thread a training\n"
    )
    print("\n".join(table(bench, arguments.seeds)))


if __name__ == "__main__":
    main()
