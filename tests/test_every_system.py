"""Every architecture of the catalogue trains from its recipe, by the command, until it hears something.

The corpus is composed (:mod:`tests.corpus`): its test split is other pieces by other artists. Each network
is a narrow one and hears few chunks, so that all of them together take minutes on two cores; the bar
is what no untrained, broken or fooled model reaches. :data:`SYSTEMS` is what makes each of them small.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tagkit import models, recipe
from tagkit.augment.settings import EFFECTS
from tagkit.vocab import VOCABULARIES
from tests import corpus, library

PIECES = corpus.compose(200)
ROC_AUC = 0.70
PR_AUC = 2.0  # times that of the popularity baseline

FOLDERS = (
    "data.split=folders"  # in place of lists that not every corpus has, and of a leaky shuffle
)
ALL = "data.tags=all"  # in place of moods alone
TWO_SECONDS, FIVE_SECONDS, TWENTY_SECONDS = (
    f"front_end.chunk_samples={samples}" for samples in (32000, 80000, 327680)
)


class System(NamedTuple):
    """``layout``: what the recipe is given, "mtat" (instruments and tempo) or "jamendo" (moods, where
    ``sets`` does not say :data:`ALL`); ``sets``: what makes it small."""

    layout: str
    sets: tuple[str, ...] = ()


def _quick(
    layout: str, updates: int, rate: float, *sets: str, batch: int = 8, prior: float = 0.2
) -> System:
    """Few updates, and one cycle of the learning rate in place of a recipe's hundreds of epochs.

    ``prior``: where the outputs start. From one half, the first updates would learn nothing but that
    most tags are absent.
    """
    return System(
        layout,
        (
            "train.epochs=3",
            f"train.steps_per_epoch={updates // 3}",
            f"train.batch={batch}",
            f"train.learning_rate={rate}",
            f"train.output_prior={prior}",
            "train.phases=[]",
            "train.schedule=onecycle",
            "train.validation_windows=2",
            "train.windows=6",
            *sets,
        ),
    )


def _mtat(updates: int, rate: float, *sets: str, batch: int = 8) -> System:
    # Of its 50 tags the corpus has 12.
    return _quick("mtat", updates, rate, FOLDERS, *sets, batch=batch, prior=0.05)


def _moods(updates: int, rate: float, *sets: str) -> System:
    return _quick("jamendo", updates, rate, *sets)


def _width(**arguments: float) -> tuple[str, ...]:
    return tuple(f"arguments.{name}={value}" for name, value in arguments.items())


_MUSICNN = _width(width=32, dense=64, timbre=12, rhythm=4)

# What makes students robust pays in long trainings.
_STUDENT = (TWO_SECONDS, ALL, *(f"augment.{effect}=0" for effect in EFFECTS))

LIGHT = ("light_1", "light_2", "light_3")

#: Recipe → how it is made small. The slowest come first, so that both processes end together.
SYSTEMS: dict[str, System] = {
    "harmonic_cnn": _mtat(180, 4e-3, *_width(channels=16)),
    "musicnn": _mtat(180, 4e-3, *_MUSICNN, TWO_SECONDS),
    "musicnn_large": _quick("jamendo", 180, 4e-3, *_MUSICNN, TWO_SECONDS, ALL),
    "sample_cnn_se": _moods(150, 4e-3, *_width(channels=8)),
    "self_attention_cnn": _moods(150, 3e-3, *_width(channels=16), FIVE_SECONDS),
    "fcn": _moods(100, 5e-3, *_width(channels=16), TWENTY_SECONDS),
    "mtg_vgg": _moods(120, 3e-3, *_width(channels=8)),
    "crnn": _moods(180, 3e-3, *_width(channels=16), FIVE_SECONDS),
    "light_2": _mtat(270, 2e-3, *_width(channels=16)),
    "light_3": _mtat(270, 3e-3, *_width(channels=16), TWO_SECONDS),
    "short_chunk_rescnn": _mtat(270, 3e-3, *_width(channels=16)),
    "short_chunk_cnn": _mtat(270, 3e-3, *_width(channels=16)),
    "query2label": _mtat(270, 2e-3, *_width(channels=16)),
    "sample_cnn": _moods(180, 4e-3, *_width(channels=8)),
    "focal_rescnn_focal": _moods(210, 3e-3, *_width(channels=16)),
    "six_block": _mtat(240, 3e-3, *_width(channels=16)),
    "baseline_nadam": _mtat(240, 5e-3, *_width(channels=16), batch=16),
    "light_1": _mtat(240, 3e-3, *_width(channels=16), batch=16),
    "student_ds_cnn": _quick(
        "jamendo", 330, 4e-3, *_width(stem=8, dense=32, width=0.5), *_STUDENT, batch=16
    ),
    "student_mel_tcn": _quick(
        "jamendo", 300, 5e-3, *_width(channels=24, dense=32), *_STUDENT, batch=16
    ),
    "svm_logmel": System("mtat", ("data.tags=top50",)),
    "popularity": System("jamendo"),
}


# ------------------------------------------------------------------------------ training them


@dataclass(frozen=True)
class Library:
    """The corpus laid out as MTAT and as MTG-Jamendo, and what trained bundles lie beside it."""

    root: Path
    audio: Mapping[int, bytes]

    def bundle(self, name: str) -> Path:
        return self.root / f"{name}.safetensors"

    def train(self, name: str, system: System, layout: str = "") -> dict[str, Any]:
        """Run ``tagkit train`` and return its figures of the test split."""
        given = [part for one in system.sets for part in ("--set", one)]
        done = self.run(
            *("train", name, "--data", self.root / (layout or system.layout)),
            *("--cache", self.root / "cache", "--jobs", 0, *given),
            *("--run", self.root / "runs" / f"{name}{layout}"),
            *("--out", self.bundle(f"{name}{layout}")),
        )
        found: dict[str, Any] = json.loads(done.stdout)["test"]
        return found

    def tag(self, model: Path, pieces: Sequence[corpus.Piece]) -> list[dict[str, Any]]:
        """What ``tagkit tag --model`` says of files of MTG-Jamendo's layout, a line a file."""
        files = [self.root / "jamendo" / corpus.jamendo_path(piece) for piece in pieces]
        done = self.run("tag", *files, "--model", model, "--format", "jsonl")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "tagkit", *map(str, arguments)],
            env=library.environment(self.root / "home"),
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done


