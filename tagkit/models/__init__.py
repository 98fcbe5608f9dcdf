"""The catalogue of architectures: one small file each, one row each in the table below.

To add one: write ``tagkit/models/NAME.py`` with a :class:`~tagkit.models.base.TagModel`, add a row here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor

from tagkit.errors import WeightsError
from tagkit.front_end import MTG, FrontEnd
from tagkit.models.base import TagModel
from tagkit.models.baseline_cnn import BaselineCNN, SixBlockCNN
from tagkit.models.combiner import Combiner
from tagkit.models.crnn import CRNN
from tagkit.models.ds_cnn import DsCNN
from tagkit.models.fcn import FCN
from tagkit.models.focal_rescnn import FocalResCNN
from tagkit.models.harmonic_cnn import HarmonicCNN
from tagkit.models.light_1 import Light1
from tagkit.models.light_2 import Light2
from tagkit.models.light_3 import Light3
from tagkit.models.mel_tcn import MelTCN
from tagkit.models.mtg_vgg import MtgVgg
from tagkit.models.musicnn import Musicnn
from tagkit.models.popularity import Popularity
from tagkit.models.query2label import Query2Label
from tagkit.models.sample_cnn import SampleCNN, SampleCNNSE
from tagkit.models.self_attention_cnn import SelfAttentionCNN
from tagkit.models.short_chunk import ShortChunkCNN, ShortChunkResCNN
from tagkit.models.svm import SVM

__all__ = ["CATALOGUE", "Entry", "TagModel", "build", "check", "entry", "set_prior"]


@dataclass(frozen=True)
class Entry:
    """One row: the class, the front end it is published with, and its arguments' published values.

    ``trained``: how it learns: by gradient "descent"; fitted as an "svm" or to "popularity"
    (:mod:`tagkit.training.fitted`); or, a combiner, by descent on other models' "predictions".
    ``tiny``: arguments of a version that trains in milliseconds, for tests and first tries.
    """

    model: type[TagModel]
    front_end: FrontEnd | None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    tiny: Mapping[str, Any] = field(default_factory=dict)
    trained: str = "descent"


#: Without memory and with nothing in it, a stack of thousands still takes minutes to build.
_MOST_LAYERS = 100

_LONG_96 = FrontEnd(464000)
_SHORT_96 = FrontEnd(48000)

#: What paper 5's networks hear of a 29.1 s clip: 592 frames, which is what hop 787 gives ("20 per second" would
#: be 582). The window is not printed: with 2,048 samples neighbours overlap enough to hear everything alike; one of
#: 1,024, the shortest that reaches over the hop, would damp what lies between two frames by 15 dB.
_LIGHT = FrontEnd(465600, n_fft=2048, hop=787, n_mels=128)
_TINY = {"channels": 4}
_TINY_MUSICNN = {"width": 4, "dense": 8, "timbre": 4, "rhythm": 2}

CATALOGUE: dict[str, Entry] = {
    # name                  class             front end
    "fcn": Entry(FCN, _LONG_96, tiny=_TINY),
    "crnn": Entry(CRNN, _LONG_96, tiny=_TINY),
    "musicnn": Entry(Musicnn, _SHORT_96, tiny=_TINY_MUSICNN),
    "musicnn_large": Entry(Musicnn, _SHORT_96, {"width": 512, "dense": 500}, _TINY_MUSICNN),
    "short_chunk_cnn": Entry(ShortChunkCNN, FrontEnd(59049, n_mels=128), tiny=_TINY),
    "short_chunk_rescnn": Entry(ShortChunkResCNN, FrontEnd(59049, n_mels=128), tiny=_TINY),
    "query2label": Entry(Query2Label, FrontEnd(59049, n_mels=128), tiny=_TINY),
    "sample_cnn": Entry(SampleCNN, FrontEnd(59049, n_mels=0), tiny=_TINY),
    "sample_cnn_se": Entry(SampleCNNSE, FrontEnd(59049, n_mels=0), tiny=_TINY),
    "harmonic_cnn": Entry(HarmonicCNN, FrontEnd(80000, n_mels=0), tiny=_TINY),
    "self_attention_cnn": Entry(SelfAttentionCNN, FrontEnd(240000, n_mels=128), tiny=_TINY),
    "focal_rescnn": Entry(FocalResCNN, FrontEnd(73600, n_mels=128), tiny=_TINY),
    "mtg_vgg": Entry(MtgVgg, MTG, tiny=_TINY),
    "baseline_cnn": Entry(BaselineCNN, _SHORT_96, tiny=_TINY),
    "six_block_cnn": Entry(SixBlockCNN, _SHORT_96, tiny=_TINY),
    "light_1": Entry(Light1, _LIGHT, tiny=_TINY),
    "light_2": Entry(Light2, _LIGHT, tiny=_TINY),
    "light_3": Entry(Light3, replace(_LIGHT, n_mels=0), tiny=_TINY),
    "ds_cnn": Entry(DsCNN, _SHORT_96, tiny={"stem": 4, "dense": 8, "width": 0.1}),
    "mel_tcn": Entry(MelTCN, _SHORT_96, tiny={"channels": 4, "dense": 8}),
    "svm": Entry(SVM, FrontEnd(480000, n_mels=128), trained="svm"),
    "popularity": Entry(Popularity, FrontEnd(16000, n_mels=0), trained="popularity"),
    "combiner": Entry(Combiner, None, tiny={"hidden": [4, 8]}, trained="predictions"),
}


def entry(architecture: str) -> Entry:
    """Return the catalogue's row, or raise WeightsError that names what there is."""
    if architecture in CATALOGUE:
        return CATALOGUE[architecture]
    near = get_close_matches(architecture, CATALOGUE, n=1)
    raise WeightsError(
        f"no architecture is called {architecture!r}",
        hint=f"did you mean {near[0]}?" if near else f"there are {', '.join(CATALOGUE)}",
    )


