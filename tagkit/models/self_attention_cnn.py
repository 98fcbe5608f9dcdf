"""CNN with self-attention: Won, Chun, Serra, "Toward interpretable music tagging with self-attention", 2019, as in
minzwon/sota-music-tagging-models (15 s, 128 mels): residual convolutions, then two BERT layers over time."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tagkit.models.base import TagModel
from tagkit.models.blocks import ResBlock

#: Of layers 1 to 7, (mel, time): mel bands shrink to one, time to an eighth.
STRIDES = ((2, 2),) * 3 + ((2, 1),) * 4
HEADS = 8


class SelfAttention(nn.Module):
    """Queries, keys and values as BERT names them: ``(b, t, dims)`` kept."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.query = nn.Linear(dims, dims)
        self.key = nn.Linear(dims, dims)
        self.value = nn.Linear(dims, dims)
        self.dropout = 0.5

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (
            part(x).unflatten(2, (HEADS, -1)).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        return mixed.transpose(1, 2).flatten(2)


class Residual(nn.Module):
    """Linear, dropout, the shortcut added, LayerNorm (BERT's ``output``)."""

    def __init__(self, inputs: int, dims: int) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, dims)
        self.LayerNorm = nn.LayerNorm(dims, eps=1e-12)
        self.dropout = nn.Dropout(0.4)

    def forward(self, x: Tensor, shortcut: Tensor) -> Tensor:
        out: Tensor = self.LayerNorm(self.dropout(self.dense(x)) + shortcut)
        return out


class BertLayer(nn.Module):
    def __init__(self, dims: int, hidden: int) -> None:
        super().__init__()
        self.attention = nn.ModuleDict(
            {"self": SelfAttention(dims), "output": Residual(dims, dims)}
        )
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(dims, hidden)})
        self.output = Residual(hidden, dims)

    def forward(self, x: Tensor) -> Tensor:
        x = self.attention["output"](self.attention["self"](x), x)
        out: Tensor = self.output(F.gelu(self.intermediate["dense"](x)), x)
        return out


class SelfAttentionCNN(TagModel):
    """dB ``(batch, 128, 938)`` → logits ``(batch, tags)``; embedding of 256 dims, the pooled first token."""

    def __init__(self, tags: int, channels: int = 128, layers: int = 2) -> None:
        super().__init__()
        dims = channels * 2
        self.spec_bn = nn.BatchNorm2d(1)
        widths = (1, channels, channels, *(dims,) * 5)
        for number, stride in enumerate(STRIDES, 1):
            block = ResBlock(widths[number - 1], widths[number], stride)
            self.add_module(f"layer{number}", block)
        stack = nn.Sequential(*(BertLayer(dims, 4 * dims) for _ in range(layers)))
        self.encoder = nn.ModuleDict({"layer": stack})
        self.pooler = nn.ModuleDict({"dense": nn.Linear(dims, dims)})
        self.dropout = nn.Dropout(0.5)
        self.dense = nn.Linear(dims, tags)
        self.dims = dims

    def embed(self, x: Tensor) -> Tensor:
        x = self.spec_bn(x[:, None])
        for number in range(1, len(STRIDES) + 1):
            x = getattr(self, f"layer{number}")(x)
        tokens = x.squeeze(2).transpose(1, 2)
        first = _first_token(self.dims).to(tokens).expand(tokens.shape[0], 1, -1)
        states = self.encoder["layer"](torch.cat([first, tokens], 1))
        return torch.tanh(self.pooler["dense"](states[:, 0]))

    def head(self, x: Tensor) -> Tensor:
        logits: Tensor = self.dense(self.dropout(x))
        return logits


def _first_token(dims: int) -> Tensor:
    """The published code draws it once, from NumPy's generator with seed 0, and keeps it out of its state."""
    drawn = np.random.RandomState(0).random_sample((1, 1, dims))
    return torch.from_numpy(drawn)
