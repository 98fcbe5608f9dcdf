"""Several teachers as one voice.

Teachers trained on different corpora are sure of a word to different degrees: where one says .6 of half
the tracks, another says .03 of its favourites. What they have in common is which track has more of it. So
each teacher's logits of a tag are standardised over the training music, and the voice is their weighted
mean, in the teachers' mean scale::

    z = Σ_k w_k (logit p_k − mean_k) / std_k        voice = Σ_k w_k mean_k + z Σ_k w_k std_k
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tagkit.inference.ensemble import Ensemble, loudest
from tagkit.vocab import Tag

FloatArray = NDArray[np.float32]
#: Beyond this a logit says how sure a teacher is that a tag is absent, not which track has it.
EPSILON = 1e-3


class Voice:
    """The voice of ``ensemble``, whose members said ``heard``, (tracks, outputs) each, of the music that
    they are standardised on; ``tags`` and weights are the ensemble's."""

    def __init__(self, ensemble: Ensemble, heard: Sequence[FloatArray]) -> None:
        self.ensemble = ensemble
        self.tags: tuple[Tag, ...] = ensemble.tags
        self.weights = ensemble.weights / ensemble.weights.sum(0)
        logits = self._logits(heard)
        self.mean = logits.mean(1)
        self.std = logits.std(1).clip(0.05)

    def __call__(self, said: Sequence[FloatArray]) -> FloatArray:
        """Return the voice's logits (tracks, tags) for what each member said, (tracks, outputs)."""
        standard = (self._logits(said) - self.mean[:, None]) / self.std[:, None]
        z = np.einsum("kt,knt->nt", self.weights, standard)
        means = (self.weights * self.mean).sum(0)
        spreads = (self.weights * self.std).sum(0)
        found: FloatArray = (means + z * spreads).astype(np.float32)
        return found

    def _logits(self, said: Sequence[FloatArray]) -> NDArray[np.float64]:
        """(members, tracks, tags); 0 where a member does not know the tag, and so has no weight."""
        found = np.zeros((len(said), len(said[0]), len(self.tags)))
        for logits, member, given in zip(found, self.ensemble.members, said, strict=True):
            columns, values = loudest(member.card, given, self.tags)
            clipped = np.clip(values.astype(np.float64), EPSILON, 1 - EPSILON)
            logits[:, columns] = np.log(clipped / (1 - clipped))
        return found
