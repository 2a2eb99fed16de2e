"""A chart as SVG: well-formed, true to its figures, readable without colour, light and dark, and small."""

from __future__ import annotations

import re
from math import inf, nan
from xml.etree import ElementTree

import numpy as np
import pytest

from harness.report.charts.chart import Axis, Box, Boxes, Chart, Curve, Dot, Dots, Key, Panel, Strokes, Words
from harness.report.charts.lettering import SHAPES, breadth, shape_path, shortened, wrapped
from harness.report.charts.svg import FOLDER, inline, page_style, standing_alone
from harness.report.material import Material
from harness.report.plots.cloud import MOST_CELLS, MOST_DOTS, cells, cloud
from harness.report.plots.discrepancy_plots import distances, margins
from harness.report.plots.latency_plots import latencies
from harness.report.sections import charts
from tests.synthetic import pictures, synthetic

NAMESPACE = {"svg": "http://www.w3.org/2000/svg"}
AXES = Axis(limits=(0, 10)), Axis(limits=(0, 100))


def tree(chart: Chart) -> ElementTree.Element:
    return ElementTree.fromstring(standing_alone(chart, "told <so>"))  # noqa: S314  our own


def one(*marks: object) -> Chart:
    return Chart((Panel(marks, *AXES, height=200),))  # type: ignore[arg-type] # marks of any kind


