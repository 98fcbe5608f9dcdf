"""Published checkpoints become bundles with every tensor accounted for; hostile ones run no code."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from tagkit import models
from tagkit.errors import WeightsError
from tagkit.vocab import VOCABULARIES, Tag
from tagkit.weights import bundle, convert, registry
from tagkit.weights.convert import Labels
from tests.shared import shared
from tests.test_bundle import Boom

TEACHERS = (
    "jamendo-fcn",
    "jamendo-crnn",
    "jamendo-musicnn",
    "msd-fcn",
    "msd-crnn",
    "mtat-fcn",
    "mtat-musicnn",
    "mtg-moodtheme-vgg",
)


@pytest.fixture(scope="module")
def fcn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint without a filter bank of its own."""
    path = tmp_path_factory.mktemp("checkpoint") / "fcn.pth"
    torch.manual_seed(0)
    torch.save(models.build("fcn", tags=50).state_dict(), path)
    return path


@pytest.mark.parametrize("name", TEACHERS)
def test_a_published_checkpoint_becomes_a_bundle_that_keeps_its_every_tensor(
    name: str, tmp_path: Path
) -> None:
    checkpoint = shared("teachers", f"{name}.pth")
    row = registry.find(name)
    converted = convert.convert(
        checkpoint, row.architecture, convert.vocabulary(row.vocabulary), name=name
    )
    bundle.save(tmp_path / "b.safetensors", *converted)
    loaded = bundle.load(tmp_path / "b.safetensors")
    assert loaded.card.architecture == row.architecture
    assert loaded.card.outputs == VOCABULARIES[row.vocabulary]

    published = torch.load(checkpoint, map_location="cpu", weights_only=True)
    kept = dict(loaded.model.state_dict())
    kept["spec.spectrogram.window"] = loaded.front_end.window
    kept["spec.mel_scale.fb"] = loaded.front_end.mel_fb
    for key, tensor in published.items():
        assert torch.equal(kept.pop(key), tensor), key
    # What is left over is the front end of a checkpoint that has none.
    assert set(kept) <= {"spec.spectrogram.window", "spec.mel_scale.fb"}


@pytest.mark.parametrize("name", [name for name in TEACHERS if not name.startswith("mtg")])
def test_a_converted_teacher_says_what_the_reference_says(name: str, tmp_path: Path) -> None:
    golden = np.load(shared("golden", f"{name.replace('-', '_')}.npz"))["seed0_noise0.1/pred"]
    row = registry.find(name)
    checkpoint = shared("teachers", f"{name}.pth")
    bundle.save(
        tmp_path / "b.safetensors",
        *convert.convert(
            checkpoint, row.architecture, convert.vocabulary(row.vocabulary), name=name
        ),
    )
    loaded = bundle.load(tmp_path / "b.safetensors")
    samples = loaded.card.front_end.chunk_samples
    noise = np.random.default_rng(0).standard_normal((4, samples)).astype("f4") * np.float32(0.1)
    with torch.inference_mode():
        heard = loaded.front_end(torch.from_numpy(noise[:1]))
        probabilities = torch.sigmoid(loaded.model(heard)).numpy()
    np.testing.assert_allclose(probabilities, golden[:1], atol=1e-4)


def test_the_converted_mtg_baseline_says_what_the_reference_says(tmp_path: Path) -> None:
    """Its golden file has outputs for sound as 20·log10, and for images as they are: these."""
    name = "mtg-moodtheme-vgg"
    golden = np.load(shared("golden", "mtg_baseline.npz"))["seed0_normal*18-23/pred"]
    row = registry.find(name)
    labels = convert.vocabulary(row.vocabulary)
    checkpoint = shared("teachers", f"{name}.pth")
    converted = convert.convert(checkpoint, row.architecture, labels, name=name)
    bundle.save(tmp_path / "b.safetensors", *converted)
    loaded = bundle.load(tmp_path / "b.safetensors")
    images = np.random.default_rng(0).standard_normal((4, 96, 1366)) * 18 - 23
    with torch.inference_mode():
        found = torch.sigmoid(loaded.model(torch.from_numpy(images.astype("f4")))).numpy()
    assert found.shape == golden.shape == (4, len(labels.tags))
    np.testing.assert_allclose(found, golden, atol=1e-4)


def test_the_size_of_a_network_is_taken_from_its_tensors(tmp_path: Path) -> None:
    path = tmp_path / "large.pth"
    torch.save(models.build("musicnn", tags=50, width=512, dense=500).state_dict(), path)
    card = convert.convert(path, "musicnn", convert.vocabulary("msd-top50"), name="large").card
    assert (card.architecture, card.arguments) == ("musicnn_large", {"width": 512, "dense": 500})


