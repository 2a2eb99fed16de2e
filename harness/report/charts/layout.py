"""Where everything of a chart stands on a sheet of a given width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.report.charts.chart import Axis, Chart, Key, Limits, Panel, Tick
from harness.report.charts.lettering import BOLD, SMALL, breadth, wrapped
from harness.report.charts.scales import Scale, limits_of, ticks_of

LINE = 17.0  # px from one line of text to the next
LABEL_GAP = 8.0  # between an axis and its labels
LEAST_MARGIN = 4.0  # left of an axis without any
EDGE = 10.0  # right of a panel, for the half of a label that stands out
BETWEEN = 16.0  # between lines of panels
KEY_MARK, KEY_GAP = 22.0, 18.0  # a legend's mark with its space; between two entries


@dataclass(frozen=True)
class Sheet:
    """width: in px. place: of a page 0, of a phone 1, as in Chart.columns."""

    width: float
    place: int


WIDE, NARROW = Sheet(1000.0, 0), Sheet(330.0, 1)


@dataclass(frozen=True)
class Placed:
    """A panel on its sheet: x and y are those of the marks' area, top left at (x.start, y.end)."""

    panel: Panel
    x: Scale
    y: Scale
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    x_labelled: bool
    y_labelled: bool
    left: float  # where its texts begin
    titles: tuple[str, ...]
    notes: tuple[str, ...]  # and, as the last ones, the y axis' title

    @property
    def top(self) -> float:
        return min(self.y.start, self.y.end)

    @property
    def bottom(self) -> float:
        return max(self.y.start, self.y.end)

    @property
    def right(self) -> float:
        return self.x.end


@dataclass(frozen=True)
class Layout:
    """Everything of a chart on its sheet. keys: (x, y of its text, entry)."""

    width: float
    height: float
    panels: tuple[Placed, ...]
    keys: tuple[tuple[float, float, Key], ...]
    headings: tuple[tuple[str, str], ...]  # lines above all panels, each with its class
    x_title_y: float


def laid_out(chart: Chart, sheet: Sheet) -> Layout:
    """Place the title of y, the lines of panels, the title of x and the legend under each other."""
    headings = headings_of(chart, sheet)
    columns = columns_of(chart, sheet)
    y, placed = (LINE * len(headings) + 4 if headings else 0.0), list[Placed]()
    for first in range(0, len(chart.panels), len(columns)):
        placed += placed_line(chart, columns, first, y)
        y = max(panel_end(one) for one in placed[first:]) + BETWEEN
    x_title_y = y - BETWEEN + LINE
    y = x_title_y + LINE * 0.4 if chart.x_title else y - BETWEEN + 4
    keys = placed_keys(chart.legend, sheet.width, y)
    return Layout(sheet.width, keys[-1][1] + 8 if keys else y, tuple(placed), tuple(keys), headings, x_title_y)


def headings_of(chart: Chart, sheet: Sheet) -> tuple[tuple[str, str], ...]:
    """Return the lines above all panels, each with its class."""
    titles = [(line, "strong") for line in wrapped(chart.title, sheet.width, BOLD)]
    return (*titles, *((line, "soft") for line in wrapped(chart.y_title, sheet.width)))


@dataclass(frozen=True)
class Column:
    """left: where its texts begin. margin: for the labels of y. width: of the marks' area. shared: has no labels."""

    left: float
    margin: float
    width: float
    shared: bool


def columns_of(chart: Chart, sheet: Sheet) -> list[Column]:
    """Share the sheet's width among the columns by the breadths of their first panels."""
    count = min(len(chart.panels), chart.columns[sheet.place])
    of_column = [chart.panels[n::count] for n in range(count)]
    shared = ["y" in chart.shared and n > 0 for n in range(count)]
    texts = [[text for p in panels if has_labels(p.y) for _, text in y_ticks(chart, p)] for panels in of_column]
    margins = [
        LABEL_GAP + max(map(breadth, named)) if named and not bare else LEAST_MARGIN
        for named, bare in zip(texts, shared, strict=True)
    ]
    breadths = [panels[0].breadth for panels in of_column]
    unit = (sheet.width - sum(margins) - EDGE * count) / sum(breadths)
    lefts = [sum(margins[:n]) + unit * sum(breadths[:n]) + EDGE * n for n in range(count)]
    return [Column(*c) for c in zip(lefts, margins, (unit * b for b in breadths), shared, strict=True)]


def y_scale(chart: Chart, panel: Panel, top: float = 0.0) -> Scale:
    return Scale(*limits(chart, panel, "y"), logarithmic(panel.y), top + panel.height, top)


def y_ticks(chart: Chart, panel: Panel) -> tuple[Tick, ...]:
    return ticks_of(panel.y, y_scale(chart, panel), upright=True) if panel.y else ()


def panel_end(one: Placed) -> float:
    titled = one.panel.x is not None and bool(one.panel.x.title)
    return one.bottom + LINE * one.x_labelled * (1 + titled) + 3


def limits(chart: Chart, panel: Panel, axis: Literal["x", "y"]) -> Limits:
    """Return the limits of a panel's axis; where it is shared they are of all marks."""
    place, panels = "xy".index(axis), chart.panels if axis in chart.shared else (panel,)
    values = (corner[place] for one in panels for mark in one.marks for corner in mark.corners())
    own: Axis | None = getattr(panel, axis)
    return limits_of(own, values) if own else (0.0, 1.0)


def placed_line(chart: Chart, columns: Sequence[Column], first: int, top: float) -> list[Placed]:
    """Place the panels from this one on side by side, their marks' areas at one height."""
    line = list(zip(range(first, len(chart.panels)), columns, strict=False))
    texts = [texts_of(chart.panels[n], column.margin + column.width) for n, column in line]
    start = top + LINE * max(len(titles) + len(notes) for titles, notes in texts) + 6
    placed = []
    for (n, column), (titles, notes) in zip(line, texts, strict=True):
        panel, left = chart.panels[n], column.left + column.margin
        x = Scale(*limits(chart, panel, "x"), logarithmic(panel.x), left, left + column.width)
        across = ticks_of(panel.x, x, upright=False) if panel.x else ()
        last = "x" not in chart.shared or n + len(columns) >= len(chart.panels)
        labelled = has_labels(panel.x) and last, has_labels(panel.y) and not column.shared
        ticks = across, y_ticks(chart, panel)
        placed.append(Placed(panel, x, y_scale(chart, panel, start), *ticks, *labelled, column.left, titles, notes))
    return placed


def logarithmic(axis: Axis | None) -> bool:
    return axis is not None and axis.log


def has_labels(axis: Axis | None) -> bool:
    return axis is not None and axis.labelled


def texts_of(panel: Panel, room: float) -> tuple[tuple[str, ...], tuple[str, ...]]:
    titles = wrapped(panel.title, room, BOLD)
    notes = wrapped(panel.note, room) + (wrapped(panel.y.title, room) if panel.y and panel.y.title else [])
    return tuple(titles), tuple(notes)


def placed_keys(legend: Sequence[Key], width: float, top: float) -> list[tuple[float, float, Key]]:
    """Place a legend's entries from left to right, in as many lines as they need."""
    x, y, keys = 0.0, top + LINE, []
    for key in legend:
        wide = KEY_MARK + breadth(key.text, SMALL)
        if x and x + wide > width:
            x, y = 0.0, y + LINE * 1.15
        keys.append((x, y, key))
        x += wide + KEY_GAP
    return keys
