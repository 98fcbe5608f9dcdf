"""Training on labels: a recipe and a dataset in, a network with its card out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import nn

from tagkit import features, losses, models
from tagkit.data import samplers
from tagkit.data.cache import Cache
from tagkit.data.dataset import SPLITS, Dataset
from tagkit.data.kept import Pieces
from tagkit.errors import DataError, RecipeError
from tagkit.recipe import Recipe
from tagkit.training import fitted
from tagkit.training.batches import Batches, Features
from tagkit.training.engine import slices
from tagkit.training.hearing import shared_predict
from tagkit.training.inputs import Inputs, front_end_of, require_chunks
from tagkit.training.judging import figures, known, thresholds
from tagkit.training.loop import Plan, fit
from tagkit.training.runs import Run
from tagkit.training.transfer import start_from
from tagkit.weights.card import Card

__all__ = ["Supervised", "Trained", "front_end_of", "identity"]

Scores = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Trained:
    """What a bundle is made of; ``scores``: the figures of each split that was judged."""

    card: Card
    model: models.TagModel
    front_end: features.FrontEndModule
    scores: Scores


class Supervised:
    """One run, taken apart: :meth:`cache` says what has to be prepared, :meth:`train` does the rest.

    Everything that can be wrong with the recipe, the dataset or both is found here, before any music
    is listened to: RecipeError, DataError, WeightsError.
    """

    def __init__(self, recipe: Recipe, dataset: Dataset, accelerator: Accelerator) -> None:
        self.recipe, self.dataset, self.accelerator = recipe, dataset, accelerator
        self.front_end = front_end_of(recipe)
        self.inputs = Inputs(self.front_end, recipe.augment, accelerator.device)
        self.trained = models.entry(recipe.architecture).trained
        if dataset.kind == "mel" and self.inputs.samples and self.listens:
            raise RecipeError(
                f"{recipe.name} needs audio, and {dataset.name} is mel-spectrograms",
                hint="take its audio, or a recipe without changes to audio",
            )
        self.learned, self.chosen_by = dataset.split("train"), dataset.split("validation")
        for name, split in (("train", self.learned), ("validation", self.chosen_by)):
            if not split.tracks:
                raise DataError(f"the {name} split of {dataset.name} is empty", path=dataset.root)
        self._require_a_figure()
        self.loss = self._loss()
        self.order = samplers.build(recipe.train.sampler, self.learned.labels, recipe.train.seed)
        self.part = recipe.train.batch // slices(recipe.train, accelerator)
        self.card = self._card()
        self.taken: list[str] = []  # names of tensors that another network has learned
        self.network = self._network() if self.trained == "descent" else None

    def _require_a_figure(self) -> None:
        """Before an epoch is spent on it: can the validation tracks tell one network from another?"""
        labels, choose = self.chosen_by.labels, self.recipe.train.choose
        equal = np.full(labels.shape, 0.5, np.float32)
        if choose not in known(figures(labels, equal, lambda *_: 0.0)):
            raise DataError(
                f"no tag of the validation tracks of {self.dataset.name} has a {choose}",
                path=self.dataset.root,
                hint="take tracks with and without a tag, or set train.choose to loss",
            )

    def _loss(self) -> losses.Loss:
        counts = torch.from_numpy(self.learned.counts).float().to(self.accelerator.device)
        return losses.build(self.recipe.loss, counts, len(self.learned.tracks))

    def _card(self) -> Card:
        recipe, dataset = self.recipe, self.dataset
        return Card(
            name=recipe.name,
            architecture=recipe.architecture,
            arguments=dict(recipe.arguments),
            front_end=self.front_end,
            tags=dataset.tags,
            outputs=dataset.outputs,
            licence=recipe.licence or None,
            title=recipe.title,
            training_data=recipe.training_data or dataset.name,
            notes=recipe.notes,
        )

    def _network(self) -> models.TagModel:
        train = self.recipe.train
        models.check(self.recipe.architecture, self.front_end, **self.recipe.arguments)
        require_chunks(self.recipe, self.front_end, self.part)
        torch.manual_seed(train.seed)
        network = self._fresh()
        if train.start_from:
            self.taken = start_from(network, train.start_from, train.start_layers)
        if train.output_prior:
            models.set_prior(network, train.output_prior)
        return network

    def _fresh(self) -> models.TagModel:
        outputs = len(self.dataset.outputs)
        return models.build(self.recipe.architecture, outputs, **self.recipe.arguments)

    @property
    def steps(self) -> int:
        """Updates an epoch."""
        train = self.recipe.train
        return train.steps_per_epoch or -(-len(self.learned.tracks) // train.batch)

    def cache(self, folder: Path) -> Cache:
        """The cache below ``folder`` that this run reads."""
        return Cache(folder, self.front_end, samples=self.inputs.samples)

    @property
    def listens(self) -> bool:
        """Whether it makes any difference what the tracks sound like."""
        return self.trained != "popularity"

    def train(self, cache: Cache, run: Run, *, resume: bool = False, jobs: int = 0) -> Trained:
        """Train on what is in ``cache``, choose on the validation tracks, measure there and on the test
        tracks, and set each tag's threshold where its F1 is best on the validation tracks."""
        if self.network is None:
            model, arguments = self._fitted(cache, jobs)
        else:
            model = self._descended(cache, run, resume, jobs)
            arguments = dict(self.card.arguments)
        model.eval().to(self.accelerator.device)
        judged = {
            split: self._judge(cache, split, self.recipe.train.windows)(model)
            for split in ("validation", "test")
            if self.dataset.split(split).tracks
        }
        scores = {split: known(figures(*found, self._loss_of)) for split, found in judged.items()}
        card = replace(
            self.card,
            arguments=arguments,
            thresholds=thresholds(*judged["validation"]),
            scores=self._said(scores),
        )
        return Trained(card, model.cpu(), features.build(self.front_end), scores)

    def _descended(self, cache: Cache, run: Run, resume: bool, jobs: int) -> models.TagModel:
        assert self.network is not None
        judge = self._judge(cache, "validation", self.recipe.train.validation_windows)
        fit(
            self.network,
            self.plan(cache, lambda network: figures(*judge(network), self._loss_of)),
            self.recipe.train,
            run,
            accelerator=self.accelerator,
            resume=resume,
            jobs=jobs,
        )
        # A fresh one: the trained one may be wrapped for several devices or half precision.
        best = self._fresh()
        best.load_state_dict(self.network.state_dict())
        return best

    def _fitted(self, cache: Cache, jobs: int) -> fitted.Fitted:
        """Fit to the mean dB (mels,) of a chunk from the middle of every training track."""
        learned = self.learned
        means = [
            self.inputs.plain(torch.from_numpy(middle(heard, self.inputs.length))[None])
            .mean(-1)
            .flatten()
            for heard in self._features(cache, learned)
        ]
        recipe = self.recipe
        return fitted.fit(
            recipe.architecture,
            recipe.arguments,
            torch.stack(means).cpu().numpy(),
            learned.labels,
            seed=recipe.train.seed,
            jobs=max(1, jobs),
        )

    def _features(self, cache: Cache, given: Dataset) -> Sequence[Pieces]:
        if not self.listens:
            return [np.zeros(self.inputs.length, np.int16)] * len(given.tracks)
        return Features(cache, [given.root / track.path for track in given.tracks])

    def plan(self, cache: Cache, validate: Callable[[nn.Module], Mapping[str, float]]) -> Plan:
        """What :func:`~tagkit.training.loop.fit` is given; ``validate`` judges after an epoch."""
        train, learned = self.recipe.train, self.learned
        return Plan(
            batches=Batches(
                self._features(cache, learned),
                learned.labels.astype(np.float32),
                length=self.inputs.length,
                order=self.order,
                batch=train.batch,
                seed=train.seed,
            ),
            steps=self.steps,
            prepare=self.inputs.changed,
            loss=self.loss,
            validate=validate,
            choose=train.choose,
            names=lambda row: learned.tracks[row].path,
        )

    def _judge(
        self, cache: Cache, split: str, windows: int
    ) -> Callable[[nn.Module], tuple[NDArray[np.bool_], NDArray[np.float32]]]:
        given = self.dataset.split(split)
        heard = self._features(cache, given)

        def judge(network: nn.Module) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
            return given.labels, shared_predict(
                lambda stored: network(self.inputs.plain(stored)),
                heard,
                self.accelerator,
                length=self.inputs.length,
                windows=windows,
                batch=self.part,
            )

        return judge

    def _loss_of(self, labels: NDArray[np.bool_], scores: NDArray[np.float32]) -> float:
        logits = torch.logit(torch.from_numpy(scores), eps=1e-6).to(self.accelerator.device)
        return float(self.loss(logits, torch.from_numpy(labels).float().to(logits)))

    def _said(self, scores: Scores) -> dict[str, dict[str, float]]:
        names = {"pr_auc": "macro PR-AUC", "roc_auc": "macro ROC-AUC"}
        said = {
            split: {names[key]: round(value, 4) for key, value in found.items() if key in names}
            for split, found in scores.items()
        }
        return {**said, "tracks": {s: len(self.dataset.split(s).tracks) for s in SPLITS}}


def identity(dataset: Dataset) -> dict[str, Any]:
    """Return what tells a dataset from another: its name, its size, a digest of tracks and labels."""
    rows = [(t.id, t.path, t.split, sorted(t.tags)) for t in dataset.tracks]
    record = json.dumps([dataset.outputs, rows]).encode()
    digest = hashlib.sha256(record).hexdigest()
    return {"name": dataset.name, "tracks": len(dataset.tracks), "sha256": digest}


def middle(heard: Pieces, length: int) -> NDArray[Any]:
    """Return the ``length`` samples or frames around the middle."""
    start = (heard.shape[-1] - length) // 2
    return np.ascontiguousarray(heard[..., start : start + length])
