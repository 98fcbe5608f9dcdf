"""Every recipe that comes with tagkit loads, builds what it names, and covers a system of the papers."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import pytest
import torch

from tagkit import losses, models, recipe
from tagkit.data import mtat, mtg_jamendo, samplers
from tagkit.front_end import FrontEnd

NAMES = recipe.names()

#: The rows of docs/training.md's table: a system of the papers and the recipe that trains it.
SYSTEMS = {
    "focal-loss paper": (
        "focal_rescnn_bce focal_rescnn_focal focal_rescnn_class_balanced "
        "focal_rescnn_distribution_balanced mtg_vgg popularity"
    ),
    "weighted BCE": (
        "svm_logmel svm_mfcc svm_mfcc_pca fcn_30s crnn_30s short_chunk_cnn_10s short_chunk_cnn_30s"
    ),
    "baseline, step by step": (
        "baseline_sgd baseline_adam baseline_nadam baseline_focal baseline_elu baseline_gelu "
        "six_block six_block_augmented"
    ),
    "Query2Label": (
        "query2label query2label_no_encoder rescnn_onecycle harmonic_cnn_onecycle musicnn_onecycle"
    ),
    "lightweight ensemble": "light_1 light_2 light_3",
    "Won et al. 2020": (
        "fcn crnn musicnn musicnn_large sample_cnn sample_cnn_se short_chunk_cnn short_chunk_rescnn "
        "self_attention_cnn harmonic_cnn"
    ),
    "students": "student_ds_cnn student_mel_tcn",
}


def _front_end(made: recipe.Recipe) -> FrontEnd:
    row = models.entry(made.architecture).front_end
    assert row is not None
    return replace(row, **made.front_end)


def test_every_system_has_its_recipe_and_no_recipe_is_without_a_system() -> None:
    listed = [name for names in SYSTEMS.values() for name in names.split()]
    assert sorted(listed) == NAMES


def test_every_architecture_that_hears_audio_has_a_recipe() -> None:
    trained = {recipe.load(name).architecture for name in NAMES}
    assert set(models.CATALOGUE) - trained == {"combiner"}  # tagkit ensemble fit


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_names_a_network_that_hears_its_front_end(name: str) -> None:
    made = recipe.load(name)
    row = models.entry(made.architecture)
    if row.trained == "descent":
        models.check(made.architecture, _front_end(made), **made.arguments)
    assert made.name == made.name.lower()


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_names_a_loss_a_sampler_and_a_reading_of_its_dataset(name: str) -> None:
    made = recipe.load(name)
    loss = losses.build(made.loss, torch.tensor([3, 5]), 10)
    assert loss(torch.zeros(2, 2), torch.eye(2)).ndim == 0
    assert len(samplers.build(made.train.sampler, torch.eye(4).bool().numpy(), 0)(0)) == 4
    known = {
        "mtat": (mtat.TAG_SETS, mtat.SPLIT_NAMES),
        "mtg-jamendo": (mtg_jamendo.SUBSETS, mtg_jamendo.SPLIT_NAMES),
    }
    if made.data.dataset in known:
        tags, splits = known[made.data.dataset]
        assert made.data.tags in tags
        assert made.data.split in ("", *splits)


@pytest.mark.parametrize("name", NAMES)
def test_the_resolved_recipe_is_the_recipe(name: str) -> None:
    made = recipe.load(name)
    assert recipe.parse(recipe.dumps(made), recipe.find(name)) == made


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("student")])
def test_a_recipe_opens_with_where_it_comes_from_and_is_short(name: str) -> None:
    text = recipe.find(name).read_text(encoding="utf-8")
    head = [line for line in text.splitlines() if line.startswith("#")]
    assert text.startswith("# ")
    assert len(head) >= 2
    assert len(text.splitlines()) < 60
    assert "title" in tomllib.loads(text)


def test_the_names_of_bundles_differ() -> None:
    names = [recipe.load(name).name for name in NAMES]
    assert len(set(names)) == len(names)
