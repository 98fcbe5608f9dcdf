"""A figure with what is needed to judge it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagkit.evaluation import bootstrap


class Figure(NamedTuple):
    """``value``; ``low`` to ``high``, its 95 % interval by artist; ``popularity``, the same figure of the
    baseline that hears nothing. NaN: undefined, None: not computed."""

    value: float
    low: float | None = None
    high: float | None = None
    popularity: float | None = None


def figure(
    value: float,
    resampled: NDArray[np.float64] | None = None,
    popularity: float | None = None,
) -> Figure:
    """A figure with the interval of its resamples (resamples,)."""
    if resampled is None:
        return Figure(value, popularity=popularity)
    return Figure(value, *bootstrap.interval(resampled), popularity)


def number(value: float | None) -> str:
    """For people: four decimals; a dash where undefined, nothing where not computed."""
    if value is None:
        return ""
    return "–" if math.isnan(value) else f"{value:.4f}"


def interval(of: Figure) -> str:
    """For people: low … high, or nothing."""
    return "" if of.low is None or of.high is None else f"{number(of.low)} … {number(of.high)}"
