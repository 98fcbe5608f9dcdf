"""Tensors into a model and its front end: every name there, every shape right, nothing left over.

Nothing is allocated on a stranger's word: a model is first laid out without memory, compared with the
tensors that are really there, and then takes those tensors as its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tagkit.errors import WeightsError
from tagkit.features import FrontEndModule, LogMel, Waveform
from tagkit.front_end import FrontEnd
from tagkit.models import TagModel, build, entry
from tagkit.weights.card import PER_OUTPUT, Card

_SHOWN = 6
# Of one window: half a gigabyte of float32; the largest published tagger makes 11 million.
_MOST_VALUES = 1 << 27
_WIDE = 1024  # channels


def model(
    architecture: str,
    arguments: Mapping[str, Any],
    tags: int,
    state: Mapping[str, Tensor],
    hears: FrontEnd | None = None,
) -> TagModel:
    """Return the model with exactly ``state``, in evaluation mode.

    Raises WeightsError for an unknown architecture, for arguments that it does not take, for tensors
    that do not match, naming the first of them, and for one that would fill the memory with what it
    ``hears``.
    """
    try:
        with torch.device("meta"):
            empty = build(architecture, tags, **arguments)
    except WeightsError:
        raise
    except Exception as error:  # a stranger's arguments may fail in any way
        raise WeightsError(f"{architecture} cannot be built: {error}") from error
    _refuse(mismatches(empty.state_dict(), state), architecture)
    if hears is not None and _is_unusual(architecture, arguments, hears):
        _refuse_large(empty.eval(), hears, architecture)
    empty.load_state_dict(dict(state), strict=True, assign=True)
    for name, tensor in itertools.chain(empty.named_parameters(), empty.named_buffers()):
        if tensor.is_meta:
            raise WeightsError(
                f"{architecture} keeps {name} out of its state: it cannot be bundled"
            )
    return empty.eval()


def _is_unusual(architecture: str, arguments: Mapping[str, Any], hears: FrontEnd) -> bool:
    """Whether a network is much wider, or its window much longer, than those that there are: only then
    is its size tried out, which takes seconds the first time."""

    def size(spec: FrontEnd) -> int:
        return spec.frames * max(1, spec.n_mels)

    own = entry(architecture).front_end
    wide = any(isinstance(value, int) and value > _WIDE for value in arguments.values())
    return wide or own is None or size(hears) > 4 * size(own)


def _refuse_large(empty: TagModel, spec: FrontEnd, architecture: str) -> None:
    """Raise WeightsError where some step makes too much of one window. Tried without memory: a few
    small tensors can make terabytes of a long window."""
    largest = 0

    def look(_module: Any, _given: Any, made: Any) -> None:
        nonlocal largest
        if isinstance(made, Tensor):
            largest = max(largest, made.numel())

    hooks = [module.register_forward_hook(look) for module in empty.modules()]
    shape = (spec.n_mels, spec.frames) if spec.n_mels else (spec.frames,)
    try:
        with torch.no_grad():
            empty(torch.empty((1, *shape), device="meta"))
    except Exception as error:  # a stranger's arguments may fail in any way
        raise WeightsError(
            f"{architecture} cannot hear what its front end makes: {error}"
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
    if max(largest, *shape) > _MOST_VALUES:
        raise WeightsError(
            f"{architecture} would make {largest:,} values of one window: too many to listen with"
        )


def keep(card: Card, whole: TagModel, outputs: Sequence[int]) -> tuple[Card, TagModel]:
    """Return card and model with only some of their outputs, in the order given.

    A tensor that is laid out for each tag has the tags along its first axis: those rows are kept.
    Raises WeightsError for an architecture that is laid out otherwise.
    """
    with torch.device("meta"):
        fewer, more = (
            build(card.architecture, count, **card.arguments).state_dict()
            # Which tensors belong to tags shows with any other number of them.
            for count in (len(outputs), len(card.tags) + 1)
        )
    chosen = torch.tensor(outputs, dtype=torch.long)
    state = dict(whole.state_dict())
    for name, tensor in state.items():
        if tensor.shape != more[name].shape:
            if len(tensor) != len(card.tags):
                raise WeightsError(f"{card.architecture} cannot do with fewer tags: {name}")
            state[name] = tensor[chosen]
    _refuse(mismatches(fewer, state), f"{card.architecture} with fewer tags")

    def some(values: Sequence[Any] | None) -> tuple[Any, ...] | None:
        return None if values is None else tuple(values[output] for output in outputs)

    parts: dict[str, Any] = {name: some(getattr(card, name)) for name in PER_OUTPUT}
    return replace(card, **parts), model(card.architecture, card.arguments, len(outputs), state)


def front_end(spec: FrontEnd, state: Mapping[str, Tensor]) -> FrontEndModule:
    """Return the front end with a model's own ``window`` and ``mel_fb``, if it has any. Raises WeightsError."""
    if not spec.n_mels:
        _refuse(mismatches({}, state), "its front end")
        return Waveform(spec).eval()
    with torch.device("meta"):
        wanted = {
            "window": torch.empty(spec.n_fft),
            "mel_fb": torch.empty(spec.n_fft // 2 + 1, spec.n_mels),
        }
    _refuse(mismatches(wanted, state), "its front end")
    if spec.frames * (spec.n_fft // 2 + 1) > _MOST_VALUES:
        raise WeightsError(f"its front end would make {spec.frames:,} frames of a window: too many")
    module = LogMel(spec, state["mel_fb"])
    module.load_state_dict(dict(state), strict=True)
    return module.eval()


def mismatches(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    """Return a line for each tensor that is missing, left over, of another kind, or not finite."""
    common = [name for name in wanted if name in found]
    lines = [f"missing: {name} {_kind(wanted[name])}" for name in wanted if name not in found]
    lines += [f"left over: {name} {_kind(found[name])}" for name in found if name not in wanted]
    for name in common:
        if _kind(found[name]) != _kind(wanted[name]):
            lines.append(f"{name} is {_kind(found[name])}, not {_kind(wanted[name])}")
        elif not bool(torch.isfinite(found[name]).all()):
            lines.append(f"{name} holds values that are not finite")
    return lines


def _refuse(lines: list[str], what: str) -> None:
    if lines:
        more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
        shown = "; ".join([*lines[:_SHOWN], *more])
        raise WeightsError(f"the tensors are not those of {what}: {shown}")


def _kind(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"
