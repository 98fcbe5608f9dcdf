"""The catalogue of architectures: one small file each, one row each in the table below.

To add one: write ``tagkit/models/NAME.py`` with a :class:`~tagkit.models.base.TagModel`, add a row here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from tagkit.errors import WeightsError
from tagkit.front_end import FrontEnd
from tagkit.models.base import TagModel
from tagkit.models.combiner import Combiner
from tagkit.models.crnn import CRNN
from tagkit.models.ds_cnn import DsCNN
from tagkit.models.fcn import FCN
from tagkit.models.focal_rescnn import FocalResCNN
from tagkit.models.harmonic_cnn import HarmonicCNN
from tagkit.models.mel_tcn import MelTCN
from tagkit.models.mtg_vgg import MtgVgg
from tagkit.models.musicnn import Musicnn
from tagkit.models.query2label import Query2Label
from tagkit.models.sample_cnn import SampleCNN, SampleCNNSE
from tagkit.models.self_attention_cnn import SelfAttentionCNN
from tagkit.models.short_chunk import ShortChunkCNN, ShortChunkResCNN

__all__ = ["CATALOGUE", "Entry", "TagModel", "build", "entry"]


@dataclass(frozen=True)
class Entry:
    """One row: the class, the front end it is published with, and its arguments' published values."""

    model: type[TagModel]
    front_end: FrontEnd | None
    arguments: Mapping[str, Any] = field(default_factory=dict)


_LONG_96 = FrontEnd(464000)
_SHORT_96 = FrontEnd(48000)
_MTG = FrontEnd(
    # 29.1 s: 1,366 frames, the width that the checkpoint was trained on.
    349200,
    sample_rate=12000,
    f_max=6000.0,
    mel="slaney",
    area_norm=True,
    window="symmetric",
    padding="zeros",
)

CATALOGUE: dict[str, Entry] = {
    # name                  class             front end
    "fcn": Entry(FCN, _LONG_96),
    "crnn": Entry(CRNN, _LONG_96),
    "musicnn": Entry(Musicnn, _SHORT_96),
    "musicnn_large": Entry(Musicnn, _SHORT_96, {"width": 512, "dense": 500}),
    "short_chunk_cnn": Entry(ShortChunkCNN, FrontEnd(59049, n_mels=128)),
    "short_chunk_rescnn": Entry(ShortChunkResCNN, FrontEnd(59049, n_mels=128)),
    "query2label": Entry(Query2Label, FrontEnd(59049, n_mels=128)),
    "sample_cnn": Entry(SampleCNN, FrontEnd(59049, n_mels=0)),
    "sample_cnn_se": Entry(SampleCNNSE, FrontEnd(59049, n_mels=0)),
    "harmonic_cnn": Entry(HarmonicCNN, FrontEnd(80000, n_mels=0)),
    "self_attention_cnn": Entry(SelfAttentionCNN, FrontEnd(240000, n_mels=128)),
    "focal_rescnn": Entry(FocalResCNN, FrontEnd(73600, n_mels=128)),
    "mtg_vgg": Entry(MtgVgg, _MTG),
    "ds_cnn": Entry(DsCNN, _SHORT_96),
    "mel_tcn": Entry(MelTCN, _SHORT_96),
    "combiner": Entry(Combiner, None),
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
    try:
        return row.model(tags, **{**row.arguments, **arguments})
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{architecture} cannot be built: {error}") from error
