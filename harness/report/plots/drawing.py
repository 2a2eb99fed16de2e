"""A plot of the report as it is declared, and as it is drawn: once for a page and once for a phone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.records import Comparison
from harness.records.terms import TASKS, Task
from harness.report.charts.chart import Chart
from harness.report.charts.svg import inline
from harness.report.material import Material
from harness.report.part import Block
from harness.report.plots.style import NothingToDrawError


@dataclass(frozen=True)
class Plot:
    """name: of its file. title: its {} becomes the metric that the run is judged by first. method: how it is made.

    chart: makes it, or raises NothingToDrawError where the run has no data for it. note: what this run adds to the
    method.
    """

    name: str
    title: str
    method: str
    chart: Callable[[Material], Chart]
    note: Callable[[Comparison], str] = lambda comparison: ""
    tasks: tuple[Task, ...] = TASKS  # those that it is drawn for


@dataclass(frozen=True)
class Drawing(Block):
    """A plot of one run: SVG for a page and for a phone; or why there is none."""

    kind = "drawing"
    name: str
    title: str
    method: str
    wide: str = ""
    narrow: str = ""
    absent: str = ""

    @property
    def file_name(self) -> str:
        return f"{self.name}.svg"


def draw(plot: Plot, material: Material) -> Drawing:
    title = plot.title.format(material.primary.title)
    try:
        chart = plot.chart(material)
    except NothingToDrawError as nothing:
        return Drawing(plot.name, title, plot.method, absent=str(nothing))
    return drawn(chart, plot.name, title, plot.method + plot.note(material.comparison))


def drawn(chart: Chart, name: str, title: str, method: str) -> Drawing:
    return Drawing(name, title, method, *inline(chart, f"{title}. {method}"))
