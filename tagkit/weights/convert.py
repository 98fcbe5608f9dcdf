"""Published checkpoints (``.pth``) into a card, a model and a front end.

A checkpoint is a pickled state dict. It is read with ``weights_only=True``, which rebuilds tensors and
runs no code from the file, and every tensor in it must find its place. Checkpoints of
minzwon/sota-music-tagging-models carry their filter bank and window; those are kept, since the
network was trained on them and they differ from ours by rounding.
"""

from __future__ import annotations

import os
from difflib import get_close_matches
from typing import NamedTuple

import torch
from torch import Tensor

from tagkit import strangers
from tagkit.errors import VocabularyError, WeightsError
from tagkit.features import FrontEndModule, build
from tagkit.front_end import FrontEnd
from tagkit.models import CATALOGUE, TagModel, entry
from tagkit.vocab import CATEGORIES, VOCABULARIES, Tag, canonical, known
from tagkit.weights import assemble, checkpoint
from tagkit.weights.card import Card
from tagkit.weights.header import naming

# Where torchaudio's modules keep them in the reference's state dicts.
_FRONT_END = {
    f"{prefix}spec.{theirs}": ours
    for prefix in ("", "backbone.0.")  # the second is Query2Label's
    for theirs, ours in (("spectrogram.window", "window"), ("mel_scale.fb", "mel_fb"))
}


_MOST_BYTES = 1 << 31


class Labels(NamedTuple):
    """What the outputs mean, in their order: published spellings and canonical tags."""

    outputs: tuple[str, ...]
    tags: tuple[Tag, ...]


class Converted(NamedTuple):
    """The arguments of :func:`tagkit.weights.bundle.save` after the path."""

    card: Card
    model: TagModel
    front_end: FrontEndModule


def vocabulary(name: str) -> Labels:
    """Return the labels of a published vocabulary. Raises WeightsError, naming those there are."""
    if name not in VOCABULARIES:
        raise WeightsError(
            f"no vocabulary is called {name!r}", hint=f"there are {', '.join(VOCABULARIES)}"
        )
    outputs = VOCABULARIES[name]
    return Labels(outputs, tuple(canonical(spelling) for spelling in outputs))


def read_labels(path: str | os.PathLike[str]) -> Labels:
    """Return the labels in a text file: one output a line, in order; blank lines do not count.

    A word that tagkit does not know needs its category after a tab (``spooky<TAB>mood``). Raises
    WeightsError, with the line.
    """
    try:
        text = strangers.content(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WeightsError(f"cannot be read as a list of tags: {reason}", path=path) from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    labels = [_label(line, path) for line in lines]
    return Labels(tuple(spelling for spelling, _ in labels), tuple(tag for _, tag in labels))


def _label(line: str, path: str | os.PathLike[str]) -> tuple[str, Tag]:
    spelling, _, category = (part.strip() for part in line.partition("\t"))
    if category and category not in CATEGORIES:
        near = get_close_matches(category, CATEGORIES, n=1) or CATEGORIES
        raise WeightsError(
            f"{line!r}: no category is called {category!r}",
            path=path,
            hint=f"did you mean {' or '.join(near)}?",
        )
    if category and not known(spelling):
        return spelling, Tag(spelling.lower(), category)
    try:
        return spelling, canonical(spelling)
    except VocabularyError as error:
        raise WeightsError(
            f"{error.message} in tagkit's vocabulary",
            path=path,
            hint="give its category after a tab: " + ", ".join(CATEGORIES),
        ) from error


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Return the state dict in a ``.pth`` file. Raises WeightsError for anything else in it."""
    with naming(path):
        try:
            state = checkpoint.load(path, most=_MOST_BYTES)
        except (OSError, WeightsError):
            raise
        except Exception as error:  # a pickle from a stranger may fail in any way
            raise WeightsError(
                "is no checkpoint of plain tensors, and nothing else is ever loaded",
                hint="torch.save(model.state_dict(), FILE) makes one",
            ) from error
        if not isinstance(state, dict) or not all(
            isinstance(name, str) and isinstance(tensor, Tensor) and tensor.layout == torch.strided
            for name, tensor in state.items()
        ):
            raise WeightsError(
                "is no state dict: names and tensors", hint="torch.save(model.state_dict(), FILE)"
            )
        return dict(state)


def convert(
    path: str | os.PathLike[str],
    architecture: str,
    labels: Labels,
    *,
    name: str,
    licence: str | None = None,
    title: str = "",
    source: str = "",
    training_data: str = "",
    notes: str = "",
) -> Converted:
    """Return card, model and front end of the checkpoint at ``path``.

    ``architecture``: a name of the models' catalogue; where the catalogue has the same network in
    several sizes (``musicnn``, ``musicnn_large``) the size is taken from the tensors.
    Raises WeightsError that lists the tensors which do not match.
    """
    front_end = _listening(architecture)
    state = read_checkpoint(path)
    own = {_FRONT_END[key]: state.pop(key) for key in _FRONT_END if key in state}
    with naming(path):
        size, model = _sized(architecture, len(labels.tags), state)
        card = Card(
            name=name,
            architecture=size,
            arguments=entry(size).arguments,
            front_end=front_end,
            tags=labels.tags,
            outputs=labels.outputs,
            licence=licence,
            title=title,
            source=source,
            training_data=training_data,
            notes=notes,
        )
        buffers = build(front_end).state_dict() | own
        return Converted(card, model, assemble.front_end(front_end, buffers))


def _listening(architecture: str) -> FrontEnd:
    front_end = entry(architecture).front_end
    if front_end is None:
        raise WeightsError(f"{architecture} hears nothing: it is a part of an ensemble")
    return front_end


def _sized(architecture: str, tags: int, state: dict[str, Tensor]) -> tuple[str, TagModel]:
    """Return the first catalogue row of the same network that takes ``state``, and its model."""
    network = entry(architecture).model
    sizes = [name for name, row in CATALOGUE.items() if row.model is network]
    sizes.sort(key=lambda name: name != architecture)
    refusals = []
    for size in sizes:
        try:
            return size, assemble.model(size, CATALOGUE[size].arguments, tags, state)
        except WeightsError as error:
            refusals.append(error)
    raise refusals[0]