def area(root: ElementTree.Element) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the only panel, as its axes are drawn."""
    (axis,) = root.findall(".//svg:path[@class='axis']", NAMESPACE)
    left, top, bottom, _, _, right = map(float, re.findall(r"[\d.]+", axis.attrib["d"]))
    return left, top, right, bottom


# --- marks ---------------------------------------------------------------------------------------------------------


def test_a_box_lies_where_its_figures_say_and_says_them() -> None:
    root = tree(one(Boxes([Box((2, 5), (0, 50), "half")], "c1")))
    left, top, right, bottom = area(root)
    (rect,) = root.findall(".//svg:g[@class='c1 filled']/svg:rect", NAMESPACE)
    x, y, width, height = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
    assert (x, width) == pytest.approx((left + 0.2 * (right - left), 0.3 * (right - left)), abs=0.1)
    assert (y + height, height) == pytest.approx((bottom, (bottom - top) / 2), abs=0.1)
    assert rect.find("svg:title", NAMESPACE).text == "half"


def test_what_has_no_end_goes_from_edge_to_edge() -> None:
    root = tree(one(Strokes([(-inf, 50, inf, 50)], "grey"), Boxes([Box((4, 6), (-inf, inf))], "c4")))
    left, top, right, bottom = area(root)
    (line,) = root.findall(".//svg:path[@class='grey curve']", NAMESPACE)
    assert line.attrib["d"] == f"M{left:g} {(top + bottom) / 2:g}L{right:g} {(top + bottom) / 2:g}"
    (band,) = root.findall(".//svg:g[@class='c4 filled']/svg:rect", NAMESPACE)
    assert float(band.attrib["height"]) == pytest.approx(bottom - top)


def test_a_step_holds_its_value_until_the_next() -> None:
    root = tree(one(Curve([0, 5, 10], [0, 100, 100], "c1", stepped=True)))
    left, top, right, bottom = area(root)
    (path,) = root.findall(".//svg:path[@class='c1 curve']", NAMESPACE)
    assert path.attrib["d"] == f"M{left:g} {bottom:g}H{round((left + right) / 2, 1):g}V{top:g}H{right:g}"


def test_a_point_without_a_value_is_nowhere() -> None:
    root = tree(one(Dots([Dot(nan, 1, "x"), Dot(1, nan, "y"), Dot(1, 1, "both")], "c1")))
    assert [title.text for title in root.iter(f"{{{NAMESPACE['svg']}}}title")] == ["both"]


def test_every_shape_is_another_and_around_its_point() -> None:
    paths = {shape: shape_path(shape, 0, 0, 10) for shape in SHAPES}
    assert len(set(paths.values())) == len(SHAPES)
    for path in paths.values():
        x = y = 0.0
        for dx, dy in re.findall(r"[ml](-?[\d.]+) (-?[\d.]+)", path):
            x, y = x + float(dx), y + float(dy)
            assert abs(x) <= 15 and abs(y) <= 15


def test_text_is_escaped_and_what_does_not_fit_is_told_whole() -> None:
    long = "a & b < c " * 40
    root = tree(one(Words(0, 50, long)))
    (text,) = [t for t in root.iter(f"{{{NAMESPACE['svg']}}}text") if (t.text or "").startswith("a & b")]
    assert (text.text or "").endswith("…") and text.find("svg:title", NAMESPACE).text == long
    assert root.attrib["aria-label"] == "told <so>" and root.attrib["role"] == "img"


def test_texts_are_broken_and_cut_by_their_width() -> None:
    assert wrapped("one two three", breadth("one two")) == ["one two", "three"]
    assert wrapped("", 100) == [] and wrapped("unbreakable", 1) == ["unbreakable"]
    assert shortened("one two three", breadth("one two three")) == "one two three"
    assert breadth(shortened("one two three", 50)) <= 50


# --- sheets --------------------------------------------------------------------------------------------------------


def test_panels_stand_side_by_side_on_a_page_and_under_each_other_on_a_phone() -> None:
    chart = Chart(tuple(Panel((), *AXES, title=name) for name in "abc"), columns=(3, 1))
    places = [
        [tuple(map(float, found)) for found in re.findall(r'<text x="([\d.]+)" y="([\d.]+)" class="strong"', svg)]
        for svg in inline(chart, "three")
    ]
    assert [len({x for x, _ in sheet}) for sheet in places] == [3, 1]
    assert [len({y for _, y in sheet}) for sheet in places] == [1, 3]


def test_an_axis_that_is_shared_has_one_range_and_its_numbers_once() -> None:
    x = Axis(ticks=((1, "one"),))
    panels = [Panel([Dots([Dot(v, v)], "c1")], x, Axis()) for v in (1.0, 9.0)]
    chart = Chart(tuple(panels), columns=(2, 2), shared="y")
    root = tree(chart)
    paths = [path.attrib["d"] for path in root.findall(".//svg:g[@class='c1 dot']/svg:path", NAMESPACE)]
    first, second = (float(path.split("m")[0].split()[1]) for path in paths)
    assert first > second
    alone = standing_alone(chart)
    assert alone.count('class="soft middle">one') == 2
    labels = re.findall(r'class="soft end">([^<]+)', alone)
    assert labels and len(set(labels)) == len(labels)


@pytest.mark.parametrize("place", [0, 1])
def test_no_text_begins_or_ends_outside_the_sheet(place: int) -> None:
    made, _ = charts(Material(synthetic(targets=("host", "raspberry-pi-4"), hot=("raspberry-pi-4",)), pictures()))
    assert len(made) >= 7
    for chart in made.values():
        svg = inline(chart, "")[place]
        width = float(re.search(r'viewBox="0 0 ([\d.]+)', svg)[1])
        for x, name, text in re.findall(r'<text x="([\d.]+)" y="[\d.]+"(?: class="([\w ]+)")?>([^<]*)', svg):
            share = 0.5 if "middle" in name else 1 if "end" in name else 0
            start = float(x) - share * breadth(text)
            assert start >= -6 and start + breadth(text) <= width + 6, text


# --- colours -------------------------------------------------------------------------------------------------------


def test_a_page_has_every_colour_light_and_dark_and_a_file_names_none_by_variable() -> None:
    light, dark = page_style().split("@media")
    dark, rules = dark.split("}\n}")
    used = set(re.findall(r"var\((--[\w-]+)\)", rules))
    assert used and all(f"{name}:" in light and f"{name}:" in dark for name in used)
    alone = standing_alone(Chart((Panel((), *AXES),)))
    assert "var(" not in alone and "color: #0072b2" in alone


def luminance(colour: str) -> float:
    """The relative luminance of WCAG 2.2."""
    digits = colour.lstrip("#")
    digits = "".join(2 * d for d in digits) if len(digits) == 3 else digits
    parts = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1])
def test_texts_have_the_contrast_of_wcag_aa(scheme: int) -> None:
    values = dict(re.findall(r"(--[\w-]+): (#\w+)", re.findall(r":root {([^}]+)}", page_style())[scheme]))
    paper = luminance(values["--paper"])
    for name in ("--ink", "--soft"):
        lighter, darker = sorted((paper, luminance(values[name])), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5


# --- the report's plots --------------------------------------------------------------------------------------------


def test_a_box_of_latency_has_the_quartiles_of_all_invokes() -> None:
    comparison = synthetic()
    (panel, *_) = latencies(Material(comparison)).panels
    boxes = [box for mark in panel.marks if isinstance(mark, Boxes) for box in mark.boxes]
    for box in boxes:
        variant = box.tip.split(":")[0]
        kept = [r for r in comparison.run.rounds if r.case.variant == variant and r.counts and r.timed is not None]
        places = {f"{r.case.runtime} · {r.case.target}": r.case for r in kept}
        own = [r.timed.invokes_ns for r in kept if r.case == places[panel.title] and r.timed is not None]
        assert box.x == pytest.approx(tuple(np.percentile(np.concatenate(own) / 1000, [25, 75])))
    assert boxes


def test_a_curve_has_the_share_of_samples_within_a_distance() -> None:
    comparison = synthetic(samples=1797)
    panel = distances(Material(comparison)).panels[0]
    for curve in (mark for mark in panel.marks if isinstance(mark, Curve)):
        case = next(c for c in comparison.samples if curve.tip.startswith(f"{c.variant}:"))
        values = comparison.samples[case]["max_abs_diff"].astype(float)
        assert len(curve.x) <= 301
        for x, share in list(zip(curve.x, curve.y, strict=True))[1:-1:29]:
            assert share == pytest.approx(100 * np.mean(values <= x))


def test_every_flip_has_a_cross_that_says_which_sample() -> None:
    comparison = synthetic()
    for panel in margins(Material(comparison)).panels:
        case = next(c for c in comparison.samples if panel.title.startswith(f"{c.variant}:"))
        (crosses,) = [m for m in panel.marks if isinstance(m, Dots) and m.shape == "cross"]
        told = sorted(int(re.match(r"sample (\d+): \S+ → \S+;", dot.tip)[1]) for dot in crosses.dots)
        assert told == np.flatnonzero(comparison.samples[case]["flip"]).tolist()


def test_cells_count_every_point_once() -> None:
    rng = np.random.default_rng(0)
    x, y = 10 ** rng.normal(size=50_000), 10 ** rng.normal(size=50_000)
    found = cells(x, y, 1, "c1", log=True)
    counts = [int(box.tip.split()[0].replace(",", "")) for box in found.boxes]
    assert sum(counts) == 50_000 and len(counts) <= MOST_CELLS
    fullest = found.boxes[int(np.argmax(counts))]
    inside = (x >= fullest.x[0]) & (x < fullest.x[1]) & (y >= fullest.y[0]) & (y < fullest.y[1])
    assert int(inside.sum()) == max(counts) and fullest.opacity == max(box.opacity for box in found.boxes)


@pytest.mark.parametrize("panels", [1, 6, 100])
def test_the_marks_of_a_plot_are_bounded(panels: int) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 10_000))
    most = max(MOST_CELLS, MOST_DOTS) + 100 * 66  # of 100 panels a cell each would be too few to see anything
    mark = cloud(x, y, np.arange(len(x)), panels, "c1", str, int, log=False)
    assert isinstance(mark, Boxes) and panels * len(mark.boxes) <= most
    few = cloud(x, y, np.arange(MOST_DOTS // panels), panels, "c1", str, int, log=False)
    assert isinstance(few, Dots) and [dot.tip for dot in few.dots][:2] == ["0", "1"]


def test_keys_that_differ_in_colour_differ_in_shape_or_line_too() -> None:
    chart = distances(Material(synthetic()))
    assert len({key.dash for key in chart.legend}) == len(chart.legend) > 3
    assert isinstance(chart.legend[0], Key)


# --- colours -------------------------------------------------------------------------------------------------------

BLINDNESS = {  # of linear RGB: Machado, Oliveira & Fernandes, IEEE TVCG 15 (2009), 1291–1298, severity 1.0
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
WHITE = np.array([0.95047, 1, 1.08883])


def linear(colour: str) -> np.ndarray:
    """Linear sRGB of #rgb or #rrggbb."""
    digits = colour.lstrip("#") if len(colour) == 7 else "".join(2 * digit for digit in colour.lstrip("#"))
    share = np.array([int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)])
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* under D65."""
    share = np.array(TO_XYZ) @ np.clip(rgb, 0, 1) / WHITE
    x, y, z = np.where(share > (6 / 29) ** 3, np.cbrt(share), share / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", BLINDNESS)
@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_series_are_told_apart_by_who_sees_few_colours(theme: int, vision: str) -> None:
    """By at least 16 (CIE76) between any two of eight, and 20 between neighbours; 2.3 can just be seen."""
    css = (FOLDER / "colours.css").read_text().split("@media")[theme]
    values = dict(re.findall(r"--(c\d): (#\w+);", css))
    assert len(values) == 8
    seen = np.array([lab(np.array(BLINDNESS[vision]) @ linear(colour)) for colour in values.values()])
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=2)
    assert apart[np.triu_indices(8, 1)].min() > 16 and np.diagonal(apart, 1).min() > 20
