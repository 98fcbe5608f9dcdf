"""A network starts from another's layers: what is taken, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tagkit import models
from tagkit.errors import RecipeError
from tagkit.features import build
from tagkit.models import CATALOGUE
from tagkit.training.transfer import start_from
from tagkit.vocab import canonical
from tagkit.weights import bundle
from tagkit.weights.card import Card

TAGS = ("happy", "sad", "calm", "piano")
DESCENDED = [name for name, row in CATALOGUE.items() if row.trained == "descent"]


def other(folder: Path, architecture: str) -> Path:
    """A bundle of a tiny network with other weights."""
    row = CATALOGUE[architecture]
    assert row.front_end is not None
    torch.manual_seed(1)
    card = Card(
        name="other",
        architecture=architecture,
        arguments=row.tiny,
        front_end=row.front_end,
        tags=tuple(map(canonical, TAGS)),
        outputs=TAGS,
        licence="CC0-1.0",
    )
    path = folder / "other.safetensors"
    model = models.build(architecture, len(TAGS), **row.tiny)
    bundle.save(path, card, model.eval(), build(row.front_end))
    return path


@pytest.mark.parametrize("architecture", DESCENDED)
def test_all_but_what_makes_the_tags_is_taken(architecture: str, tmp_path: Path) -> None:
    source = other(tmp_path, architecture)
    torch.manual_seed(2)
    network = models.build(architecture, len(TAGS), **CATALOGUE[architecture].tiny)
    fresh = {key: value.clone() for key, value in network.state_dict().items()}
    taken = start_from(network, str(source), ())
    bias = network.output_bias()
    (last,) = (name for name, given in network.named_parameters() if given is bias)
    module = last.rpartition(".")[0]
    left = set(fresh) - set(taken)
    assert left == {key for key in fresh if key.startswith(f"{module}.")}
    after, given = network.state_dict(), bundle.load(source).model.state_dict()
    assert all(after[key].equal(given[key]) for key in taken)
    assert all(after[key].equal(fresh[key]) for key in left)


def test_other_tags_do_not_matter_to_the_layers_below(tmp_path: Path) -> None:
    network = models.build("light_1", 9, **CATALOGUE["light_1"].tiny)
    assert start_from(network, str(other(tmp_path, "light_1")), ())


def test_tensors_of_other_shapes_are_refused(tmp_path: Path) -> None:
    network = models.build("fcn", 4, channels=8)
    with pytest.raises(RecipeError, match=r"in .*other.safetensors, .* here"):
        start_from(network, str(other(tmp_path, "fcn")), ("layer1",))
