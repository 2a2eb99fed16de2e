"""Many samples in one plot: a point each, or, of more than a page can hold, cells that count them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.report.charts.chart import Box, Boxes, Dot, Dots, Mark
from harness.support.format import plural

MOST_DOTS = 2_000  # of a plot, over all its panels
MOST_CELLS = 3_000
ACROSS = 1.8  # cells side by side for each one above another
FAINTEST, STRONGEST = 0.15, 0.9  # opacity of a cell with one sample, and of the fullest

Tip = Callable[[int], str]  # what the point of a sample says
Number = Callable[[int], int]  # that the user has for a sample


def cloud(
    x: np.ndarray, y: np.ndarray, which: np.ndarray, panels: int, colour: str, tip: Tip, number: Number, log: bool
) -> Mark:
    """Draw these samples in one of so many panels. which: indices. log: whether both axes are logarithmic."""
    if len(which) > MOST_DOTS // panels:
        return cells(x[which], y[which], panels, colour, log)
    dots = [Dot(float(x[n]), float(y[n]), tip(n), 2.4, number(n)) for n in which.tolist()]
    return Dots(dots, colour, opacity=0.6)


def cells(x: np.ndarray, y: np.ndarray, panels: int, colour: str, log: bool) -> Boxes:
    """Count points in cells of equal size; the fuller a cell, the darker it is."""
    up = max(6, min(26, int((MOST_CELLS / panels / ACROSS) ** 0.5)))
    across = int(ACROSS * up)
    count, *edges = np.histogram2d(np.log10(x) if log else x, np.log10(y) if log else y, bins=(across, up))
    right, top = (10**edge if log else edge for edge in edges)
    opacity = FAINTEST + (STRONGEST - FAINTEST) * np.log(count, where=count > 0, out=np.zeros_like(count)) / np.log(
        max(2.0, count.max(initial=1))
    )
    boxes = [
        Box((right[i], right[i + 1]), (top[j], top[j + 1]), plural(count[i, j], "sample"), float(opacity[i, j]))
        for i, j in np.argwhere(count)
    ]
    return Boxes(boxes, colour)


def thinned(of: np.ndarray, most: int) -> np.ndarray:
    """Choose at most so many, evenly spaced, first and last included."""
    return of if len(of) <= most else of[np.linspace(0, len(of) - 1, most).astype(int)]
