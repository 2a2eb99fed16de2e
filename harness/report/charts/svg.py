"""A chart written as SVG: colours are classes of chart.css, and a mark says its figures where one points at it."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import cache
from html import escape
from math import isnan
from pathlib import Path
from typing import Any

from harness.report.charts.chart import Boxes, Chart, Curve, Dot, Dots, Key, Panel, Picture, Strokes, Words
from harness.report.charts.layout import LABEL_GAP, LINE, NARROW, WIDE, Layout, Placed, Sheet, laid_out
from harness.report.charts.lettering import SMALL, number, shape_path, shortened

DASHES = ("", "7 3", "2 2.5", "8 3 2 3", "12 4", "5 2 1.5 2 1.5 2")
FOLDER = Path(__file__).parent
NAMESPACE = ' xmlns="http://www.w3.org/2000/svg"'  # of a file; inside a page it is known


def inline(chart: Chart, told: str) -> tuple[str, str]:
    """Return the chart for a page and for a phone, to stand where page_style() is. told: what it is, in words."""
    return written(chart, WIDE, told, "chart wide"), written(chart, NARROW, told, "chart narrow")


def standing_alone(chart: Chart, told: str = "A chart") -> str:
    """Return the chart for a page as a file of its own, in light colours."""
    return as_file(inline(chart, told)[0])


def as_file(wide: str) -> str:
    """Return what inline() wrote for a page as a file of its own, in light colours."""
    head, parts = wide.split(">", 1)
    paper = '<rect class="paper" width="100%" height="100%"/>'
    return f"{head.replace('<svg', f'<svg{NAMESPACE}', 1)}><style>{light_style()}</style>{paper}{parts}"


def page_style() -> str:
    """Return the CSS of charts and of the colours that a page shares with them, light and dark."""
    return (FOLDER / "colours.css").read_text() + (FOLDER / "chart.css").read_text()


@cache
def light_style() -> str:
    """Return the CSS of a chart alone, each colour by its value: not every program knows variables."""
    light, rules = (FOLDER / "colours.css").read_text().split("@media")[0], (FOLDER / "chart.css").read_text()
    values = dict(re.findall(r"(--[\w-]+): ([^;]+);", light))
    return re.sub(r"var\((--[\w-]+)\)", lambda found: values[found[1]], rules)


def written(chart: Chart, sheet: Sheet, told: str, name: str) -> str:
    layout = laid_out(chart, sheet)
    size = f"{number(layout.width)} {number(layout.height)}"
    wide, high = size.split()
    head = (
        f'<svg class="{name}" viewBox="0 0 {size}"'
        f' width="{wide}" height="{high}" role="img" aria-label="{escape(told)}">'
    )
    return "".join([head, *parts(chart, layout), "</svg>"])


def parts(chart: Chart, layout: Layout) -> Iterator[str]:
    for n, (line, name) in enumerate(layout.headings):
        yield text(0, LINE * (n + 0.75), line, name)
    for placed in layout.panels:
        yield from frame(placed)  # which stays: panels beside it may share its labels
        marks = [WRITERS[type(mark)](mark, placed) for mark in placed.panel.marks]
        yield from (f"<g{place}>", *marks, "</g>") if (place := place_of(placed.panel)) else marks
    if chart.x_title:
        yield text(layout.width / 2, layout.x_title_y - 4, chart.x_title, "soft middle")
    for x, y, key in layout.keys:
        yield legend_entry(x, y, key)


def place_of(panel: Panel) -> str:
    """Write what all marks of a panel are of, for page.js."""
    told = {"of-target": panel.target, "of-runtime": panel.runtime, "of-variant": panel.variant}
    return "".join(f' data-{name}="{escape(value)}"' for name, value in told.items() if value)


def text(x: float, y: float, words: str, name: str = "") -> str:
    named = f' class="{name}"' if name else ""
    return f'<text x="{number(x)}" y="{number(y)}"{named}>{escape(words, quote=False)}</text>' if words else ""


def titled(tip: str) -> str:
    return f"<title>{escape(tip, quote=False)}</title>" if tip else ""


# --- axes ----------------------------------------------------------------------------------------------------------


def frame(placed: Placed) -> Iterator[str]:
    """Write titles, grid, axes and their labels."""
    lines = [*((line, "strong") for line in placed.titles), *((line, "soft") for line in placed.notes)]
    for n, (line, name) in enumerate(reversed(lines)):
        yield text(placed.left, placed.top - 9 - LINE * n, line, name)
    yield "".join(
        f'<path class="{name}" d="{d}"/>' for name, d in (("grid", grid(placed)), ("axis", axes(placed))) if d
    )
    if placed.x_labelled:
        for value, label in placed.x_ticks:
            yield text(placed.x.px(value), placed.bottom + LINE, label, "soft middle")
        if placed.panel.x:
            middle = (placed.x.start + placed.x.end) / 2
            yield text(middle, placed.bottom + 2 * LINE, placed.panel.x.title, "soft middle")
    if placed.y_labelled:
        for value, label in placed.y_ticks:
            yield text(placed.x.start - LABEL_GAP + 2, placed.y.px(value) + SMALL * 0.35, label, "soft end")


def grid(placed: Placed) -> str:
    x, y = placed.panel.x, placed.panel.y
    across = [f"M{number(placed.x.px(v))} {number(placed.top)}V{number(placed.bottom)}" for v, _ in placed.x_ticks]
    up = [f"M{number(placed.x.start)} {number(placed.y.px(v))}H{number(placed.right)}" for v, _ in placed.y_ticks]
    return "".join((across if x and x.gridded else []) + (up if y and y.gridded else []))


def axes(placed: Placed) -> str:
    start, bottom = number(placed.x.start), number(placed.bottom)
    left = f"M{start} {number(placed.top)}V{bottom}" if placed.panel.y else ""
    return left + (f"M{start} {bottom}H{number(placed.right)}" if placed.panel.x else "")


def legend_entry(x: float, y: float, key: Key) -> str:
    if key.shape:
        sign = f'<path class="{"hollow" if key.hollow else "dot"}" d="{shape_path(key.shape, x + 9, y - 4, 4.2)}"/>'
    else:
        sign = f'<path class="curve" stroke-width="1.8"{dashed(key.dash)} d="M{number(x)} {number(y - 4)}h17"/>'
    return f'<g class="{key.colour}">{sign}</g>{text(x + 22, y, key.text)}'


# --- marks ---------------------------------------------------------------------------------------------------------


def dots(mark: Dots, at: Placed) -> str:
    """Write points; one without a value is nowhere."""
    name = "hollow" if mark.hollow else "dot"
    points = (
        f'<path d="{shape_path(mark.shape, at.x.px(d.x), at.y.px(d.y), d.radius)}"{of_sample(d)}{closed(d.tip)}'
        for d in mark.dots
        if not (isnan(d.x) or isnan(d.y))
    )
    return f'<g class="{mark.colour} {name}"{faded(mark.opacity)}>{"".join(points)}</g>'


def of_sample(dot: Dot) -> str:
    return "" if dot.sample is None else f' data-sample="{dot.sample}"'


def closed(tip: str) -> str:
    return f">{titled(tip)}</path>" if tip else "/>"


def faded(opacity: float, name: str = "opacity") -> str:
    return "" if opacity == 1 else f' {name}="{opacity:.2g}"'


def dashed(dash: int) -> str:
    pattern = DASHES[dash % len(DASHES)]
    return f' stroke-dasharray="{pattern}"' if pattern else ""


def curve(mark: Curve, at: Placed) -> str:
    """Write a line; where the pixels do not change, nothing is written."""
    points = [(number(at.x.px(x)), number(at.y.px(y))) for x, y in zip(mark.x, mark.y, strict=True)]
    (x, y), path = points[0], [f"M{points[0][0]} {points[0][1]}"]
    for next_x, next_y in points[1:]:
        if mark.stepped:
            path.append((f"H{next_x}" if next_x != x else "") + (f"V{next_y}" if next_y != y else ""))
        elif (next_x, next_y) != (x, y):
            path.append(f"L{next_x} {next_y}")
        x, y = next_x, next_y
    style = f'class="{mark.colour} curve" stroke-width="{mark.width:g}"{dashed(mark.dash)}'
    return f'<path {style} d="{"".join(path)}"{closed(mark.tip)}'


def strokes(mark: Strokes, at: Placed) -> str:
    path = "".join(
        f"M{number(at.x.px(x1))} {number(at.y.px(y1))}L{number(at.x.px(x2))} {number(at.y.px(y2))}"
        for x1, y1, x2, y2 in mark.ends
    )
    style = f'class="{mark.colour} curve" stroke-width="{mark.width:g}"{dashed(mark.dash)}{faded(mark.opacity)}'
    return f'<path {style} d="{path}"/>' if path else ""


def boxes(mark: Boxes, at: Placed) -> str:
    name = "edged" if mark.edged else "filled"
    drawn = []
    for box in mark.boxes:
        left, right = sorted(at.x.px(value) for value in box.x)
        top, bottom = sorted(at.y.px(value) for value in box.y)
        place = f'x="{number(left)}" y="{number(top)}" width="{number(right - left)}" height="{number(bottom - top)}"'
        end = f">{titled(box.tip)}</rect>" if box.tip else "/>"
        drawn.append(f"<rect {place}{faded(box.opacity, 'fill-opacity')}{end}")
    return f'<g class="{mark.colour} {name}">{"".join(drawn)}</g>'


def words(mark: Words, at: Placed) -> str:
    x, y = at.x.px(mark.x) + 4, at.y.px(mark.y) + SMALL * 0.35
    shown = shortened(mark.text, at.right - x)
    whole = titled(mark.text) if shown != mark.text else ""
    return f'<text x="{number(x)}" y="{number(y)}">{escape(shown, quote=False)}{whole}</text>'


def picture(mark: Picture, at: Placed) -> str:
    size = f'width="{number(at.right - at.x.start)}" height="{number(at.bottom - at.top)}"'
    place = f'x="{number(at.x.start)}" y="{number(at.top)}" {size}'
    address = f"data:image/png;base64,{b64encode(mark.png).decode()}"
    return f'<image class="pixels" {place} preserveAspectRatio="xMinYMin" href="{address}">{titled(mark.tip)}</image>'


WRITERS: dict[type, Callable[[Any, Placed], str]] = {
    Dots: dots,
    Curve: curve,
    Strokes: strokes,
    Boxes: boxes,
    Words: words,
    Picture: picture,
}
