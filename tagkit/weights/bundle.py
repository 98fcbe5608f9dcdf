"""A model in one file that says what it is: tensors as safetensors, the card as JSON in the header.

::

    name.safetensors = header { __metadata__: { tagkit: card and fingerprint }, tensors … } + bytes
    tensors          = model.* (the model's state), front_end.window, front_end.mel_fb

The *fingerprint* is a sha256 over what decides the outputs: architecture, arguments, front end and all
tensors in the order of their names. The rest of the card is not in it, so that editing a threshold or
a note does not make a library be analysed again.

Reading the card needs neither torch nor the tensors. A bundle holds no pickle, nothing in it is
believed before it is checked, and whatever is wrong with one is a WeightsError.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tagkit.errors import WeightsError
from tagkit.weights import header
from tagkit.weights.card import Card
from tagkit.weights.record import from_record, to_record

if TYPE_CHECKING:
    from torch import Tensor

    from tagkit.features import FrontEndModule
    from tagkit.models import TagModel


@dataclass
class Bundle:
    """A loaded model, on the CPU and in evaluation mode. Equal fingerprints mean equal outputs."""

    card: Card
    model: TagModel
    front_end: FrontEndModule | None  # None: a combiner
    fingerprint: str


def read_card(path: str | os.PathLike[str]) -> Card:
    """Return the card; only the header is read. Raises WeightsError for what is no sound bundle."""
    record, _ = header.read_head(path)
    with header.naming(path):
        return from_record(record)


def fingerprint(path: str | os.PathLike[str]) -> str:
    """Return the fingerprint that the header states; :func:`load` proves it before use."""
    return header.read_head(path)[1]


def load(path: str | os.PathLike[str]) -> Bundle:
    """Return the model, ready to listen. Raises WeightsError for anything unsound in the file."""
    from safetensors.torch import load as deserialise

    record, proven, data = header.read_all(path)
    with header.naming(path):
        card = from_record(record)
        model, front_end = _parts(card, deserialise(data))
    return Bundle(card, model, front_end, proven)


def save(
    path: str | os.PathLike[str], card: Card, model: TagModel, front_end: FrontEndModule | None
) -> str:
    """Write a bundle and return its fingerprint.

    What was at ``path`` is replaced whole or, when anything fails, left as it was. Raises WeightsError
    for tensors that do not fit the card or are not finite, and where the file cannot be written.
    """
    from safetensors.torch import save as serialise

    state = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    if front_end is not None:
        state |= {f"front_end.{name}": tensor for name, tensor in front_end.state_dict().items()}
    # Copies: tensors that share memory, views and other devices cannot be written.
    tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in state.items()}
    with header.naming(path):
        _parts(card, tensors)
    record = to_record(card)
    found = header.digest(record, serialise(tensors))
    header.replace(path, serialise(tensors, header.metadata(record, found)))
    return found


def _parts(card: Card, tensors: Mapping[str, Tensor]) -> tuple[TagModel, FrontEndModule | None]:
    from tagkit.weights import assemble

    state: dict[str, dict[str, Tensor]] = {"model": {}, "front_end": {}}
    for name, tensor in tensors.items():
        owner, _, rest = name.partition(".")
        if owner not in state:
            raise WeightsError(f"tensor {name!r} belongs neither to the model nor to its front end")
        state[owner][rest] = tensor
    model = assemble.model(
        card.architecture, card.arguments, len(card.tags), state["model"], card.front_end
    )
    if card.front_end is not None:
        return model, assemble.front_end(card.front_end, state["front_end"])
    if state["front_end"]:
        raise WeightsError("it has a front end's tensors, but its card says that it hears no audio")
    return model, None
