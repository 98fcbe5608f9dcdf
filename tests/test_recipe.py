"""A recipe says what it may and nothing else; what it leaves out has a default; a phase follows another."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagkit import recipe
from tagkit.errors import RecipeError

HERE = Path("r.toml")
LEAST = 'name = "a"\narchitecture = "fcn"\n'


def parse(text: str = "", *overrides: str) -> recipe.Recipe:
    return recipe.parse(LEAST + text, HERE, overrides)


def test_what_a_recipe_leaves_out_has_a_default() -> None:
    plan = parse()
    assert (plan.loss, plan.train.choose, plan.data.dataset) == ({"name": "bce"}, "pr_auc", "")
    assert plan.train == recipe.Train() and plan.augment == recipe.Augment()


@pytest.mark.parametrize("name", recipe.names())
def test_a_recipe_that_was_written_out_reads_back_the_same(name: str) -> None:
    plan = recipe.load(name, ["train.epochs=7"])
    assert recipe.parse(recipe.dumps(plan), HERE) == plan
    assert plan.train.epochs == 7


@given(st.text(), st.lists(st.floats(allow_nan=False, allow_infinity=False)), st.booleans())
def test_any_text_and_number_survives_being_written_out(
    text: str, numbers: list[float], yes: bool
) -> None:
    plan = recipe.Recipe("a", "fcn", notes=text, arguments={"x": numbers, text: {"y z": yes}})
    assert recipe.parse(recipe.dumps(plan), HERE) == plan


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("titel = 'x'", r"unknown key titel.*did you mean title"),
        ("[train]\nepoch = 3", r"unknown key train\.epoch.*train\.epochs"),
        ("[augment]\nmixupp = 1.0", r"augment\.mixupp.*augment\.mixup"),
        ("[train]\nepochs = 'three'", r"train\.epochs must be a whole number, not 'three'"),
        ("[train]\nepochs = true", r"train\.epochs must be a whole number"),
        ("[train]\nbatch = 0", r"train\.batch is 0; it must be from 1"),
        ("[train]\nlearning_rate = nan", r"train\.learning_rate is nan"),
        ("[train]\noptimizer = 'adamm'", r"train\.optimizer is 'adamm', not one of .*\"adam\""),
        ("[train]\nstart_layers = [1]", r"train\.start_layers\[0\] must be a text"),
        ("[augment]\nnoise = 2.0", r"augment\.noise is a probability"),
        ("[data]\ndataset = 'mtatt'", r"data\.dataset is 'mtatt'"),
        ("train = 3", r"train must be a table"),
        ("[loss]\ngamma = 2.0", r"loss\.name"),
        ("[[train.phases]]\nepochs = 2\nbatch = 3", r"unknown key train\.phases\[0\]\.batch"),
        ("[[train.phases]]\noptimizer = 'sgd'", r"train\.phases\[0\]\.epochs is missing"),
        ("[[train.phases]]\nepochs = 0", r"train\.phases\[0\]\.epochs is 0"),
        ("[train", r"is no TOML"),
        (
            "[[train.phases]]\nepochs = 2\noptimizer = 'sgd'\nmomentum = 0\nnesterov = true",
            "nesterov",
        ),
        ("[train]\noptimizer = 'sgd'\nmomentum = 0\nnesterov = true", r"train\.nesterov"),
        pytest.param(f"notes = {'[' * 9999}", "nested too deeply", id="nested"),
        pytest.param(f"[train]\nseed = 1{'0' * 5000}", "2,000 letters", id="digits"),
        pytest.param(f"[train]\nseed = 0x{'f' * 5000}", "2,000 letters", id="hexadecimal"),
        pytest.param(f"[augment]\nmixup = 1{'0' * 400}", "no usable value", id="overflow"),
    ],
)
def test_what_a_recipe_may_not_say_is_named_with_the_file(text: str, word: str) -> None:
    with pytest.raises(RecipeError, match=word) as caught:
        parse(text)
    assert caught.value.path == "r.toml"


def test_an_incomplete_recipe_says_what_it_lacks() -> None:
    with pytest.raises(RecipeError, match="architecture"):
        recipe.parse("name = 'a'", HERE)


def test_overrides_are_toml_and_bare_words_are_texts() -> None:
    plan = parse(
        "",
        "train.epochs=3",
        "train.sampler = class-aware",
        "arguments.channels=4",
        "train.start_layers=['layer1', 'layer2']",
        "data.mels=true",
        "notes=a = b",
        "augment.gain_db=[-3, 3]",
    )
    assert (plan.train.epochs, plan.train.sampler, plan.arguments) == (
        3,
        "class-aware",
        {"channels": 4},
    )
    assert plan.train.start_layers == ("layer1", "layer2") and plan.data.mels
    assert plan.notes == "a = b" and plan.augment.gain_db == (-3.0, 3.0)


@pytest.mark.parametrize(
    ("override", "word"),
    [
        ("epochs", "KEY=VALUE"),
        ("=3", "KEY=VALUE"),
        ("train.epoch=3", r"train\.epochs"),
        ("name.x=3", "name is no table"),
        ("train.start_from=a\udcff", "no usable value"),
    ],
)
def test_overrides_are_checked_as_the_file_is(override: str, word: str) -> None:
    with pytest.raises(RecipeError, match=word):
        parse("", override)


def test_a_file_that_is_no_recipe_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(LEAST + "#" * 2_000_000)
    with pytest.raises(RecipeError, match="is larger than"):
        recipe.load(str(path))
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(RecipeError, match="UTF-8"):
        recipe.load(str(path))
    path.write_bytes(b"\xef\xbb\xbf" + LEAST.encode())  # as Windows' editors begin a file
    assert recipe.load(str(path)) == parse()


def test_a_name_that_is_no_recipe_brings_near_ones() -> None:
    with pytest.raises(RecipeError, match="student_ds_cnn"):
        recipe.load("student_ds_cn")
    with pytest.raises(RecipeError, match="cannot be read"):
        recipe.load("nowhere/x.toml")


def test_phases_share_out_the_runs_epochs() -> None:
    phases = """
    [train]
    epochs = 200
    batch = 32
    [[train.phases]]
    epochs = 80
    optimizer = "adam"
    [[train.phases]]
    epochs = 30
    optimizer = "sgd"
    learning_rate = 0.01
    [[train.phases]]
    epochs = 90
    learning_rate = 1e-3
    """
    stages = parse(phases).train.stages()
    assert [(start, stage.epochs, stage.optimizer) for start, stage in stages] == [
        (0, 80, "adam"),
        (80, 30, "sgd"),
        (110, 90, "adam"),
    ]
    assert {stage.batch for _, stage in stages} == {32}
    # 3 epochs: the phases end after 1.2, 1.65 and 3 of them
    short = parse(phases, "train.epochs=3").train.stages()
    assert [(start, stage.epochs, stage.learning_rate) for start, stage in short] == [
        (0, 1, 1e-3),
        (1, 1, 0.01),
        (2, 1, 1e-3),
    ]
    assert sum(stage.epochs for _, stage in parse(phases, "train.epochs=1").train.stages()) == 1
