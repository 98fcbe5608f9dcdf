"""A bundle comes back as it was saved, says who it is, and nothing unsound in one is ever loaded."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save

from tagkit import features, models
from tagkit.errors import WeightsError
from tagkit.vocab import Tag
from tagkit.weights import assemble, bundle, header
from tagkit.weights.card import Card
from tagkit.weights.record import to_record

TAGS = (Tag("happy", "mood"), Tag("piano", "instrument"), Tag("spooky", "mood"))
Record = dict[str, Any]
Tensors = dict[str, torch.Tensor]


def parts(
    architecture: str = "ds_cnn", **card: Any
) -> tuple[Card, models.TagModel, features.FrontEndModule | None]:
    row = models.entry(architecture)
    torch.manual_seed(0)
    values: Record = {
        "name": "small",
        "architecture": architecture,
        "arguments": row.arguments,
        "front_end": row.front_end,
        "tags": TAGS,
        "outputs": ("mood/theme---happy", "instrument---piano", "spooky"),
        "thresholds": (0.25, 0.5, 1.0),
        "calibration": ((1.0, 0.0), (2.0, -0.5), (1.0, 0.25)),
        "licence": "CC BY-NC-SA 4.0",
        "scores": {"rank correlation": 0.5, "by category": {"mood": [0.25, 3]}},
        "notes": "Zwei\nZeilen – größer als ASCII",
    }
    model = models.build(architecture, tags=len(TAGS), **row.arguments)
    hears = features.build(row.front_end) if row.front_end else None
    return Card(**values | card), model, hears


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "small.safetensors"
    bundle.save(path, *parts())
    return path


def altered(
    sound: Path,
    path: Path,
    card: Callable[[Record], None] = lambda _: None,
    tensors: Callable[[Tensors], None] = lambda _: None,
) -> Path:
    """A bundle with changes and the fingerprint that they need: made by somebody who knows how."""
    record, _ = header.read_head(sound)
    state = load_file(sound)
    card(record)
    tensors(state)
    found = header.digest(record, save(state))
    text = json.dumps(record | {"fingerprint": found})
    path.write_bytes(save(state, {"tagkit": text}))
    return path


@pytest.mark.parametrize("architecture", models.CATALOGUE)
def test_every_architecture_comes_back_as_it_was_saved(architecture: str, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder" / "model.safetensors"
    card, model, front_end = parts(architecture)
    fingerprint = bundle.save(path, card, model, front_end)
    loaded = bundle.load(path)
    assert loaded.card == bundle.read_card(path) == card
    assert loaded.fingerprint == bundle.fingerprint(path) == fingerprint
    assert not loaded.model.training
    assert (loaded.front_end is None) == (front_end is None) == (architecture == "combiner")
    for ours, theirs in ((loaded.model, model), (loaded.front_end, front_end)):
        if ours is None or theirs is None:
            continue
        assert ours.state_dict().keys() == theirs.state_dict().keys()
        for name, tensor in theirs.state_dict().items():
            assert torch.equal(ours.state_dict()[name], tensor), name
    assert list(path.parent.iterdir()) == [path]


def test_a_loaded_model_says_what_the_saved_one_said_and_can_be_trained_on(sound: Path) -> None:
    _, model, front_end = parts()
    samples = torch.randn(2, 48000, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = model.eval()(front_end(samples))
    loaded = bundle.load(sound)
    logits = loaded.model(loaded.front_end(samples))
    assert torch.equal(logits.detach(), expected)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in loaded.model.parameters())


def test_reading_a_card_needs_no_network_library(sound: Path) -> None:
    code = (
        "import sys; from tagkit.weights import bundle, catalogue, header; import tagkit.cli.weights;"
        "bundle.read_card(sys.argv[1]); bundle.fingerprint(sys.argv[1]); header.read_all(sys.argv[1]);"
        "print([name for name in ('torch', 'sklearn', 'mutagen') if name in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, str(sound)], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "[]"


def test_the_fingerprint_is_the_documented_hash(sound: Path) -> None:
    record = to_record(bundle.read_card(sound))
    whole = {key: record[key] for key in ("architecture", "arguments", "front_end")}
    whole["front_end"] = whole["front_end"] | {"f_min": 0, "f_max": 8000}  # 8000.0 is 8000
    compact: Record = {"separators": (",", ":"), "sort_keys": True}
    digest = hashlib.sha256(json.dumps(whole, **compact).encode())
    kinds = {torch.float32: "F32", torch.int64: "I64"}
    for name, tensor in sorted(load_file(sound).items()):
        digest.update(
            json.dumps([name, kinds[tensor.dtype], list(tensor.shape)], **compact).encode()
        )
        digest.update(tensor.numpy().tobytes())
    assert bundle.fingerprint(sound) == digest.hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"thresholds": None},
        {"thresholds": (0.1, 0.2, 0.3)},
        {"calibration": None},
        {"notes": "", "title": "T", "source": "S", "training_data": "D"},
        {"licence": None, "scores": {}},
        {"tags": (Tag("sad", "mood"), *TAGS[1:])},
    ],
    ids=str,
)
def test_words_and_thresholds_do_not_change_the_fingerprint(
    sound: Path, tmp_path: Path, change: Record
) -> None:
    assert bundle.save(tmp_path / "b.safetensors", *parts(**change)) == bundle.fingerprint(sound)


def test_whatever_changes_the_outputs_changes_the_fingerprint(sound: Path, tmp_path: Path) -> None:
    found = {bundle.fingerprint(sound)}
    card, model, front_end = parts()
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] += 1e-3
    found.add(bundle.save(tmp_path / "weight.safetensors", card, model, front_end))
    front_end.mel_fb[5, 5] += 1e-6
    found.add(bundle.save(tmp_path / "mel.safetensors", card, model, front_end))
    shorter = dataclasses.replace(card.front_end, chunk_samples=40000)
    card = dataclasses.replace(card, front_end=shorter)
    found.add(bundle.save(tmp_path / "chunk.safetensors", card, model, front_end))
    found.add(bundle.save(tmp_path / "large.safetensors", *parts("musicnn")))
    assert len(found) == 5


def test_a_failed_save_leaves_the_old_bundle_and_nothing_else(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "small.safetensors"
    path.write_bytes(sound.read_bytes())
    card, model, front_end = parts()
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] = float("nan")
    with pytest.raises(WeightsError, match="not finite"):
        bundle.save(path, card, model, front_end)
    with pytest.raises(WeightsError, match="not those of musicnn"):
        bundle.save(path, dataclasses.replace(card, architecture="musicnn"), *parts()[1:])

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WeightsError, match="No space left") as caught:
        bundle.save(path, *parts(notes="new"))
    assert caught.value.path == str(path)
    assert path.read_bytes() == sound.read_bytes()
    assert list(tmp_path.iterdir()) == [path]


def change(key: str, value: object) -> Callable[[Record], None]:
    return lambda record: record.__setitem__(key, value)


def inner(key: str, **values: object) -> Callable[[Record], None]:
    return lambda record: record[key].update(values)


def nested(levels: int) -> list[Any]:
    return [nested(levels - 1)] if levels else []


BAD_CARDS: dict[str, tuple[Callable[[Record], Any], str]] = {
    "a later format": (change("format_version", 2), "newer tagkit"),
    "a later format with other keys": (
        lambda r: r.update(format_version=9, extra=1),
        "newer tagkit",
    ),
    "no format": (lambda r: r.pop("format_version"), "no format version"),
    "format as text": (change("format_version", "1"), "no format version"),
    "unknown key": (change("hooks", ["x"]), "unknown 'hooks'"),
    "missing key": (lambda r: r.pop("outputs"), "lacks 'outputs'"),
    "unknown architecture": (change("architecture", "resnet9000"), "no architecture"),
    "architecture as list": (change("architecture", ["fcn"]), "not a text"),
    "one output too few": (lambda r: r["outputs"].pop(), "3 tags, but 2 outputs"),
    "one threshold too many": (lambda r: r["thresholds"].append(0.5), "3 tags, but 4 thresholds"),
    "threshold above 1": (change("thresholds", [0.5, 0.5, 1.5]), "not between 0 and 1"),
    "threshold below 0": (change("thresholds", [0.5, 0.5, -0.1]), "not between 0 and 1"),
    "threshold NaN": (change("thresholds", [0.5, 0.5, float("nan")]), "NaN is not a JSON number"),
    "threshold true": (change("thresholds", [0.5, 0.5, True]), "not a number"),
    "threshold of 10^400": (change("thresholds", [0.5, 0.5, 10**400]), "not a number"),
    "calibration of three": (change("calibration", [[1, 2, 3]] * 3), r"\(scale, shift\)"),
    "calibration infinite": (change("calibration", [[1, float("inf")]] * 3), "not a JSON number"),
    "no tags": (lambda r: r.update(tags=[], outputs=[], thresholds=None, calibration=None), "1 to"),
    "a tag more": (lambda r: r.update(tags=r["tags"] + [["sad", "mood"]]), "4 tags, but 3"),
    "category": (change("tags", [["happy", "colour"]] * 3), "unknown category"),
    "tag with a separator": (change("tags", [["happy;sad", "mood"]] * 3), "cannot be a tag"),
    "tag in capitals": (change("tags", [["Happy", "mood"]] * 3), "cannot be a tag"),
    "empty tag": (change("tags", [["", "mood"]] * 3), "cannot be a tag"),
    "tag of three": (change("tags", [["happy", "mood", "x"]] * 3), "name and a category"),
    "tags as table": (change("tags", {"happy": "mood"}), "not a list"),
    "name as path": (change("name", "../../etc/passwd"), "cannot be a bundle's name"),
    "name with a space": (change("name", "a b"), "cannot be a bundle's name"),
    "escape sequence": (change("notes", "fine\x1b[2Jgone"), "control character"),
    "escape sequence in scores": (
        change("scores", {"a": [{"\x1b]0;x\x07": 1}]}),
        "control character",
    ),
    "right-to-left override": (change("title", "gpj.\u202eexe"), "control character"),
    "half a character": (change("title", "\ud800"), "control character"),
    "deep scores": (change("scores", {"a": nested(300)}), "levels deep"),
    "deep arguments": (change("arguments", {"dense": nested(300)}), "levels deep"),
    "licence as number": (change("licence", 3), "licence in its card is not a text"),
    "scores as list": (change("scores", [1]), "scores in its card is not a table"),
    "argument that is huge": (inner("arguments", dense=10**12), "out of range"),
    "argument list that is huge": (inner("arguments", dense=[1] * 101), "too long"),
    "argument that is deep": (inner("arguments", dense=[[[[[1]]]]]), "too long"),
    "wide, but not so in the tensors": (inner("arguments", dense=65536), "not those of ds_cnn"),
    "argument of another model": (inner("arguments", wings=2), "cannot be built"),
    "argument of no use": (inner("arguments", dense=-3), "cannot be built"),
    "argument as text": (inner("arguments", dense="wide"), "cannot be built"),
    "front end unknown": (inner("front_end", hook="x"), "unknown 'hook'"),
    "front end as text": (inner("front_end", n_fft="512"), "wrong type"),
    "front end true": (inner("front_end", n_mels=True), "wrong type"),
    "front end huge": (inner("front_end", n_fft=2**40), "out of range"),
    "front end other": (inner("front_end", n_fft=1024), "not those of its front end"),
    "front end absent": (change("front_end", None), "hears no audio"),
}


@pytest.mark.parametrize(("alter", "says"), BAD_CARDS.values(), ids=BAD_CARDS.keys())
def test_an_unsound_card_is_refused(
    alter: Callable[[Record], None], says: str, sound: Path, tmp_path: Path
) -> None:
    path = altered(sound, tmp_path / "bad.safetensors", card=alter)
    with pytest.raises(WeightsError, match=says) as caught:
        bundle.load(path)
    assert caught.value.path == str(path)


def first_conv(tensors: Tensors, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    tensors["model.stem.weight"] = change(tensors["model.stem.weight"])


def with_value(value: float) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda tensor: tensor.index_fill(0, torch.tensor([0]), value)


BAD_TENSORS: dict[str, tuple[Callable[[Tensors], Any], str]] = {
    "missing": (lambda t: t.pop("model.stem.weight"), "missing: stem.weight"),
    "left over": (lambda t: t.update({"model.wing": torch.ones(2)}), "left over: wing"),
    "of nobody": (lambda t: t.update({"wing": torch.ones(2)}), "belongs neither"),
    "wrong shape": (
        lambda t: first_conv(t, lambda w: w[:1].clone()),
        r"stem.weight is \(1, 1, 3, 3\)",
    ),
    "wrong type": (lambda t: first_conv(t, torch.Tensor.double), "float64, not .* float32"),
    "NaN": (lambda t: first_conv(t, with_value(float("nan"))), "not finite"),
    "infinite": (lambda t: first_conv(t, with_value(float("inf"))), "not finite"),
    "no window": (lambda t: t.pop("front_end.window"), "missing: window"),
    "mel of another size": (
        lambda t: t.update({"front_end.mel_fb": torch.ones(257, 128)}),
        r"mel_fb is \(257, 128\)",
    ),
}


@pytest.mark.parametrize(("alter", "says"), BAD_TENSORS.values(), ids=BAD_TENSORS.keys())
def test_tensors_that_do_not_fit_are_refused(
    alter: Callable[[Tensors], None], says: str, sound: Path, tmp_path: Path
) -> None:
    path = altered(sound, tmp_path / "bad.safetensors", tensors=alter)
    with pytest.raises(WeightsError, match=says):
        bundle.load(path)


def length(value: int) -> bytes:
    return value.to_bytes(8, "little")


def header_only(text: bytes) -> bytes:
    return length(len(text)) + text


BAD_BYTES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "too short"),
    "seven bytes": (b"1234567", "too short"),
    "a header of 2^60": (length(2**60) + b"{}", "no bundle"),
    "a header of 2^64 - 1": (b"\xff" * 8 + b"{}", "no bundle"),
    "a header longer than the file": (length(100) + b"{}", "ends within its header"),
    "a header of zeros": (bytes(4096), "too short"),
    "no JSON": (header_only(b"not json at all!"), "header is not JSON"),
    "no UTF-8": (header_only(b'{"a": "\xff\xfe"}'), "header is not JSON"),
    "a list": (header_only(b"[1, 2, 3]"), "not a JSON object"),
    "deep nesting": (header_only(b"[" * 1_000_000), "header is not JSON"),
    "another program's": (save({"a": torch.ones(2)}, {"format": "pt"}), "no tagkit card"),
    "metadata as text": (header_only(b'{"__metadata__": "x"}'), "no tagkit card"),
    "a card that is no JSON": (save({}, {"tagkit": "{"}), "card is not JSON"),
    "a card without a fingerprint": (save({}, {"tagkit": "{}"}), "no fingerprint"),
    "a digit bomb": (save({}, {"tagkit": "9" * 10_000}), "card is not JSON"),
}


@pytest.mark.parametrize(("data", "says"), BAD_BYTES.values(), ids=BAD_BYTES.keys())
def test_what_is_no_bundle_is_refused(data: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(data)
    for read in (bundle.read_card, bundle.fingerprint, bundle.load):
        with pytest.raises(WeightsError, match=says):
            read(path)


def test_one_flipped_bit_in_a_tensor_is_noticed(sound: Path, tmp_path: Path) -> None:
    data = bytearray(sound.read_bytes())
    data[-1000] ^= 1
    path = tmp_path / "flipped.safetensors"
    path.write_bytes(data)
    assert bundle.read_card(path) == bundle.read_card(sound)
    with pytest.raises(WeightsError, match="not those that its card was written for"):
        bundle.load(path)


def test_a_truncated_bundle_is_refused_wherever_it_ends(sound: Path, tmp_path: Path) -> None:
    data = sound.read_bytes()
    path = tmp_path / "cut.safetensors"
    for fiftieth in range(50):
        path.write_bytes(data[: len(data) * fiftieth // 50])
        with pytest.raises(WeightsError):
            bundle.load(path)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255), whole=st.booleans())
def test_a_changed_header_byte_is_harmless_or_refused(
    sound: Path, tmp_path: Path, place: float, value: int, whole: bool
) -> None:
    data = bytearray(sound.read_bytes())
    size = 8 + int.from_bytes(data[:8], "little")
    data[int(place * (size if whole else 64))] = value
    path = tmp_path / "fuzzed.safetensors"
    path.write_bytes(data)
    try:
        loaded = bundle.load(path)
    except WeightsError:
        return
    assert loaded.fingerprint == bundle.fingerprint(sound)


class Boom:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.path),)


def test_a_pickle_is_no_bundle_and_is_not_run(tmp_path: Path) -> None:
    path, trace = tmp_path / "model.safetensors", tmp_path / "was here"
    path.write_bytes(pickle.dumps(Boom(trace)))
    with pytest.raises(WeightsError):
        bundle.load(path)
    assert not trace.exists()


def test_a_path_that_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    fifo = tmp_path / "pipe.safetensors"
    os.mkfifo(fifo)
    for path in (fifo, tmp_path, tmp_path / "absent.safetensors"):
        with pytest.raises(WeightsError) as caught:
            bundle.load(path)
        assert caught.value.path == str(path)


def test_overlapping_tensors_are_refused(sound: Path, tmp_path: Path) -> None:
    data = sound.read_bytes()
    size = int.from_bytes(data[:8], "little")
    table = json.loads(data[8 : 8 + size])
    names = [name for name in table if name != "__metadata__"]
    table[names[1]]["data_offsets"] = table[names[0]]["data_offsets"]
    path = tmp_path / "overlap.safetensors"
    path.write_bytes(header_only(json.dumps(table).encode()) + data[8 + size :])
    with pytest.raises(WeightsError, match="no sound safetensors file"):
        bundle.load(path)


@pytest.mark.parametrize("architecture", ["ds_cnn", "mel_tcn", "musicnn"])
def test_a_bundle_with_some_of_its_outputs_says_the_same_of_them(
    architecture: str, tmp_path: Path
) -> None:
    card, model, hears = parts(architecture)
    fewer, small = assemble.keep(card, model.eval(), [2, 0])
    assert fewer.tags == (TAGS[2], TAGS[0])
    assert (fewer.outputs, fewer.thresholds) == (("spooky", "mood/theme---happy"), (1.0, 0.25))
    assert fewer.calibration == ((1.0, 0.25), (1.0, 0.0))
    bundle.save(tmp_path / "fewer.safetensors", fewer, small, hears)
    found = bundle.load(tmp_path / "fewer.safetensors")
    assert hears is not None
    samples = torch.randn(2, hears.front_end.chunk_samples, generator=torch.manual_seed(0)) / 10
    with torch.inference_mode():
        whole, embedding = model.hear(hears(samples))
        some, same = found.model.hear(hears(samples))
    assert torch.allclose(some, whole[:, [2, 0]], atol=1e-5)
    assert torch.allclose(same, embedding, atol=1e-5)


def test_outputs_are_kept_only_where_tags_are_rows() -> None:
    card, model, _ = parts("query2label")
    with pytest.raises(WeightsError, match="query2label cannot do with fewer tags"):
        assemble.keep(card, model, [0, 1])
