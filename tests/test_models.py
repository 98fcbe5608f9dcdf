"""Every architecture is the published one: parameter counts, outputs by rule, outputs of the real weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tagkit import models
from tagkit.errors import WeightsError
from tagkit.features import FrontEndModule, LogMel, build
from tagkit.front_end import FrontEnd
from tagkit.models import CATALOGUE
from tagkit.vocab import canonical
from tagkit.weights import bundle
from tagkit.weights.card import Card
from tests import reference
from tests.shared import shared

BY_RULE = {
    # catalogue            golden name             parameters
    "fcn": ("fcn", 447_732),
    "crnn": ("crnn", 394_100),
    "musicnn": ("musicnn_mtat_jamendo", 784_300),
    "musicnn_large": ("musicnn_msd", 7_972_000),
    "short_chunk_rescnn": ("short_res", 12_104_244),
    "short_chunk_cnn": ("short", 3_687_348),
    "self_attention_cnn": ("attention", 10_521_652),
    "harmonic_cnn": ("hcnn", 3_631_551),
    "query2label": ("q2l", 18_569_780),
    "sample_cnn": ("sample", 1_869_874),
    "sample_cnn_se": ("se", 6_951_858),
    "focal_rescnn": ("usc_short_res", 11_961_146),
}
LEARNED = [n for n, row in CATALOGUE.items() if row.trained in ("descent", "predictions")]
CHECKPOINTS = (
    "jamendo-fcn jamendo-crnn jamendo-musicnn msd-fcn msd-crnn mtat-fcn mtat-musicnn".split()
)


def _load(architecture: str, tags: int, state: dict[str, torch.Tensor]) -> models.TagModel:
    model = models.build(architecture, tags).eval()
    found = model.load_state_dict(state, strict=False)
    assert not found.unexpected_keys
    assert all(
        key.endswith(("num_batches_tracked", ".pe", ".window")) for key in found.missing_keys
    )
    return model


@torch.inference_mode()
def _outputs(model: models.TagModel, front_end: FrontEndModule, samples: np.ndarray) -> np.ndarray:
    return model(front_end(torch.from_numpy(samples))).numpy()


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("architecture", BY_RULE)
def test_outputs_by_rule(architecture: str) -> None:
    name, parameters = BY_RULE[architecture]
    golden = reference.golden(f"det_{name}")
    model = _load(architecture, golden["pred"].shape[1], reference.weights_by_rule(name))
    assert sum(p.numel() for p in model.parameters()) == parameters
    front_end = CATALOGUE[architecture].front_end
    assert front_end is not None
    length = int(golden["L"])
    assert length == front_end.chunk_samples
    rows = [
        reference.noise(length)[0]
        if start < 0
        else reference.piece(str(file), 16000)[start : start + length]
        for file, start in zip(golden["files"], golden["starts"], strict=True)
    ]
    found = _outputs(model, build(front_end), np.stack(rows))
    if architecture == "focal_rescnn":  # the one whose code returns logits
        assert np.abs(found - golden["pred"]).max() <= 1e-2
        found, golden["pred"] = _sigmoid(found), _sigmoid(golden["pred"])
    else:
        found = _sigmoid(found)
    reference.assert_same_probabilities(found, golden["pred"])


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_outputs_of_the_published_weights(name: str) -> None:
    architecture = name.split("-")[1]
    state = torch.load(shared("teachers", f"{name}.pth"), weights_only=True, map_location="cpu")
    bank = state["spec.mel_scale.fb"]
    ours = {key: value for key, value in state.items() if not key.startswith("spec.")}
    model = models.build(architecture, 50).eval()
    model.load_state_dict(ours, strict=True)
    front_end = CATALOGUE[architecture].front_end
    assert front_end is not None
    hears = LogMel(front_end, bank)
    golden = reference.golden(name.replace("-", "_"))
    length = front_end.chunk_samples
    found = _sigmoid(_outputs(model, hears, reference.noise(length, 4)))
    reference.assert_same_probabilities(found, golden["seed0_noise0.1/pred"])
    piece = "Karissa_Hobbs_-_Lets_Go_Fishin"
    samples = reference.piece(piece, 16000)
    starts = golden[f"{piece}/starts"][:4]
    found = _sigmoid(_outputs(model, hears, np.stack([samples[s : s + length] for s in starts])))
    reference.assert_same_probabilities(found, golden[f"{piece}/pred"][:4])


def test_the_mtg_network_by_rule() -> None:
    """Its reference was given images, and no sound."""
    model = _load("mtg_vgg", 56, reference.weights_by_rule("mtg_vggish_mood"))
    images = np.random.default_rng(0).standard_normal((4, 96, 1366))
    with torch.inference_mode():
        found = torch.sigmoid(model(torch.from_numpy(images.astype(np.float32)))).numpy()
    reference.assert_same_probabilities(found, reference.golden("det_mtg_vggish_mood")["pred"])


@pytest.mark.parametrize("piece", ["Kevin_MacLeod_-_Vibe_Ace", "pibble"])
def test_outputs_of_the_mtg_baseline(piece: str) -> None:
    model = models.build("mtg_vgg", 56).eval()
    assert sum(p.numel() for p in model.parameters()) == 448_122
    model.load_state_dict(
        torch.load(
            shared("teachers", "mtg-moodtheme-vgg.pth"), weights_only=True, map_location="cpu"
        )
    )
    front_end = CATALOGUE["mtg_vgg"].front_end
    assert front_end is not None
    samples = reference.piece(piece, 12000)
    start = (len(samples) - front_end.chunk_samples) // 2
    chunk = torch.from_numpy(samples[None, start : start + front_end.chunk_samples])
    with torch.inference_mode():
        image = LogMel(front_end)(chunk)
        # The golden outputs were made from 20·log10, as MTG's script writes it.
        found = torch.sigmoid(model(2 * image)).numpy()
    wanted = reference.golden("mtg_baseline")[f"{piece}/lib_centre29.1/pred"][None]
    reference.assert_same_probabilities(found, wanted)


# Of paper 5's tables, which count as Keras does: with BatchNorm's running statistics.
@pytest.mark.parametrize(
    ("architecture", "size"), [("light_1", 2_153_138), ("light_2", 2_124_466), ("light_3", 783_794)]
)
def test_the_light_models_have_the_papers_sizes(architecture: str, size: int) -> None:
    model = models.build(architecture, 50)
    named = [*model.named_parameters(), *model.named_buffers()]
    counted = {k: v for k, v in named if "normalise" not in k and "num_batches" not in k}
    assert sum(tensor.numel() for tensor in counted.values()) == size


def test_the_light_models_images_are_the_papers() -> None:
    front_end = CATALOGUE["light_1"].front_end
    assert front_end is not None
    assert (front_end.n_mels, front_end.frames, front_end.chunk_samples) == (128, 592, 465_600)


def test_the_steps_of_paper_3() -> None:
    # 3·3·in·out + out a convolution, 2·out its BatchNorm, 2 the image's, then the classifier.
    baseline = models.build("baseline_cnn", 50)
    blocks = 3 * 3 * (64 + 64 * 128 + 128 * 128 + 128 * 64) + 3 * (64 + 128 + 128 + 64)
    assert sum(p.numel() for p in baseline.parameters()) == blocks + 2 + 64 * 50 + 50
    # Its table: output size (mel, time) of each block, of (96, 188).
    sizes = {
        "baseline_cnn": [(24, 47), (8, 15), (2, 5), (1, 1)],
        "six_block_cnn": [(48, 94), (24, 47), (12, 23), (6, 11), (3, 5), (1, 1)],
    }
    for architecture, wanted in sizes.items():
        model = models.build(architecture, 50, channels=2).eval()
        found = []
        x = torch.zeros(1, 1, 96, 188)
        for number in range(1, len(wanted) + 1):
            x = model.get_submodule(f"layer{number}")(x)
            found.append(tuple(x.shape[2:]))
        assert found == wanted
    plain = models.build("baseline_cnn", 50, activation="elu", batch_norm=False)
    assert sum(isinstance(m, torch.nn.ELU) for m in plain.modules()) == 4
    assert sum(isinstance(m, torch.nn.BatchNorm2d) for m in plain.modules()) == 1


def _tiny(architecture: str, tags: int = 7) -> tuple[models.TagModel, torch.Tensor]:
    """The small version of a network, fresh, and an input of its published size for a batch of two."""
    row = CATALOGUE[architecture]
    torch.manual_seed(0)
    model = models.build(architecture, tags, **row.tiny)
    if row.front_end is None:
        return model, torch.rand(2, 150)
    noise = torch.from_numpy(reference.noise(row.front_end.chunk_samples, 2))
    return model, build(row.front_end)(noise)


@pytest.mark.parametrize("architecture", CATALOGUE)
def test_the_contract(architecture: str) -> None:
    model, image = _tiny(architecture)
    model.eval()
    with torch.inference_mode():
        logits, embedding = model.hear(image)
        assert embedding.shape[0] == 2 and embedding.ndim == 2
        assert logits.shape == (2, 7)
        assert torch.allclose(model(image), logits, atol=1e-5)
        assert torch.allclose(model.embed(image), embedding, atol=1e-5)
        # A chunk's logits do not depend on the others in its batch.
        assert torch.allclose(model(image[:1]), logits[:1], atol=1e-3)


@pytest.mark.parametrize("architecture", [n for n, row in CATALOGUE.items() if row.front_end])
def test_the_published_network_hears_the_published_front_end(architecture: str) -> None:
    front_end = CATALOGUE[architecture].front_end
    assert front_end is not None
    models.check(architecture, front_end)


@pytest.mark.parametrize("architecture", LEARNED)
def test_every_parameter_learns(architecture: str) -> None:
    model, image = _tiny(architecture)
    torch.nn.functional.softplus(model.train()(image)).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        # A bias before BatchNorm has no effect; every weight has.
        assert parameter.ndim < 2 or parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("architecture", CATALOGUE)
def test_a_tiny_version_comes_back_from_its_bundle(architecture: str, tmp_path: Path) -> None:
    row = CATALOGUE[architecture]
    model, image = _tiny(architecture, 2)
    names = ("happy", "piano")
    card = Card(
        name="tiny",
        architecture=architecture,
        arguments=row.tiny,
        front_end=row.front_end,
        tags=tuple(canonical(name) for name in names),
        outputs=names,
    )
    front_end = None if row.front_end is None else build(row.front_end)
    bundle.save(tmp_path / "tiny.safetensors", card, model.eval(), front_end)
    loaded = bundle.load(tmp_path / "tiny.safetensors")
    with torch.inference_mode():
        assert torch.equal(loaded.model(image), model(image))


@pytest.mark.parametrize("architecture", LEARNED)
def test_the_prior_is_where_the_logits_start(architecture: str) -> None:
    model, image = _tiny(architecture)
    model.eval()
    with torch.inference_mode():
        models.set_prior(model, 0.5)
        plain = model(image)
        models.set_prior(model, 0.01)
        # The paper's code sets −ln 99.
        assert torch.allclose(model(image), plain - np.log(99), atol=1e-4)
        shares = torch.linspace(0.1, 0.9, 7)
        models.set_prior(model, shares)
        assert torch.allclose(model(image), plain + shares.logit(), atol=1e-4)


def test_what_learns_no_bias_has_no_prior() -> None:
    with pytest.raises(WeightsError, match="Popularity"):
        models.set_prior(models.build("popularity", 2), 0.1)


@pytest.mark.parametrize(
    ("architecture", "seconds"),
    [("fcn", 30), ("crnn", 30), ("short_chunk_cnn", 10), ("short_chunk_cnn", 30), ("svm", 10)],
)
def test_the_lengths_of_paper_2(architecture: str, seconds: int) -> None:
    front_end = FrontEnd(seconds * 16000, n_mels=128)
    models.check(architecture, front_end)
    tiny = models.build(architecture, 3, **CATALOGUE[architecture].tiny).eval()
    assert tiny(torch.zeros(1, 128, front_end.frames)).shape == (1, 3)


@pytest.mark.parametrize(
    ("architecture", "front_end"),
    [
        ("fcn", FrontEnd(48000)),  # too short for its pooling
        ("short_chunk_cnn", FrontEnd(59049)),  # 96 mels do not halve seven times
        ("light_1", FrontEnd(465600, n_mels=128)),  # its last layer is for 592 frames
        ("musicnn", FrontEnd(48000, n_mels=0)),  # samples to a network of images
    ],
)
def test_an_image_that_does_not_fit_is_refused(architecture: str, front_end: FrontEnd) -> None:
    with pytest.raises(WeightsError, match=f"{architecture} cannot hear"):
        models.check(architecture, front_end)


def test_other_lengths_are_an_argument_of_the_light_models() -> None:
    front_end = FrontEnd(160000, n_fft=2048, hop=787, n_mels=128)
    for architecture in ("light_1", "light_2"):
        models.check(architecture, front_end, frames=front_end.frames)


def test_query2label_without_its_encoder() -> None:
    _, image = _tiny("query2label")
    plain = models.build("query2label", 7, channels=4, encoder_layers=0)
    assert not [name for name, _ in plain.named_parameters() if "encoder" in name]
    assert plain.eval()(image).shape == (2, 7)


def test_the_combiner_has_the_papers_size() -> None:
    combiner = models.build("combiner", 50)
    assert sum(p.numel() for p in combiner.parameters()) == 195_890
    assert combiner(torch.rand(3, 150)).shape == (3, 50)


@pytest.mark.parametrize("architecture", ["ds_cnn", "mel_tcn"])
def test_students_stay_small(architecture: str) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    model = models.build(architecture, 142).eval()
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 96, 188))
    assert counter.get_total_flops() <= 60e6
    assert sum(p.numel() for p in model.parameters()) * 4 <= 3e6


def test_unknown_names_and_arguments_are_refused() -> None:
    with pytest.raises(WeightsError, match="musicnn"):
        models.build("musicn", 50)
    with pytest.raises(WeightsError, match="fcn cannot be built"):
        models.build("fcn", 50, depth=3)
    for architecture, arguments in (
        ("light_1", {"frames": 10}),
        ("light_2", {"frames": 64}),
        ("baseline_cnn", {"activation": "tanh"}),
        ("six_block_cnn", {"channels": -1}),
        ("svm", {"kernel": "poly"}),
    ):
        with pytest.raises(WeightsError, match=f"{architecture} cannot be built"):
            models.build(architecture, 50, **arguments)
