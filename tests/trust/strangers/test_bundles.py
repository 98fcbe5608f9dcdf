"""Bundles: a model from a stranger opens no other file, waits for nobody, and takes what it holds."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save

from tagkit.errors import WeightsError
from tagkit.inference import ensemble
from tagkit.weights import assemble, bundle, catalogue, header
from tests.library import small_model
from tests.trust import bounds, command

Record = dict[str, Any]
READERS = (bundle.read_card, bundle.fingerprint, bundle.load)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_model(tmp_path_factory.mktemp("sound") / "small.safetensors")


def forged(
    sound: Path,
    path: Path,
    card: Callable[[Record], object] = lambda _: None,
    tensors: Callable[[dict[str, torch.Tensor]], object] = lambda _: None,
) -> Path:
    """A bundle with a fingerprint that is right: made by somebody who knows how."""
    record, _ = header.read_head(sound)
    state = load_file(sound)
    card(record)
    tensors(state)
    text = json.dumps(record | {"fingerprint": header.digest(record, save(state))})
    path.write_bytes(save(state, {"tagkit": text}))
    return path


def file(text: bytes, rest: bytes = b"") -> bytes:
    return struct.pack("<Q", len(text)) + text + rest


def stated(sound: Path, change: Callable[[Record], object]) -> bytes:
    """The sound file, with another account of where its tensors lie."""
    data = sound.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    table = json.loads(data[8 : 8 + size])
    change(table)
    return file(json.dumps(table).encode(), data[8 + size :])


def _first(table: Record) -> Record:
    found: Record = next(value for key, value in table.items() if key != "__metadata__")
    return found


BYTES: dict[str, Callable[[Path], bytes]] = {
    "a header of 2^60": lambda _: struct.pack("<Q", 1 << 60) + b"{}",
    "a header of 90 MB": lambda _: file(b'{"a":"' + b"x" * 90_000_000 + b'"}'),
    "brackets, 100,000 deep": lambda _: file(b"[" * 100_000),
    "tables, 100,000 deep": lambda _: file(b'{"a":' * 100_000),
    "offsets out of the file": lambda sound: stated(
        sound, lambda table: _first(table).update(data_offsets=[0, 1 << 60])
    ),
    "offsets before the file": lambda sound: stated(
        sound, lambda table: _first(table).update(data_offsets=[-8, 8])
    ),
    "a shape of 2^60": lambda sound: stated(
        sound, lambda table: _first(table).update(shape=[1 << 60, 1 << 60])
    ),
    "tensors that overlap": lambda sound: stated(
        sound,
        lambda table: [
            value.update(data_offsets=[0, 64]) for key, value in table.items() if key[0] != "_"
        ],
    ),
    "a hundred thousand tensors": lambda _: file(
        json.dumps(
            {
                f"t{n}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
                for n in range(100_000)
            }
        ).encode()
    ),
    "a type of its own": lambda sound: stated(
        sound, lambda table: _first(table).update(dtype="OBJECT")
    ),
}


@pytest.mark.parametrize("make", BYTES.values(), ids=BYTES.keys())
def test_a_file_that_lies_is_refused_soon_and_in_little_memory(
    make: Callable[[Path], bytes], sound: Path, tmp_path: Path
) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(make(sound))
    with bounds.soon(4), bounds.within(bounds.GIB // 2), pytest.raises(WeightsError):
        bundle.load(path)


def _duplicated(sound: Path) -> bytes:
    data = sound.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    text = data[8 : 8 + size].rstrip()
    twice = text[:-1] + b',"__metadata__":{"tagkit":"{}"}}'
    return file(twice, data[8 + size :])


def test_a_key_that_is_there_twice_makes_no_second_card(sound: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(_duplicated(sound))
    for read in READERS:
        with pytest.raises(WeightsError):
            read(path)


CARDS: dict[str, Callable[[Record], object]] = {
    "a path as a name": lambda card: card.update(name="../../../etc/cron.d/x"),
    "an absolute path as a name": lambda card: card.update(name="/etc/passwd"),
    "a hidden name": lambda card: card.update(name=".bashrc"),
    "a name of two lines": lambda card: card.update(name="a\nb"),
    "an escape in a title": lambda card: card.update(title="\x1b[2J"),
    "an eight-bit escape": lambda card: card.update(notes="\x9b2J"),
    "a turned direction": lambda card: card.update(licence="\u202eTIM"),
    "an escape in a tag": lambda card: card["tags"].__setitem__(0, ["\x1b[31m", "mood"]),
    "an escape in a score": lambda card: card.update(scores={"\x1b": {"a": [["\x1b"]]}}),
    "a tag that is two": lambda card: card["tags"].__setitem__(0, ["a;b", "mood"]),
    "a NaN": lambda card: card.update(thresholds=[float("nan")] * 6),
    "an infinite threshold": lambda card: card.update(thresholds=[1e999] * 6),
    "an unknown architecture": lambda card: card.update(architecture="os.system"),
    "65,536 layers": lambda card: card.update(
        architecture="self_attention_cnn", arguments={"layers": 65_536}
    ),
    "65,536 layers of another": lambda card: card.update(
        architecture="query2label", arguments={"encoder_layers": 65_536}
    ),
    "65,536 channels": lambda card: card.update(architecture="fcn", arguments={"channels": 65_536}),
    "an argument of 2^80": lambda card: card.update(arguments={"stem": 2**80}),
    "an argument below nothing": lambda card: card.update(arguments={"stem": -4, "dense": 8}),
    "an argument that is a list": lambda card: card.update(arguments={"stem": [[[[[[1]]]]]]}),
    "frames without end": lambda card: card["front_end"].update(chunk_samples=1 << 24, hop=1),
    "a window without end": lambda card: card["front_end"].update(chunk_samples=1 << 62),
}


@pytest.mark.parametrize("change", CARDS.values(), ids=CARDS.keys())
def test_a_card_that_asks_for_too_much_or_leads_elsewhere_is_refused(
    change: Callable[[Record], object], sound: Path, tmp_path: Path
) -> None:
    try:
        path = forged(sound, tmp_path / "x.safetensors", card=change)
    except ValueError:  # what not even the forger's JSON can say
        pytest.fail("the sample could not be made")
    with bounds.soon(20), bounds.within(bounds.GIB // 2), pytest.raises(WeightsError):
        bundle.load(path)


def test_a_wide_network_of_few_tensors_is_measured_before_it_listens(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its window of 16 million samples would be hundreds of millions of values behind the first layer."""
    long = {"chunk_samples": 1 << 24, "hop": 2, "n_fft": 512}
    path = forged(
        sound, tmp_path / "x.safetensors", card=lambda card: card["front_end"].update(long)
    )
    with (
        bounds.within(bounds.GIB // 2),
        pytest.raises(WeightsError, match="too many to listen with"),
    ):
        bundle.load(path)
    monkeypatch.setattr(assemble, "_refuse_large", lambda *_: None)
    with pytest.raises(WeightsError, match="its front end would make"):
        bundle.load(path)


def test_names_of_tensors_lead_nowhere(sound: Path, tmp_path: Path) -> None:
    for name in ("model.__class__", "model./etc/passwd", "model.\x1b[2J", "front_end.../x", "x"):
        path = forged(
            sound,
            tmp_path / "x.safetensors",
            tensors=lambda state, name=name: state.update({name: torch.ones(1)}),  # type: ignore[misc]
        )
        with pytest.raises(WeightsError):
            bundle.load(path)


@pytest.mark.parametrize("kind", ["a pipe", "a device", "a folder", "a loop", "nothing"])
@pytest.mark.parametrize("name", ["x.safetensors", "x.toml"])
def test_what_is_no_file_is_refused_without_waiting(kind: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if kind != "nothing":
        bounds.make_odd(path, kind)
    with bounds.soon(2):
        if path.suffix == ".safetensors":
            for read in READERS:
                with pytest.raises(WeightsError):
                    read(path)
        with pytest.raises(WeightsError):
            ensemble.load([str(path)])


def test_an_ensemble_cannot_ask_for_a_hundred_thousand_members(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(f"members = {['a'] * 100_000}")
    with bounds.soon(4), pytest.raises(WeightsError, match="100,000 members"):
        ensemble.load([str(path)])


def test_members_that_are_no_names_end_in_words(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    for name in (
        "x.toml",
        "./x.toml",
        "x" * 5000 + ".toml",
        "a\\u0000b.toml",
        "/dev/zero",
        "\\u001b",
    ):
        path.write_text(f'members = ["{name}"]')
        with bounds.soon(2), pytest.raises(WeightsError):
            ensemble.load([str(path)])


def test_no_import_leads_out_of_the_cache(tmp_path: Path) -> None:
    """Neither by a name that is given, nor by one that the file has."""
    (tmp_path / "x.pth").write_bytes(b"")
    words = ("--as", "fcn", "--vocabulary", "mtat-top50")
    done = command.run(tmp_path, "weights", "import", tmp_path / "x.pth", *words, "--name", "../x")
    assert done.returncode == 1 and "cannot be a bundle's name" in done.stderr
    for name in ("../../x", "/tmp/x", "x/y", "..", "~x", "-x", "", "a" * 101, "a\0b", "X"):
        with pytest.raises(WeightsError):
            catalogue.new_path(name)


def test_a_strangers_bundles_are_listed_and_verified_in_little_memory(
    sound: Path, tmp_path: Path
) -> None:
    """The real command, over a cache that somebody else has filled."""
    folder = tmp_path / "cache" / "tagkit" / "weights"
    folder.mkdir(parents=True)
    (folder / "good.safetensors").write_bytes(sound.read_bytes())
    for number, make in enumerate(BYTES.values()):
        (folder / f"bad-{number}.safetensors").write_bytes(make(sound))
    os.mkfifo(folder / "pipe.safetensors")
    os.mkfifo(folder / "pipe.toml")
    done = command.run(tmp_path, "weights", "list", before=bounds.memory(2 * bounds.GIB))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "good" in done.stdout and done.stderr.count("error: ") >= 3
