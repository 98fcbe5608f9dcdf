"""Several models, one answer: worked by hand, over different vocabularies, and refused when malformed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from tagkit import models
from tagkit.errors import UsageError, WeightsError
from tagkit.inference import ensemble, ensemble_file
from tagkit.inference.context import Context
from tagkit.thresholds import DEFAULT_THRESHOLD
from tagkit.vocab import canonical
from tagkit.weights import bundle
from tagkit.weights.card import Card
from tests import library


def make(
    path: Path, outputs: str, *, thresholds: tuple[float, ...] | None = None, seed: int = 0
) -> Path:
    """A bundle of a small network with random weights."""
    return library.small_model(path, outputs.split(), thresholds=thresholds, seed=seed)


def make_combiner(
    folder: Path, outputs: str, inputs: int, thresholds: tuple[float, ...] | None = None
) -> models.TagModel:
    """Save a combiner with random weights as ``c`` in ``folder``, and return it."""
    names = tuple(outputs.split())
    torch.manual_seed(3)
    combiner = models.build("combiner", len(names), inputs=inputs, hidden=(8, 8)).eval()
    card = Card(
        name="c",
        architecture="combiner",
        arguments={"inputs": inputs, "hidden": [8, 8]},
        front_end=None,
        tags=tuple(canonical(name) for name in names),
        outputs=names,
        thresholds=thresholds,
    )
    bundle.save(folder / "c.safetensors", card, combiner, None)
    return combiner


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """One says happy and female; the other happy, woman, female-vocal (synonyms) and piano."""
    return (
        make(tmp_path / "a.safetensors", "happy female", thresholds=(0.4, 0.2)),
        make(tmp_path / "b.safetensors", "happy woman female-vocal piano", seed=1),
    )


A = np.array([[0.2, 0.5], [0.9, 0.1]], np.float32)
B = np.array([[0.6, 0.1, 0.3, 0.8], [0.5, 0.7, 0.2, 0.0]], np.float32)


def _combined(pair: tuple[Path, Path], how: str, extra: str = "") -> tuple[list[str], np.ndarray]:
    toml = pair[0].parent / "both.toml"
    toml.write_text(f'members = ["a", "b.safetensors"]\ncombine = "{how}"\n{extra}')
    both = ensemble.load([str(toml)])
    return [tag.name for tag in both.tags], ensemble.combine(both, [A, B])


def test_mean_goes_tag_by_tag_through_canonical_names(pair: tuple[Path, Path]) -> None:
    names, found = _combined(pair, "mean")
    assert names == ["happy", "piano", "female vocals"]
    # female vocals: the second model's louder synonym; piano: only the second knows it.
    wanted = [[(0.2 + 0.6) / 2, 0.8, (0.5 + 0.3) / 2], [(0.9 + 0.5) / 2, 0.0, (0.1 + 0.7) / 2]]
    assert np.allclose(found, wanted, atol=1e-6)


def test_weights_count_where_both_speak(pair: tuple[Path, Path]) -> None:
    _, found = _combined(pair, "mean", "weights = [3, 1]")
    assert np.allclose(found[0], [(3 * 0.2 + 0.6) / 4, 0.8, (3 * 0.5 + 0.3) / 4], atol=1e-6)


def test_a_tag_may_have_weights_of_its_own(pair: tuple[Path, Path]) -> None:
    names, found = _combined(
        pair, "mean", "weights = [3, 1]\n[tag_weights]\nhappy = [0, 1]\nwoman = [1, 4]\n"
    )
    assert names == ["happy", "piano", "female vocals"]
    assert np.allclose(found[0], [0.6, 0.8, (0.5 + 4 * 0.3) / 5], atol=1e-6)


def test_thresholds_are_weighed_as_the_probabilities_are(tmp_path: Path) -> None:
    for name, values in (("a", (0.4, 0.2)), ("b", (0.8, 0.6))):
        make(tmp_path / f"{name}.safetensors", "happy sad", thresholds=values)
    toml = tmp_path / "t.toml"
    toml.write_text('members = ["a", "b"]\n[tag_weights]\nhappy = [1, 3]\n')
    assert np.allclose(ensemble.load([str(toml)]).thresholds, [0.7, 0.4])


def test_the_most_tags_of_a_category(pair: tuple[Path, Path]) -> None:
    file = pair[0].parent / "few.toml"
    file.write_text(f'members = ["{pair[0].name}"]\n[most]\nmood = 1\n')
    assert ensemble.load([str(file)]).most == {"mood": 1}


def test_context_and_its_thresholds(pair: tuple[Path, Path]) -> None:
    toml = pair[0].parent / "t.toml"
    toml.write_text(
        'members = ["a", "b"]\n[thresholds]\nwoman = 0.7\npiano = 0.3\n'
        "[context]\nartist = 0.2\nalbum = 1\n"
    )
    with pytest.raises(WeightsError, match="together at most 1"):
        ensemble.load([str(toml)])
    toml.write_text(
        'members = ["a", "b"]\n[thresholds]\nwoman = 0.7\npiano = 0.3\n'
        "[context]\nartist = 0.2\nalbum = 0.5\n[context.thresholds]\nwoman = 0.6\n"
    )
    found = ensemble.load([str(toml)])
    assert found.context == Context(0.2, 0.5)
    assert np.allclose(found.thresholds, [0.4, 0.3, 0.7])
    assert np.allclose(found.context_thresholds, [0.4, 0.3, 0.6])


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    wanted = ensemble_file.Definition(
        members=('a "quoted" \\ name\x7f', "b"),
        name="täg",
        weights=(1.0, 0.25),
        tag_weights={"female vocals": (0.0, 2.0)},
        thresholds={"happy": 0.125},
        context=Context(0.25, 0.5),
        context_thresholds={"happy": 0.5},
        most={"mood": 3, "theme": 2},
    )
    ensemble_file.write(tmp_path / "e.toml", wanted, notes="fitted\non validation")
    assert ensemble_file.read(tmp_path / "e.toml") == wanted
    assert (tmp_path / "e.toml").read_text().startswith("# fitted\n# on validation\n")
    learned = ensemble_file.Definition(("a",), combine="learned", combiner="c")
    ensemble_file.write(tmp_path / "e.toml", learned)
    assert ensemble_file.read(tmp_path / "e.toml") == learned


def test_logit_mean(pair: tuple[Path, Path]) -> None:
    _, found = _combined(pair, "logit-mean")
    # mean of logit(.2) = -1.386294 and logit(.6) = .405465 is -.490415; its sigmoid .379796
    assert found[0, 0] == pytest.approx(0.379796, abs=1e-5)


def test_rank_is_among_the_tracks_given(pair: tuple[Path, Path]) -> None:
    _, found = _combined(pair, "rank")
    # happy: ranks 1/2 and 2/2 in the first model, 2/2 and 1/2 in the second.
    assert np.allclose(found[:, 0], [0.75, 0.75])
    assert np.allclose(found[:, 1], [1.0, 0.5])


def test_a_learned_combiner_hears_the_members_side_by_side(pair: tuple[Path, Path]) -> None:
    combiner = make_combiner(pair[0].parent, "piano sad", 6)
    names, found = _combined(pair, "learned", 'combiner = "c"')
    assert names == ["sad", "piano"]
    with torch.inference_mode():
        wanted = torch.sigmoid(combiner(torch.from_numpy(np.concatenate([A, B], 1)))).numpy()
    assert np.allclose(found, wanted[:, ::-1], atol=1e-6)


def test_thresholds_combine_like_probabilities_unless_the_file_says_otherwise(
    pair: tuple[Path, Path],
) -> None:
    toml = pair[0].parent / "t.toml"
    toml.write_text('members = ["a", "b"]\n[thresholds]\nwoman = 0.7\n')
    found = ensemble.load([str(toml)]).thresholds
    # happy: only the first card has thresholds; piano: nobody has one.
    assert np.allclose(found, [0.4, DEFAULT_THRESHOLD, 0.7])


def test_a_combiner_has_the_thresholds_of_what_it_says(pair: tuple[Path, Path]) -> None:
    make_combiner(pair[0].parent, "sad happy", 6, thresholds=(0.3, 0.2))
    toml = pair[0].parent / "t.toml"
    toml.write_text('members = ["a", "b"]\ncombine = "learned"\ncombiner = "c"\n')
    found = ensemble.load([str(toml)])
    assert [tag.name for tag in found.tags] == ["happy", "sad"]
    assert np.allclose(found.thresholds, [0.2, 0.3])


def test_a_steep_calibration_is_no_overflow(tmp_path: Path) -> None:
    card = ensemble.read_card(make(tmp_path / "x.safetensors", "happy sad"))
    card = dataclasses.replace(card, calibration=((50.0, 0.0), (-50.0, 0.0)))
    found = ensemble.calibrated(card, np.array([[0.0, 0.0]], np.float32))
    assert np.allclose(found, [[0.0, 1.0]])


def test_models_on_the_command_line_are_an_ensemble(pair: tuple[Path, Path]) -> None:
    both = ensemble.load([str(path) for path in pair])
    assert [member.card.name for member in both.members] == ["a", "b"]
    assert both.name == "a+b"


def test_another_threshold_in_a_card_is_the_same_model(tmp_path: Path) -> None:
    one = ensemble.load([str(make(tmp_path / "x.safetensors", "happy sad"))])
    other = ensemble.load(
        [str(make(tmp_path / "x.safetensors", "happy sad", thresholds=(0.1, 0.2)))]
    )
    retrained = ensemble.load([str(make(tmp_path / "x.safetensors", "happy sad", seed=9))])
    assert one.model_ids(16) == other.model_ids(16) != retrained.model_ids(16)
    assert one.model_ids(16) != one.model_ids(8)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("members = []", "members"),
        ('members = ["a"]\ncolour = "red"', "colour"),
        ('members = ["a"]\ncombine = "loudest"', "loudest"),
        ('members = ["a", "b"]\nweights = [1]', "weights"),
        ('members = ["a"]\nweights = [-1]', "weights"),
        ('members = ["a"]\ncombine = "learned"', "combiner"),
        ('members = ["a"]\n[thresholds]\nhappy = 3', "thresholds"),
        ('members = ["a"]\n[thresholds]\nhapy = 0.3', r"bad\.toml: no tag .*happy"),
        ('members = ["a", "b"]\ncombine = "learned"\ncombiner = "a"', "it is no combiner"),
        ('members = ["a", "b"]\n[tag_weights]\nhappy = [1]', "tag_weights"),
        ('members = ["a", "b"]\n[tag_weights]\nhappy = [0, 0]', "tag_weights"),
        ('members = ["a", "b"]\n[tag_weights]\npiano = [1, 0]', "do not know it"),
        ('members = ["a", "b"]\n[tag_weights]\nsitar = [1, 1]', "no member knows"),
        ('members = ["a"]\n[context]\nartist = 0.5', "context"),
        ('members = ["a"]\ncontext = 0.5', "context"),
        ('members = ["a"]\nmost = 3', "most"),
        ('members = ["a"]\n[most]\nmoods = 3', "most"),
        ('members = ["a"]\n[most]\nmood = 0', "most"),
        ('members = ["a"]\n[most]\nmood = true', "most"),
        ('members = ["a"]\n[context]\nartist = "x"\nalbum = 0', "context"),
        ('members = ["nobody-made-this"]', "nobody-made-this"),
        ("members = [", "readable"),
    ],
)
def test_malformed_files_say_what_is_wrong(pair: tuple[Path, Path], text: str, word: str) -> None:
    toml = pair[0].parent / "bad.toml"
    toml.write_text(text)
    with pytest.raises(WeightsError, match=word):
        ensemble.load([str(toml)])


def test_an_ensemble_file_stands_alone(pair: tuple[Path, Path]) -> None:
    toml = pair[0].parent / "e.toml"
    toml.write_text('members = ["a"]')
    with pytest.raises(UsageError):
        ensemble.load([str(toml), str(pair[1])])


def test_a_combiner_of_another_size_is_refused(pair: tuple[Path, Path]) -> None:
    make_combiner(pair[0].parent, "sad", 4)
    with pytest.raises(WeightsError, match="takes 4 inputs"):
        _combined(pair, "learned", 'combiner = "c"')
