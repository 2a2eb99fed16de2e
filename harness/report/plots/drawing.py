"""A plot of the report as it is declared, and as it is drawn: once for a page and once for a phone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import matplotlib as mpl

from harness.records import Comparison
from harness.records.terms import TASKS, Task
from harness.report.material import Material
from harness.report.part import Block
from harness.report.plots.style import NARROW_IN, STYLE, WIDE_IN, NothingToDrawError, png

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Plot:
    """name: of its file. title: its {} becomes the metric that the run is judged by first. method: how it is made.

    figure: makes it from the material and a width in inches. note: what this run adds to the method.
    """

    name: str
    title: str
    method: str
    figure: Callable[[Material, float], Figure]
    note: Callable[[Comparison], str] = lambda comparison: ""
    tasks: tuple[Task, ...] = TASKS  # those that it is drawn for


@dataclass(frozen=True)
class Drawing(Block):
    """A plot of one run: PNG bytes for a page and for a phone, or why there is none."""

    kind = "drawing"
    name: str
    title: str
    method: str
    wide: bytes = b""
    narrow: bytes = b""
    absent: str = ""

    @property
    def file_name(self) -> str:
        return f"{self.name}.png"


def figure_of(plot: Plot, material: Material, width_in: float = WIDE_IN) -> Figure:
    """Raises NothingToDrawError where the run has no data for it."""
    with mpl.rc_context(fname=STYLE):
        return plot.figure(material, width_in)


def draw(plot: Plot, material: Material) -> Drawing:
    title = plot.title.format(material.primary.title)
    try:
        wide, narrow = (png(figure_of(plot, material, width)) for width in (WIDE_IN, NARROW_IN))
    except NothingToDrawError as nothing:
        return Drawing(plot.name, title, plot.method, absent=str(nothing))
    return Drawing(plot.name, title, plot.method + plot.note(material.comparison), wide, narrow)
