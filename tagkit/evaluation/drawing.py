"""Pictures as SVG text, to stand inside a page: a canvas, its colours, and what a name may do to it.

Text stays text, so that it can be searched and takes the page's colour in light and dark. Names in
the pictures come from strangers: they are never read as formulas, and matplotlib escapes them.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tagkit.errors import UsageError

#: Drawn in this, then written as currentColor: whatever the page's text is drawn in.
INK = "#010203"
# Okabe & Ito's palette, which the colour-blind can tell apart, in the tones that show on black too.
BLUE, ORANGE, GREEN, GREY = "#2b8cc4", "#e08a1e", "#1a9e77", "#8a8f98"
#: A curve has at most so many points. The curves of 56 tags and 4,231 tracks are .33 MB, not .82.
_MOST_POINTS = 160

#: What matplotlib says of a picture unless it is told not to.
_METADATA = ("Date", "Creator", "Format", "Type")

_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tagkit",
    "text.parse_math": False,
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.4,
}


def require() -> None:
    """Raise UsageError where there is nothing to draw with."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "a report needs matplotlib", hint="pip install 'tagkit[report]'"
        ) from error


@contextmanager
def canvas(
    width: float,
    height: float,
    *,
    columns: int = 1,
    sharey: bool = False,
    layout: Literal["constrained", "compressed"] = "constrained",
) -> Iterator[tuple[Any, Callable[[], str]]]:
    """Yield axes beside each other, on a picture of inches, and the function that makes it SVG text."""
    require()
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Drawing

    def svg() -> str:
        text = io.StringIO()
        drawing.savefig(text, format="svg", metadata=dict.fromkeys(_METADATA))
        content = text.getvalue()
        return content[content.index("<svg") :].replace(INK, "currentColor")

    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # The page's own fonts draw the letters that matplotlib's lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        drawing = Drawing(figsize=(width, height), layout=layout)
        FigureCanvasSVG(drawing)
        axes = drawing.subplots(1, columns, sharey=sharey, squeeze=False)[0]
        yield axes, svg


def printable(text: str) -> str:
    """Without control characters, which a page may not hold."""
    return "".join(c if c.isprintable() else " " for c in text)


def legend(axis: Any, place: str) -> None:
    if axis.get_legend_handles_labels()[0]:  # nothing could be drawn of tags without a positive
        axis.legend(loc=place)


def thinned(x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    if len(x) <= _MOST_POINTS:
        return x, y
    # Evenly along the curve, not along its points: they crowd where scores are dense.
    length = np.concatenate([[0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    chosen = np.searchsorted(length, np.linspace(0, length[-1], _MOST_POINTS))
    return x[chosen], y[chosen]