def build(architecture: str, tags: int, **arguments: Any) -> TagModel:
    """Build a model with fresh weights; ``arguments`` replace the row's own.

    Raises WeightsError for an unknown name or arguments that the architecture does not take.
    """
    row = entry(architecture)
    for name, value in arguments.items():
        if name.endswith("layers") and isinstance(value, int) and value > _MOST_LAYERS:
            raise WeightsError(f"{architecture} with {value:,} {name}: at most {_MOST_LAYERS}")
    try:
        return row.model(tags, **{**row.arguments, **arguments})
    except (TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{architecture} cannot be built: {error}") from error


def check(architecture: str, front_end: FrontEnd, **arguments: Any) -> None:
    """Raise WeightsError unless the network takes what the front end makes.

    Tried without memory or arithmetic: what a recipe's overrides ask for is refused before any music is read.
    """
    with torch.device("meta"):
        model = build(architecture, 1, **arguments).eval()
    frames = front_end.frames
    shape = (front_end.n_mels, frames) if front_end.n_mels else (frames,)
    what = f"{architecture} cannot hear an input of {' × '.join(map(str, shape))}"
    try:
        found = tuple(model(torch.empty((1, *shape), device="meta")).shape)
    except (RuntimeError, ValueError, IndexError) as error:
        raise WeightsError(f"{what}: {error}") from error
    if found != (1, 1):
        raise WeightsError(
            f"{what}: it would give {math.prod(found)} logits a tag",
            hint="the argument frames says how many there are",
        )


def set_prior(model: TagModel, probability: float | Tensor) -> None:
    """Start the model's logits at those of ``probability``, one for all tags or ``(tags,)``, in (0, 1).

    Rare tags then cost no loss from the first step on: Lin et al., "Focal loss for dense object detection",
    2017, section 4.1. The focal-loss paper's code does so with 0.01 (its bias is −ln 99).
    """
    bias = model.output_bias()
    if bias is None:
        raise WeightsError(f"{type(model).__name__} learns no bias to start from")
    start = torch.as_tensor(probability, dtype=bias.dtype, device=bias.device).logit()
    with torch.no_grad():
        bias.copy_(start.expand(bias.numel()).reshape(bias.shape))