def test_what_does_not_match_is_listed(fcn: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        convert.convert(fcn, "crnn", convert.vocabulary("mtat-top50"), name="x")
    assert caught.value.path == str(fcn)
    assert "missing: layer5.weight_ih_l0 (96, 128) float32" in str(caught.value)
    assert "more" in str(caught.value)
    with pytest.raises(WeightsError, match=r"dense.weight is \(50, 64\) float32, not \(56, 64\)"):
        convert.convert(fcn, "fcn", convert.vocabulary("jamendo-moodtheme56"), name="x")


def test_a_filter_bank_of_another_size_is_refused(fcn: Path, tmp_path: Path) -> None:
    state = torch.load(fcn, weights_only=True) | {"spec.mel_scale.fb": torch.ones(257, 128)}
    path = tmp_path / "other.pth"
    torch.save(state, path)
    with pytest.raises(WeightsError, match=r"mel_fb is \(257, 128\)"):
        convert.convert(path, "fcn", convert.vocabulary("msd-top50"), name="x")


@pytest.mark.parametrize("architecture", ["combiner", "resnet9000"])
def test_only_architectures_that_listen_are_converted(architecture: str, fcn: Path) -> None:
    with pytest.raises(WeightsError, match=architecture):
        convert.convert(fcn, architecture, convert.vocabulary("msd-top50"), name="x")


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_a_checkpoint_with_code_in_it_is_refused_and_the_code_not_run(
    legacy: bool, tmp_path: Path
) -> None:
    trace, path = tmp_path / "was here", tmp_path / "evil.pth"
    torch.save({"a": Boom(trace)}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(WeightsError, match="no checkpoint of plain tensors"):
        convert.read_checkpoint(path)
    path.write_bytes(pickle.dumps(Boom(trace)))
    with pytest.raises(WeightsError, match="no checkpoint of plain tensors"):
        convert.read_checkpoint(path)
    assert not trace.exists()


def test_a_checkpoint_that_unpacks_to_more_than_itself_is_refused(
    fcn: Path, tmp_path: Path
) -> None:
    path = tmp_path / "bomb.pth"
    with (
        zipfile.ZipFile(fcn) as source,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for member in source.infolist():
            packed.writestr(member.filename, bytes(member.file_size))
    with pytest.raises(WeightsError, match="compressed"):
        convert.read_checkpoint(path)


@pytest.mark.parametrize(
    "content",
    [
        {"state_dict": {"a": torch.ones(1)}},
        [torch.ones(1)],
        {1: torch.ones(1)},
        {"a": 3.0},
        {"a": torch.ones(2, 2).to_sparse()},
    ],
    ids=["nested", "list", "number as name", "number as tensor", "sparse"],
)
def test_what_is_no_state_dict_is_refused(content: object, tmp_path: Path) -> None:
    path = tmp_path / "odd.pth"
    torch.save(content, path)
    with pytest.raises(WeightsError, match="no state dict"):
        convert.read_checkpoint(path)


def test_a_truncated_checkpoint_is_refused_wherever_it_ends(fcn: Path, tmp_path: Path) -> None:
    data, path = fcn.read_bytes(), tmp_path / "cut.pth"
    for tenth in range(10):
        path.write_bytes(data[: len(data) * tenth // 10])
        with pytest.raises(WeightsError) as caught:
            convert.read_checkpoint(path)
        assert caught.value.path == str(path)
    with pytest.raises(WeightsError, match="No such file"):
        convert.read_checkpoint(tmp_path / "absent.pth")


def test_labels_come_from_a_file_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "tags.txt"
    path.write_text("Hip-Hop\n\nno vocals\nSpooky\tmood\nguitar\tgenre\n", encoding="utf-8")
    assert convert.read_labels(path) == Labels(
        ("Hip-Hop", "no vocals", "Spooky", "guitar"),
        # A word of the vocabulary keeps its meaning there.
        (
            Tag("hip hop", "genre"),
            Tag("instrumental", "vocals"),
            Tag("spooky", "mood"),
            Tag("guitar", "instrument"),
        ),
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"rock\nspooky\n", "'spooky'"),
        (b"spooky\tcolour\n", "'colour'"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_a_label_that_says_too_little_is_refused(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "tags.txt"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=says) as caught:
        convert.read_labels(path)
    assert caught.value.path == str(path)


def test_every_published_vocabulary_has_its_labels() -> None:
    for name, outputs in VOCABULARIES.items():
        labels = convert.vocabulary(name)
        assert labels.outputs == outputs
        assert len(labels.tags) == len(outputs)
    with pytest.raises(WeightsError, match="no vocabulary"):
        convert.vocabulary("msd-top51")
