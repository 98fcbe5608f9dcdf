"""Query2Label for music: paper 4, after Liu, Zhang, Yang, Su, Zhu, "Query2Label: a simple transformer way to
multi-label classification", 2021 (3.69 s, 128 mels).

A ResCNN of five blocks makes a map of 512 channels; each tag is a learned query that looks at the map through two
cross-attention layers, and its own linear unit says its logit. ``encoder_layers`` is 1 in the published weights,
and 0 in the paper's other variant."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tagkit.models.base import TagModel
from tagkit.models.blocks import ResBlock

HEADS = 4
MAP = (4, 8)  # mel, time: what five strides of 2 leave of (128, 231)


class Backbone(nn.Module):
    """dB ``(b, 128, 231)`` → ``(b, 512, 4, 8)``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.spec_bn = nn.BatchNorm2d(1)
        widths = (1, channels, channels, 2 * channels, 2 * channels, 4 * channels)
        dims = widths[-1]
        for number in range(1, 6):
            self.add_module(f"layer{number}", ResBlock(widths[number - 1], widths[number]))
        self.dense1 = nn.Conv2d(dims, dims, 1)
        self.bn = nn.BatchNorm2d(dims)
        self.dropout = nn.Dropout(0.5)
        self.dense2 = nn.Conv2d(dims, dims, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.spec_bn(x[:, None])
        for number in range(1, 6):
            x = getattr(self, f"layer{number}")(x)
        out: Tensor = self.dense2(self.dropout(F.relu(self.bn(self.dense1(x)))))
        return out


class Position(nn.Module):
    """A sine code of mel and time, ``(1, 512, 4, 8)``, half the channels each: Carion et al., "End-to-end
    object detection with transformers", 2020, in its normalised form."""

    pe: Tensor

    def __init__(self, dims: int) -> None:
        super().__init__()
        half = dims // 2
        rates = 10000.0 ** (-2 * (torch.arange(half) // 2) / half)
        codes = []
        for length in MAP:
            places = torch.arange(1, length + 1) / (length + 1e-6) * 2 * math.pi
            angles = places[:, None] * rates
            codes.append(
                torch.stack([angles[:, 0::2].sin(), angles[:, 1::2].cos()], 2).flatten(1).T
            )
        mel = codes[0][:, :, None].expand(half, *MAP)
        time = codes[1][:, None, :].expand(half, *MAP)
        self.register_buffer("pe", torch.cat([mel, time])[None])

    def forward(self) -> Tensor:
        """``(1, 32, 512)``: one code a place of the map."""
        return self.pe.flatten(2).transpose(1, 2)


class CrossLayer(nn.Module):
    """Queries look at the map, then think: no self-attention among them."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.multihead_attn = nn.MultiheadAttention(dims, HEADS, dropout=0.1, batch_first=True)
        self.linear1 = nn.Linear(dims, 4 * dims)
        self.linear2 = nn.Linear(4 * dims, dims)
        self.norm2 = nn.LayerNorm(dims)
        self.norm3 = nn.LayerNorm(dims)
        self.dropout = nn.Dropout(0.1)

    def forward(self, state: Tensor, query: Tensor, memory: Tensor, where: Tensor) -> Tensor:
        seen, _ = self.multihead_attn(state + query, memory + where, memory, need_weights=False)
        state = self.norm2(state + self.dropout(seen))
        thought = self.linear2(self.dropout(F.relu(self.linear1(state))))
        out: Tensor = self.norm3(state + self.dropout(thought))
        return out


class EncoderLayer(nn.Module):
    def __init__(self, dims: int) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(dims, HEADS, dropout=0.1, batch_first=True)
        self.linear1 = nn.Linear(dims, 4 * dims)
        self.linear2 = nn.Linear(4 * dims, dims)
        self.norm1 = nn.LayerNorm(dims)
        self.norm2 = nn.LayerNorm(dims)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor, where: Tensor) -> Tensor:
        seen, _ = self.self_attn(x + where, x + where, x, need_weights=False)
        x = self.norm1(x + self.dropout(seen))
        thought = self.linear2(self.dropout(F.relu(self.linear1(x))))
        out: Tensor = self.norm2(x + self.dropout(thought))
        return out


class Encoder(nn.Module):
    """The map's places look at each other: ``(b, 32, 512)`` kept."""

    def __init__(self, dims: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(dims) for _ in range(layers))

    def forward(self, memory: Tensor, where: Tensor) -> Tensor:
        for layer in self.layers:
            memory = layer(memory, where)
        return memory


class Decoder(nn.Module):
    """Each query ``(b, tags, 512)`` gathers from the map what concerns its tag."""

    def __init__(self, dims: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(CrossLayer(dims) for _ in range(layers))
        self.norm = nn.LayerNorm(dims)

    def forward(self, query: Tensor, memory: Tensor, where: Tensor) -> Tensor:
        state = torch.zeros_like(query)
        for layer in self.layers:
            state = layer(state, query, memory, where)
        out: Tensor = self.norm(state)
        return out


class Transformer(nn.Module):
    def __init__(self, dims: int, encoder_layers: int, decoder_layers: int) -> None:
        super().__init__()
        self.encoder = Encoder(dims, encoder_layers)
        self.decoder = Decoder(dims, decoder_layers)
        for weight in self.parameters():
            if weight.ndim > 1:  # Query2Label's start, from the image model
                nn.init.xavier_uniform_(weight)


class GroupWise(nn.Module):
    """Each tag's own linear unit over its own state: ``(b, tags, 512)`` → ``(b, tags)``."""

    def __init__(self, tags: int, dims: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(dims)
        self.W = nn.Parameter(torch.empty(1, tags, dims).uniform_(-bound, bound))
        self.b = nn.Parameter(torch.empty(1, tags).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        return (self.W * x).sum(-1) + self.b


class Query2Label(TagModel):
    """dB ``(batch, 128, 231)`` → logits ``(batch, tags)``; embedding of 512 dims, the mean of the map.

    ``channels``: those of the first block; all else is four times as wide.
    """

    def __init__(
        self, tags: int, encoder_layers: int = 1, decoder_layers: int = 2, channels: int = 128
    ) -> None:
        super().__init__()
        dims = 4 * channels
        self.backbone = nn.Sequential(Backbone(channels), Position(dims))
        self.input_proj = nn.Conv2d(dims, dims, 1)
        self.transformer = Transformer(dims, encoder_layers, decoder_layers)
        self.query_embed = nn.Embedding(tags, dims)
        self.fc = GroupWise(tags, dims)

    def embed(self, x: Tensor) -> Tensor:
        return self._map(x).mean(1)

    def hear(self, x: Tensor) -> tuple[Tensor, Tensor]:
        memory = self._map(x)
        query = self.query_embed.weight.expand(x.shape[0], -1, -1)
        logits: Tensor = self.fc(self.transformer.decoder(query, memory, self.backbone[1]()))
        return logits, memory.mean(1)

    def output_bias(self) -> Tensor | None:
        return self.fc.b

    def _map(self, x: Tensor) -> Tensor:
        """The image as ``(b, 32, 512)``: what the tags look at."""
        places = self.input_proj(self.backbone[0](x)).flatten(2).transpose(1, 2)
        memory: Tensor = self.transformer.encoder(places, self.backbone[1]())
        return memory