@pytest.fixture(scope="session")
def library_of_pieces(tmp_path_factory: pytest.TempPathFactory) -> Library:
    root = tmp_path_factory.mktemp("corpus")
    audio = corpus.encode(PIECES, jobs=os.cpu_count() or 1)
    corpus.write_mtat(root / "mtat", PIECES, audio)
    corpus.write_jamendo(root / "jamendo", PIECES, audio)
    return Library(root, audio)


Trained = tuple[dict[str, Any], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def trained(
    library_of_pieces: Library, request: pytest.FixtureRequest
) -> Iterator[dict[str, Future[Trained]]]:
    """Figures of each system that this session's tests ask for, and what it says of two files.

    They are trained side by side, one a core, while the first tests wait.
    """

    def learn(name: str) -> Trained:
        figures = library_of_pieces.train(name, SYSTEMS[name])
        held_out = [piece for piece in PIECES if piece.split == "test"][:2]
        return figures, library_of_pieces.tag(library_of_pieces.bundle(name), held_out)

    wanted = {name for item in request.session.items for name in _asked(item)}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {name: pool.submit(learn, name) for name in SYSTEMS if name in wanted}
        pool.shutdown(cancel_futures=True)


def _asked(item: pytest.Item) -> Sequence[str]:
    """The systems that a test needs."""
    if item.name == "test_the_light_models_are_combined":
        return LIGHT
    parameters = getattr(item, "callspec", None)
    return (parameters.params["name"],) if parameters and "name" in parameters.params else ()


# ------------------------------------------------------------------------------ what they must do


def popularity(system: System, pieces: Sequence[corpus.Piece] = PIECES) -> float:
    """Macro PR-AUC of a constant guess on the test split that the system is measured on."""
    test = [piece for piece in pieces if piece.split == "test"]
    if system.layout == "mtat":
        top50 = VOCABULARIES["mtat-top50"]
        return corpus.popularity(test, [tag for tag in corpus.TAGS if corpus.MTAT[tag] in top50])
    if ALL in system.sets:
        return corpus.popularity(test)
    moods = [mood.name for mood in corpus.MOODS]
    return corpus.popularity([piece for piece in test if piece.mood.name], moods)


def _learned(system: System, figures: dict[str, float]) -> bool:
    return figures["roc_auc"] >= ROC_AUC and figures["pr_auc"] >= PR_AUC * popularity(system)


def test_every_architecture_is_here() -> None:
    trained = {recipe.load(name).architecture for name in SYSTEMS}
    assert set(models.CATALOGUE) - trained == {"combiner"}


@pytest.mark.parametrize("name", [name for name in SYSTEMS if name != "popularity"])
def test_a_system_learns_and_tags(name: str, trained: dict[str, Future[Trained]]) -> None:
    figures, said = trained[name].result()
    assert _learned(SYSTEMS[name], figures), figures
    assert len(said) == 2
    assert any(line["tags"] for line in said)


@pytest.mark.parametrize("name", ["popularity"])
def test_popularity_is_the_bar(name: str, trained: dict[str, Future[Trained]]) -> None:
    figures, (first, second) = trained[name].result()
    assert figures["roc_auc"] == pytest.approx(0.5)
    assert figures["pr_auc"] == pytest.approx(popularity(SYSTEMS[name]))
    assert first["tags"] == second["tags"]


def test_labels_of_other_pieces_teach_nothing(library_of_pieces: Library) -> None:
    shuffled = corpus.shuffle_labels(PIECES)
    corpus.write_mtat(library_of_pieces.root / "shuffled", shuffled, library_of_pieces.audio)
    figures = library_of_pieces.train("light_1", SYSTEMS["light_1"], "shuffled")
    assert not _learned(SYSTEMS["light_1"], figures), figures
    assert figures["roc_auc"] < 0.62


def test_the_light_models_are_combined(
    library_of_pieces: Library, trained: dict[str, Future[Trained]]
) -> None:
    """The combiner, the one architecture that hears models in place of audio."""
    alone = [trained[name].result()[0] for name in LIGHT]
    out = library_of_pieces.root / "light.toml"
    mtat = ("--data", library_of_pieces.root / "mtat")
    bundles = [library_of_pieces.bundle(name) for name in LIGHT]
    # On training tracks: of 24 validation tracks a network of this size learns no more than how rare
    # each tag is.
    fit = ("ensemble", "fit", *bundles, "--combine", "learned", "--out", out, *mtat)
    library_of_pieces.run(*fit, "--split", "train", "--folds", 2, "--resamples", 10)
    done = library_of_pieces.run(
        *("eval", "--model", out, *mtat, "--no-validation", "--resamples", 10, "--format", "json")
    )
    found = json.loads(done.stdout)["figures"]
    figures = {key: found[f"{key}_macro"]["value"] for key in ("roc_auc", "pr_auc")}
    assert _learned(SYSTEMS["light_1"], figures), (figures, alone)
    assert len(library_of_pieces.tag(out, PIECES[-2:])) == 2
