"""Figures of merit as functions: arrays in, floats out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def rank_correlation(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Spearman's ρ of each column of ``a`` and ``b``, both (tracks, tags) → (tags,).

    Ties share their mean rank. A column that is constant in either has no order: NaN.
    """
    from scipy.stats import rankdata

    x, y = (rankdata(v, axis=0) - (len(v) + 1) / 2 for v in (a, b))
    norm = np.sqrt((x**2).sum(0) * (y**2).sum(0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(norm > 0, (x * y).sum(0) / norm, np.nan)
