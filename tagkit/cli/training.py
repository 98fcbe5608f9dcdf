"""The steps of ``tagkit train``, and what it says of them."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tagkit.cli.writing import say
from tagkit.errors import TagkitError, UsageError
from tagkit.recipe import Data, Recipe

if TYPE_CHECKING:
    from accelerate import Accelerator

    from tagkit.data.dataset import Dataset
    from tagkit.training.runs import Run


@dataclass(frozen=True)
class Job:
    """What ``tagkit train`` was asked for, whatever it learns from."""

    recipe: str
    settings: tuple[str, ...]
    data: Path | None
    kind: str
    out: Path | None
    run: Path | None
    cache: Path
    resume: bool
    device: str
    jobs: int

    @cached_property
    def plan(self) -> Recipe:
        """The resolved recipe."""
        from tagkit.data import recipe_for

        return recipe_for(self.recipe, self.settings, self.kind, self.data)

    @cached_property
    def folder(self) -> Path:
        return self.run or Path("runs") / self.plan.name

    @cached_property
    def bundle(self) -> Path:
        return self.out or self.folder / f"{self.plan.name}.safetensors"

    def begin(self, accelerator: Accelerator, data: Mapping[str, Any]) -> Run:
        """Open the run folder, in all processes before any of them writes into it."""
        from tagkit.training import devices
        from tagkit.training.runs import Run

        self._require_place()
        run = Run(self.folder, self.plan, data, resume=self.resume)
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            run.begin(devices.environment(accelerator))
        accelerator.wait_for_everyone()
        return run

    def _require_place(self) -> None:
        """Before days of training: can the bundle be written where it is to go?"""
        hint = "name the bundle with --out"
        if self.bundle.exists() and not self.bundle.is_file():
            raise UsageError("is no file", path=self.bundle, hint=hint)
        if self.out is None:
            return  # it goes into the run folder
        try:
            self.out.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"cannot be made: {error.strerror}", path=self.out.parent, hint=hint
            ) from error
        if not os.access(self.out.parent, os.W_OK | os.X_OK):
            raise UsageError("cannot be written into", path=self.out.parent, hint=hint)


def supervise(
    job: Job, also: Sequence[Path], library: Path | None, fields: Sequence[str]
) -> list[TagkitError]:
    """Train on labels; return what was wrong with the tracks that were left out."""
    from tagkit.training import devices
    from tagkit.training.preparing import prepared
    from tagkit.training.supervised import Supervised, identity

    dataset = _dataset(job.plan, job.data, also, library, fields)
    accelerator = devices.accelerator(job.device, job.plan.train.precision)
    main = accelerator.is_main_process
    training = Supervised(job.plan, dataset, accelerator)
    run = job.begin(accelerator, identity(dataset))
    cache = training.cache(job.cache)
    failed: list[TagkitError] = []
    if training.listens:
        heard, failed = prepared(
            dataset,
            cache,
            accelerator,
            jobs=max(1, job.jobs),
            show=_shown(len(dataset.tracks), main),
        )
        _lost(failed, len(dataset.tracks), main)
        if failed:
            training = Supervised(job.plan, heard, accelerator)
    if main:
        _introduce(training, run)
    trained = training.train(cache, run, resume=job.resume, jobs=job.jobs)
    if main:
        _finish(job, trained.card, trained.model, trained.front_end, trained.scores)
    accelerator.end_training()
    return failed


def _dataset(
    plan: Recipe,
    data: Path | None,
    also: Sequence[Path],
    library: Path | None,
    fields: Sequence[str],
) -> Dataset:
    from tagkit.data import join, open_dataset

    if library is not None:
        from tagkit.data import library_tags

        return library_tags.read(library, tuple(fields))
    assert data is not None
    dataset = open_dataset(data, plan.data)
    for folder in also:
        dataset = join(dataset, open_dataset(folder, Data()).split("train"))
    return dataset


def _shown(total: int, main: bool, what: str = "prepare") -> Any:
    """Return what shows how many of ``total`` are done."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    if not main or not console.is_terminal:
        return iter
    return lambda items: track(items, what, total=total, console=console)


def _lost(failed: Sequence[TagkitError], total: int, main: bool) -> None:
    if main and failed:
        for error in failed:
            say(f"left out: {error}")
        say(f"{len(failed):,} of {total:,} tracks cannot be heard and are left out")


def _introduce(training: Any, run: Run) -> None:
    """Say what is about to be trained, on what, and where it goes."""
    dataset, recipe = training.dataset, training.recipe
    for warning in dataset.warnings:
        say(f"note: {warning}")
    sizes = Counter(track.split for track in dataset.tracks)
    tracks = ", ".join(f"{split} {count:,}" for split, count in sizes.items())
    say(f"{dataset.name}: {tracks} tracks; {len(dataset.outputs)} tags")
    line = f"{recipe.name}: {recipe.architecture}, loss {recipe.loss['name']}"
    if training.network is not None:
        size = sum(parameter.numel() for parameter in training.network.parameters())
        devices = training.accelerator
        line += f", {size:,} parameters, on {devices.num_processes} × {devices.device.type}"
        line += f"; {recipe.train.epochs} epochs of {training.steps} steps of {recipe.train.batch} chunks"
    say(line)
    if training.taken:
        modules = dict.fromkeys(name.partition(".")[0] for name in training.taken)
        say(f"{len(training.taken)} tensors from {recipe.train.start_from}: {', '.join(modules)}")
    say(f"run folder: {run.folder}")


def _finish(job: Job, card: Any, model: Any, front_end: Any, scores: Any) -> None:
    """Write the bundle and say how good it is and what to do with it."""
    from tagkit.weights import bundle

    bundle.save(job.bundle, card, model, front_end)
    for split, found in scores.items():
        figures = ", ".join(f"{name} {value:.4f}" for name, value in found.items())
        say(f"{split}: {figures}")
    say(f"tagkit tag MUSIC --model {job.bundle}")
    typer.echo(json.dumps({"bundle": str(job.bundle), **scores}))


def learn_from_teachers(job: Job, manifest: Path, names: Sequence[str]) -> list[TagkitError]:
    """Train on what teachers say; return what was wrong with the files left out."""
    from tagkit.data import sources
    from tagkit.training import devices
    from tagkit.training.teaching import school
    from tagkit.training.teaching.distill import distill
    from tagkit.training.teaching.teachers import Teachers

    assert job.data is not None
    school.require(job.plan)
    given = sources.read(manifest, job.data)
    accelerator = devices.accelerator(job.device, job.plan.train.precision)
    main = accelerator.is_main_process
    device = accelerator.device.type
    teachers = Teachers(names, job.cache, device)
    run = job.begin(accelerator, sources.identity(given) | {"teachers": list(teachers.ids)})
    with accelerator.main_process_first():  # the others then find everything there
        made, failed = school.ready(
            job.plan,
            given,
            job.data,
            job.cache,
            teachers,
            jobs=max(1, job.jobs),
            device=device,
            show=lambda what, total, items: _shown(total, main, what)(items),
        )
    _lost(failed, len(given), main)
    student = distill(
        job.plan,
        made.voice,
        made.sources,
        made.lessons,
        made.judged,
        run,
        accelerator=accelerator,
        resume=job.resume,
        jobs=job.jobs,
    )
    if main:
        _finish(job, student.card, student.model, student.front_end, student.scores)
    accelerator.end_training()
    return failed
