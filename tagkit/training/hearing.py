"""What a network under training says of whole tracks: the mean over windows spread over each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from numpy.typing import NDArray
from torch import Tensor

from tagkit.audio import window_starts
from tagkit.data.kept import Pieces
from tagkit.training.batches import stacked

Array = NDArray[Any]


@torch.inference_mode()
def predict(
    network: Callable[[Tensor], Tensor],
    features: Sequence[Pieces],
    *,
    length: int,
    windows: int,
    batch: int,
    device: torch.device,
) -> NDArray[np.float32]:
    """Return (tracks, tags): each track's mean probability over at most ``windows`` windows.

    ``features``: (…, frames) or (samples,) a track; ``network`` takes (≤ ``batch``, …, ``length``) of
    them as they are cached, and returns logits.
    """
    counts = []

    def chunks() -> Iterator[Array]:
        for feature in features:
            places = window_starts(feature.shape[-1], length, windows)
            counts.append(len(places))
            yield from (feature[..., start : start + length] for start in places)

    found = [
        torch.sigmoid(network(torch.from_numpy(stacked(group)).to(device)).float()).cpu().numpy()
        for group in _groups(chunks(), batch)
    ]
    sums = np.add.reduceat(np.concatenate(found), np.cumsum([0, *counts[:-1]]))
    means: NDArray[np.float32] = (sums / np.array(counts)[:, None]).astype(np.float32)
    return means


def shared_predict(
    network: Callable[[Tensor], Tensor],
    features: Sequence[Pieces],
    accelerator: Accelerator,
    *,
    length: int,
    windows: int,
    batch: int,
) -> NDArray[np.float32]:
    """As :func:`predict`, each process hearing its share of the tracks; all get all of it."""
    world, rank = accelerator.num_processes, accelerator.process_index
    mine = range(rank, len(features), world)
    settings = {"length": length, "windows": windows, "batch": batch}
    given = (
        [predict(network, Rows(features, mine), device=accelerator.device, **settings)]
        if mine
        else []
    )
    if world == 1:
        return given[0]
    parts = gather_object([(rank, part) for part in given])
    found = np.empty((len(features), parts[0][1].shape[1]), np.float32)
    for owner, part in parts:
        found[owner::world] = part
    return found


class Rows(Sequence[Pieces]):
    """Some rows of a sequence, taken when they are asked for."""

    def __init__(self, features: Sequence[Pieces], rows: Sequence[int]) -> None:
        self.features, self.rows = features, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: Any) -> Any:
        return self.features[self.rows[row]]


def _groups(chunks: Iterator[Array], size: int) -> Iterator[list[Array]]:
    while group := list(islice(chunks, size)):
        yield group
