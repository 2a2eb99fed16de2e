"""A trend as a page: since when what is another, each series as a curve, and what to know of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import inf

from harness.compare.over_runs import Series, Trend
from harness.records.names import row_label
from harness.report.charts.chart import Axis, Chart, Curve, Dot, Dots, Key, Mark, Panel, Strokes, Tick
from harness.report.out.page import page
from harness.report.out.trend_markdown import ends, headline, since
from harness.report.part import Block, Part
from harness.report.plots.drawing import drawn
from harness.report.plots.style import BLUE, FLIP, GREY
from harness.report.sections import Content, Section
from harness.report.tables.columns import Cell, Heading, Line, Table, Tables
from harness.report.words.summary import Sentence, Sentences
from harness.report.words.trend_words import levels, metric_title, notes, since_when, texts
from harness.support.format import plural, size_scale, time_scale

MOST_PANELS = 24
METHOD = (
    "Every run that is comparable with the newest one, the oldest first, with its limits where it has some. The grey"
    " line is the median of a level; a cross is the first run of a new one."
)
KEYS = (
    Key("a run", BLUE, "circle"), Key("first run of a new level", FLIP, "cross"), Key("median of the level", GREY)
)  # fmt: skip
HEADINGS = tuple(
    Heading(name, number=name in ("Runs", "First", "Newest"))
    for name in ("Variant", "Runtime", "Target", "Metric", "Runs", "First", "Newest", "Changed since")
)


def render(trend: Trend) -> str:
    """Return the whole page."""
    told, footer = headline(trend), f"edge-harness, harness trend {trend.experiment}"
    heading = f"{trend.experiment}: how it went over its runs"
    return page(heading, f"{told[:1].upper()}{told[1:]}.", list(contents(trend)), footer)


def contents(trend: Trend) -> Iterator[Content]:
    """Yield what changed, each series as a table and a curve, and what to know."""
    ordered = sorted(trend.series, key=lambda series: not series.since)  # stable
    changed = [Sentence("Changed", f"{since_when(series)}.") for series in trend.changed]
    known = [Sentence("To know", note) for note in notes(trend)]
    yield content("answer", "What changed", Sentences((*changed, *known)))
    yield content("summary", "Every series", Tables((Table(HEADINGS, tuple(map(line, ordered))),)))
    shown = [series for series in ordered if len(series.points) > 1]
    if shown:
        cut = f" {plural(len(shown) - MOST_PANELS, 'series', 'series')} more are in the table." * (
            len(shown) > MOST_PANELS
        )
        panels = tuple(panel(series, trend.runs) for series in shown[:MOST_PANELS])
        chart = Chart(panels, KEYS, (3, 1), x_title="run, the oldest first")
        yield content("series", "Run by run", drawn(chart, "trend", "Run by run", METHOD + cut))


def content(anchor: str, name: str, *blocks: Block) -> Content:
    return Content(Section(anchor, name, ()), name, (Part("", blocks),))


def line(series: Series) -> Line:
    first, newest = ends(series)
    case, tone = series.case, "bad" if series.since else ""
    words = (case.variant, case.runtime, case.target, metric_title(series), str(len(series.points)), first, newest)
    return Line((*map(Cell, words), Cell(since(series), tone=tone)))


def panel(series: Series, runs: tuple[str, ...]) -> Panel:
    """Draw one series: x the runs of the whole trend, y its values."""
    at = [runs.index(point.run_id) for point in series.points]
    base, unit = scale_of(series)
    ticks: tuple[Tick, ...] = ((0.0, "1"), (float(len(runs) - 1), str(len(runs))))
    x, y = Axis(limits=(-0.5, len(runs) - 0.5), ticks=ticks, gridded=False), Axis(margin=0.15)
    title = ", ".join(filter(None, (metric_title(series), unit)))
    return Panel(list(marks(series, at, base)), x, y, title, row_label(series.case, target=True), 110)


def marks(series: Series, at: list[int], base: float) -> Iterator[Mark]:
    starts = [0, *series.since, len(at)]
    for (start, end), level in zip(pairwise(starts), levels(series), strict=True):
        yield Strokes([(at[start] - 0.3, level / base, at[end - 1] + 0.3, level / base)], GREY, 1.2)
    yield Curve(at, [value / base for value in series.values], BLUE, width=0.8)
    pairs = list(zip(at, series.points, strict=True))
    limits = [(n, p.low / base, n, p.high / base) for n, p in pairs if p.low is not None and p.high is not None]
    yield Strokes([ends for ends in limits if all(abs(end) < inf for end in ends)], BLUE, 1.2, opacity=0.5)
    told = [f"{p.run_id}: {text}" for p, text in zip(series.points, texts(series, series.values), strict=True)]
    dots = [Dot(n, p.value / base, tip) for (n, p), tip in zip(pairs, told, strict=True)]
    yield Dots([dot for n, dot in enumerate(dots) if n not in series.since], BLUE)
    yield Dots([dots[n] for n in series.since], FLIP, "cross")


def scale_of(series: Series) -> tuple[float, str]:
    """Return what values are divided by, and the unit that they are then in: that of the texts."""
    if series.unit == "fraction":
        return 0.01, "%"
    if series.unit in ("us", "bytes"):
        scale = (time_scale if series.unit == "us" else size_scale)(series.values)
        return scale.base, scale.name
    return 1.0, series.unit
