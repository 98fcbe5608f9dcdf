"""A network rewritten for listening only: the same outputs within rounding, fewer passes over memory.

BatchNorm after a convolution becomes part of its weights, and ReLU works in place. What else uses a tensor is read
from the traced graph (:mod:`torch.fx`); a network that cannot be traced is left as it is.
"""

from __future__ import annotations

import operator
from collections import Counter

import torch
from torch import fx, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def fold(network: nn.Module) -> nn.Module:
    """Return ``network`` rewritten, in evaluation mode; itself where it cannot be traced.

    The weights that are not folded are shared with ``network``.
    """
    try:
        graph = fx.symbolic_trace(network)
    except (TypeError, ValueError, RuntimeError, NotImplementedError):
        return network  # what it does depends on values, or reaches into NumPy
    _fold_norms(graph)
    _relu_in_place(graph)
    graph.graph.lint()
    graph.recompile()
    return graph


def _fold_norms(graph: fx.GraphModule) -> None:
    """Put each BatchNorm into the convolution whose output only it uses.

    One before a convolution stays: the zeros that pad an image are put there after it.
    """
    calls = Counter(node.target for node in graph.graph.nodes if node.op == "call_module")
    for node in list(graph.graph.nodes):
        norm = _module(graph, node)
        if not isinstance(norm, _NORMS) or not norm.track_running_stats:
            continue
        before = node.args[0]
        conv = _module(graph, before)
        alone = len(before.users) == 1 and calls[before.target] == 1
        if isinstance(conv, _CONVOLUTIONS) and alone:
            graph.set_submodule(before.target, fuse_conv_bn_eval(conv, norm))
            node.replace_all_uses_with(before)
            graph.graph.erase_node(node)


def _relu_in_place(graph: fx.GraphModule) -> None:
    """Write over what only the ReLU reads, where that is a buffer of its own."""
    for node in graph.graph.nodes:
        if node.op == "call_function" and node.target in (F.relu, torch.relu):
            before = node.args[0]
            fresh = before.target is operator.add or isinstance(
                _module(graph, before), (*_CONVOLUTIONS, *_NORMS, nn.Linear)
            )
            if fresh and len(before.users) == 1:
                node.target, node.kwargs = torch.relu_, {}


def _module(graph: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    return graph.get_submodule(str(node.target)) if node.op == "call_module" else None
