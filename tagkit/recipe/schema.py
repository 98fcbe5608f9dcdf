"""What a recipe can say: every key with its default, its range and what it means.

A field's type is its check: ``Literal`` lists what may stand there, ``within`` the range of a number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tagkit.augment import Settings as Augment
from tagkit.errors import RecipeError
from tagkit.strangers import NAME, NAME_RULE


def within(default: float, low: float, high: float = math.inf) -> Any:
    """A number from ``low`` to ``high``, both included."""
    return field(default=default, metadata={"within": (low, high)})


@dataclass(frozen=True)
class Data:
    """Which dataset the recipe is for, and which reading of it; "" takes what the folder shows.

    ``tags``: of MagnaTagATune "top50" or "merged50" (synonyms merged, paper 2); of MTG-Jamendo the
    subset, "moodtheme" "instrument" "genre" "top50tags" "all". ``split``: of MagnaTagATune "folders"
    "won" "shuffled"; of MTG-Jamendo "split-0" … "split-4". ``mels``: MTG-Jamendo's official
    mel-spectrograms in place of the audio.
    """

    dataset: Literal["", "mtat", "mtg-jamendo", "music4all", "msd", "manifest"] = ""
    tags: str = ""
    split: str = ""
    mels: bool = False


Optimizer = Literal["sgd", "adam", "nadam", "adamw"]
Schedule = Literal["constant", "cosine", "onecycle"]
#: What a phase may replace.
PHASE = (
    "epochs",
    "optimizer",
    "learning_rate",
    "weight_decay",
    "momentum",
    "nesterov",
    "schedule",
    "warmup",
    "pct_start",
)


@dataclass(frozen=True)
class Train:
    """How long, how fast, and by which figure the weights are chosen.

    ``batch``: chunks an update, over all processes, computed in ``accumulate`` parts one after the
    other. ``steps_per_epoch``: updates an epoch; 0 is one chunk of every training track.
    ``learning_rate`` is the highest; ``schedule`` "cosine" rises to it over ``warmup`` updates and
    falls along a cosine, "onecycle" rises over ``pct_start`` of all updates (Smith & Topin).
    ``momentum``, ``nesterov`` are SGD's.

    ``phases``: tables that replace optimizer and schedule one after the other, each from the best
    weights so far; their ``epochs`` share out the run's ``epochs`` in proportion.

    ``choose``: the validation figure whose best epoch is kept. ``patience``: epochs without a better
    one after which training stops; 0 never. ``sampler``: the order of tracks. ``clip``: the largest
    norm of the gradient; 0 any. ``precision``: of the network's arithmetic.

    ``start_from``: a bundle, by name or path, whose tensors below the modules ``start_layers`` (none
    named: all but the last layer) replace the fresh ones. ``output_prior``: the probability that
    the fresh last layer gives to every tag, by its bias; 0 leaves the bias as the architecture has it.

    ``validation_windows``: windows of a track in the validation of an epoch; ``windows``: in the last
    measurement, from which thresholds and the card's scores come.
    """

    seed: int = within(0, 0, 2**32 - 1)
    batch: int = within(16, 1, 2**20)
    epochs: int = within(50, 1)
    steps_per_epoch: int = within(0, 0)
    optimizer: Optimizer = "adam"
    learning_rate: float = within(1e-3, 0, 100)
    weight_decay: float = within(0.0, 0, 100)
    momentum: float = within(0.9, 0, 0.9999)
    nesterov: bool = False
    schedule: Schedule = "constant"
    warmup: int = within(0, 0)
    pct_start: float = within(0.3, 0.001, 0.999)
    phases: tuple[Mapping[str, Any], ...] = ()
    patience: int = within(0, 0)
    choose: Literal["pr_auc", "roc_auc", "loss"] = "pr_auc"
    sampler: str = "standard"
    accumulate: int = within(1, 1)
    precision: Literal["no", "bf16", "fp16"] = "no"
    clip: float = within(0.0, 0)
    start_from: str = ""
    start_layers: tuple[str, ...] = ()
    output_prior: float = within(0.0, 0, 0.999)
    validation_windows: int = within(8, 1, 1000)
    windows: int = within(16, 1, 1000)

    def __post_init__(self) -> None:
        if self.optimizer == "sgd" and self.nesterov and not self.momentum:
            raise RecipeError("train.nesterov needs a train.momentum above 0")

    def stages(self) -> list[tuple[int, Train]]:
        """Return the first epoch of each phase and what holds from there on."""
        if not self.phases:
            return [(0, self)]
        ends = [0]
        for phase in self.phases:
            ends.append(ends[-1] + phase["epochs"])
        starts = [round(self.epochs * end / ends[-1]) for end in ends]
        # A short run may leave a phase no epoch.
        return [
            (start, replace(self, phases=(), **{**phase, "epochs": end - start}))
            for phase, start, end in zip(self.phases, starts, starts[1:], strict=False)
            if end > start
        ]


@dataclass(frozen=True)
class Distill:
    """How a student is taught (``tagkit train --teacher``).

    Student and teachers hear the same clips of ``clip_seconds``, changed as the table ``augment`` says;
    each is heard in up to ``windows`` windows. ``clips``, ``labelled_clips``, ``nothing_clips``: how
    many are made of music, of single instruments, and of sound without tags; 0 is four a file.

    A clip of music is mixed with another with probability ``mix``, at ``mix_db`` against it; with
    probability ``speed`` it is ``speed_ratio`` times as fast. A labelled clip has from the first to
    the last of ``stems`` instruments, each ``stem_db`` against the first.

    ``labelled``, ``nothing``: the parts of a batch that are such clips, together at most half.
    ``chunks``: of each clip in a batch, whose mean must say what the teachers say of the whole clip;
    that counts ``clip_weight`` times as much as each chunk by itself. ``label_weight`` and
    ``vote_weight``: how much the exact labels and the listeners' votes count. ``precision``: of the
    teachers' arithmetic.
    """

    clip_seconds: float = within(29.13, 1, 600)
    windows: int = within(6, 1, 100)
    clips: int = within(0, 0)
    labelled_clips: int = within(0, 0)
    nothing_clips: int = within(0, 0)
    mix: float = within(0.35, 0, 1)
    mix_db: tuple[float, ...] = (-12.0, 12.0)
    stems: tuple[int, ...] = (1, 6)
    stem_db: tuple[float, ...] = (-12.0, 0.0)
    speed: float = within(0.4, 0, 1)
    speed_ratio: tuple[float, ...] = (0.89, 1.12)
    labelled: float = within(0.3, 0, 0.5)
    nothing: float = within(0.1, 0, 0.5)
    chunks: int = within(2, 1, 100)
    clip_weight: float = within(1.0, 0, 100)
    label_weight: float = within(1.0, 0, 100)
    vote_weight: float = within(0.2, 0, 100)
    precision: Literal["no", "bf16"] = "no"

    def __post_init__(self) -> None:
        for name, low in (("mix_db", -60), ("stem_db", -60), ("speed_ratio", 0.5), ("stems", 1)):
            given = getattr(self, name)
            if len(given) != 2 or not low <= given[0] <= given[1] <= 60:
                raise RecipeError(
                    f"distill.{name} is {list(given)}", hint="give two numbers, the lower first"
                )
        if self.labelled + self.nothing > 0.5:
            raise RecipeError(
                "distill.labelled and distill.nothing are more than half of a batch together",
                hint="real music must be at least half of it",
            )


@dataclass(frozen=True)
class Recipe:
    """``name`` of the bundle that comes out; ``architecture`` from the catalogue.

    ``arguments`` and ``front_end`` replace the catalogue's own values of the architecture. ``loss``:
    its name and options. ``tags_per_track`` (distillation): how many tags of a category a track gets
    on average; thresholds follow. ``title``, ``licence``, ``training_data`` and ``notes`` go into the
    bundle's card as they are.
    """

    name: str
    architecture: str
    title: str = ""
    licence: str = ""
    training_data: str = ""
    notes: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    front_end: Mapping[str, Any] = field(default_factory=dict)
    tags_per_track: Mapping[str, float] = field(default_factory=dict)
    loss: Mapping[str, Any] = field(default_factory=lambda: {"name": "bce"})
    data: Data = field(default_factory=Data)
    distill: Distill = field(default_factory=Distill)
    augment: Augment = field(default_factory=Augment)
    train: Train = field(default_factory=Train)

    def __post_init__(self) -> None:
        # The bundle's file in the run folder is called so: "../x" would lie beside that folder.
        if not NAME.fullmatch(self.name):
            raise RecipeError(
                f"name is {self.name[:60]!r}, which no bundle can have", hint=NAME_RULE
            )
