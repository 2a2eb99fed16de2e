"""A plot of the report as it is declared, and as it is drawn: once for a page and once for a phone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

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
    method. of_answers: it is drawn of what one output answers, so of each that has labels.
    """

    name: str
    title: str
    method: str
    chart: Callable[[Material], Chart]
    note: Callable[[Comparison], str] = lambda comparison: ""
    tasks: tuple[Task, ...] = TASKS  # those that it is drawn for
    of_answers: bool = False


@dataclass(frozen=True)
class OneOutput:
    """One of several labelled outputs. place: among the model's outputs; None of the scored one: it has plain names."""

    name: str
    place: int | None


@dataclass(frozen=True)
class Drawing(Block):
    """A plot of one run: SVG for a page and for a phone; or why there is none.

    of: which of several labelled outputs it is drawn of; None where there is one, or where it is of the whole run.
    on_page: False leaves it to its file.
    """

    kind = "drawing"
    name: str
    title: str
    method: str
    wide: str = ""
    narrow: str = ""
    absent: str = ""
    of: OneOutput | None = field(default=None, kw_only=True)
    on_page: bool = field(default=True, kw_only=True)

    @property
    def place(self) -> int | None:
        return self.of.place if self.of else None

    @property
    def file_name(self) -> str:
        return file_name(self.name, self.place)


def file_name(plot: str, place: int | None = None) -> str:
    return f"{plot}.svg" if place is None else f"{plot}-output-{place}.svg"


def draw(plot: Plot, material: Material, of: OneOutput | None = None) -> Drawing:
    title = plot.title.format(material.primary.title) + (f", output {of.name}" if of else "")
    try:
        chart = plot.chart(material)
    except NothingToDrawError as nothing:
        return Drawing(plot.name, title, plot.method, absent=str(nothing), of=of)
    return replace(drawn(chart, plot.name, title, plot.method + plot.note(material.comparison)), of=of)


def drawn(chart: Chart, name: str, title: str, method: str) -> Drawing:
    return Drawing(name, title, method, *inline(chart, f"{title}. {method}"))
