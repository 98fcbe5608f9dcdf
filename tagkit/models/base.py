"""The contract that every architecture keeps."""

from __future__ import annotations

from torch import Tensor, nn


class TagModel(nn.Module):
    """Input → logits, one a tag.

    The input is what the model's front end makes: ``(batch, mels, frames)`` dB, or ``(batch, samples)``.
    ``embed`` gives the representation below the last linear layer, ``(batch, dims)``; ``head`` maps it
    to logits ``(batch, tags)``. A model whose logits need more than its embedding has its own ``hear``.
    No sigmoid anywhere: it happens once, in inference.

    Submodules carry the names of the published implementations, so that their checkpoints load with strict keys.
    """

    def embed(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def head(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def hear(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and embedding, at the price of one."""
        embedding = self.embed(x)
        return self.head(embedding), embedding

    def forward(self, x: Tensor) -> Tensor:
        return self.hear(x)[0]

    def output_bias(self) -> Tensor | None:
        """What is added to the logits last, one a tag in any shape; None where nothing is learned there.

        Here: the bias of the linear layer that was registered last.
        """
        linear = [module for module in self.modules() if isinstance(module, nn.Linear)]
        return linear[-1].bias if linear else None
