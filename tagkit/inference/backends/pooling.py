"""Maxima and means as pooling over images, which torch computes in place of generic reductions.

On a CPU, with channels last, torch's reduction over one axis and its pooling over time are five to fifty times
slower than its pooling over images: more than the convolutions between them.
"""

from __future__ import annotations

from torch import Tensor, fx, nn
from torch.nn import functional as F


def pool_images(graph: fx.GraphModule) -> None:
    """Rewrite ``amax(2)`` and ``mean(2)`` of images, and max pooling over time; changes the graph in place."""
    rows = {"amax": _highest, "mean": _middle}
    for node in graph.graph.nodes:
        if (
            node.op == "call_method"
            and node.target in rows
            and node.args[1:] == (2,)
            and not node.kwargs
        ):
            node.op, node.target, node.args = "call_function", rows[node.target], node.args[:1]
        elif node.op == "call_function" and node.target is F.max_pool1d and _plain(node):
            node.target, node.args, node.kwargs = _over_time, node.args[:2], {}
    for name, module in list(graph.named_modules()):
        if isinstance(module, nn.MaxPool1d):
            graph.set_submodule(name, OverTime(module))


def _plain(node: fx.Node) -> bool:
    """Whether the pooling is told its width only."""
    defaults = {"stride": None, "padding": 0, "dilation": 1, "ceil_mode": False}
    told = {key: value for key, value in node.kwargs.items() if key != "return_indices"}
    return len(node.args) == 2 and all(defaults[key] == value for key, value in told.items())


def _highest(x: Tensor) -> Tensor:
    return F.max_pool2d(x, (x.shape[2], 1))[:, :, 0] if x.ndim == 4 else x.amax(2)


def _middle(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, (x.shape[2], 1))[:, :, 0] if x.ndim == 4 else x.mean(2)


def _over_time(x: Tensor, width: int) -> Tensor:
    return F.max_pool2d(x[:, :, None], (1, width))[:, :, 0]


class OverTime(nn.Module):
    """``nn.MaxPool1d`` over an image of one row: ``(b, channels, t)`` → ``(b, channels, t / stride)``."""

    def __init__(self, pool: nn.MaxPool1d) -> None:
        super().__init__()
        width, stride, padding, dilation = (
            value if isinstance(value, int) else value[0]
            for value in (pool.kernel_size, pool.stride, pool.padding, pool.dilation)
        )
        self.pool = nn.MaxPool2d(
            (1, width), (1, stride), (0, padding), (1, dilation), ceil_mode=pool.ceil_mode
        )

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.pool(x[:, :, None])
        return found[:, :, 0]
