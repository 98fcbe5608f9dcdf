"""Start from what another network has learned."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from tagkit.errors import RecipeError
from tagkit.models import TagModel
from tagkit.weights import bundle, catalogue


def start_from(network: nn.Module, name: str, layers: Sequence[str]) -> list[str]:
    """Replace tensors of ``network`` by those of the bundle ``name``; return their names.

    ``layers``: names of modules, as "layer1" or "layer2.conv_1": all tensors at or below one. Without
    any: every tensor of the bundle but those of the last layer, whose outputs are other tags. Raises
    RecipeError for a module that either network lacks and for tensors of other shapes.
    """
    source = bundle.load(catalogue.find(name)).model
    theirs, own = source.state_dict(), network.state_dict()
    if layers:
        chosen = [key for key in theirs if any(_below(key, layer) for layer in layers)]
        for layer in layers:
            if not any(_below(key, layer) for key in chosen):
                raise RecipeError(
                    f"{name} has no module {layer!r}", hint=f"it has {', '.join(_modules(theirs))}"
                )
    else:
        last = _outputs(source)
        chosen = [key for key in theirs if not _below(key, last)]
    for key in chosen:
        if key not in own:
            raise RecipeError(
                f"{key} of {name} is not in the network to train",
                hint=f"name the common modules in train.start_layers: {', '.join(_modules(own))}",
            )
        if own[key].shape != theirs[key].shape:
            raise RecipeError(
                f"{key} is {tuple(theirs[key].shape)} in {name}, {tuple(own[key].shape)} here",
                hint="name the modules of equal shape in train.start_layers",
            )
    network.load_state_dict({**own, **{key: theirs[key] for key in chosen}})
    return chosen


def _below(key: str, layer: str) -> bool:
    return key == layer or key.startswith(f"{layer}.")


def _modules(keys: Sequence[str] | dict[str, object]) -> list[str]:
    return list(dict.fromkeys(key.partition(".")[0] for key in keys))


def _outputs(network: TagModel) -> str:
    """The module of the last layer; what is not there is below nothing."""
    bias = network.output_bias()
    names = [name for name, parameter in network.named_parameters() if parameter is bias]
    return names[0].rpartition(".")[0] if names else "-"
