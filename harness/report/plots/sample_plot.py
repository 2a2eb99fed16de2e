"""One test sample: the picture, and every model's scores, or how far each model's numbers are from Keras'."""

from __future__ import annotations

from math import inf

import numpy as np

from harness.compare.answers import Answer, Sample, sample_answers, sample_title
from harness.compare.numbers import number_sample
from harness.compare.said_boxes import on_picture
from harness.data.picture import picture_png, png_of
from harness.metrics.task import EACH_PLACE, TEXTS
from harness.metrics.task_table import OF_CLASSES
from harness.records import Comparison
from harness.records.names import class_name, row_label
from harness.report.charts.chart import Axis, Box, Boxes, Chart, Dot, Dots, Mark, Panel, Picture, Strokes, Tick, Words
from harness.report.charts.lettering import shortened
from harness.report.plots.style import BLUE, FLIP, GREY, LIGHT, lines_of
from harness.report.samples.box_picture import box_picture, key_of
from harness.report.samples.mask_pictures import panels
from harness.support.format import decimals, significant

MOST_SCORES = 12  # classes drawn side by side, those with the highest scores
HIGH, WIDE = 0.82, 0.35  # of a bar with the highest score, in lines; half its width, in classes
SAYS = 2.2  # classes' breadths beside the bars, for the answer in words
PICTURE_PX, MASK_PX, LINE_PX = 210.0, 150.0, 30.0
CLASS_PX = 44.0  # for the name of a class
Marks = list[Mark]


def sample_chart(comparison: Comparison, pictures: np.ndarray | None, n: int) -> Chart:
    """Draw sample n, a line a model, beside its picture where there is one."""
    if comparison.run.task in OF_CLASSES:
        sample = sample_answers(comparison, n)
        panel = bars_panel(comparison, sample)
        return framed(png_of(pictures, n), sample_title(sample.number, sample.label_name), panel)
    title = sample_title(comparison.run.number_of(n), number_sample(comparison, n).label)
    if on_picture(comparison.run):
        return objects_chart(comparison, pictures, n, title)
    if comparison.run.task in EACH_PLACE:
        return masks_chart(comparison, pictures, n, title)
    if comparison.run.task in TEXTS:
        return framed(png_of(pictures, n), title, said_panel(comparison, n, []))
    return framed(png_of(pictures, n), title, points_panel(comparison, n))


def framed(picture: bytes, title: str, panel: Panel) -> Chart:
    if not picture:
        return Chart((panel,), title=title)
    return Chart((Panel([Picture(picture, title)], height=PICTURE_PX, breadth=0.4), panel), (), (2, 1), title=title)


def objects_chart(comparison: Comparison, pictures: np.ndarray | None, n: int, title: str) -> Chart:
    """Draw the picture with what its labels, Keras and the row that is furthest have on it, and what each finds."""
    sample, several = number_sample(comparison, n), len(comparison.run.targets) > 1
    case = max(sample.answers[1:], key=lambda answer: answer.apart).case if sample.answers[1:] else None
    key = [key_of(comparison.run, row_label(case, target=several))] if case else []
    return framed(box_picture(comparison, pictures, n, case), title, said_panel(comparison, n, key))


def said_panel(comparison: Comparison, n: int, key: list[str]) -> Panel:
    """Write what each model says, a line each. key: of what is drawn on the picture."""
    sample, several = number_sample(comparison, n), len(comparison.run.targets) > 1
    lines = key + [f"{row_label(a.case, target=several) if a.case else 'Keras'}: {a.text}" for a in sample.answers]
    said: Marks = [Words(0.0, float(y), line) for y, line in enumerate(lines)]
    lined = Axis(limits=(float(len(lines)), -1.0), ticks=(), labelled=False)
    return Panel(said, None, lined, height=LINE_PX * len(lines))


def masks_chart(comparison: Comparison, pictures: np.ndarray | None, n: int, title: str) -> Chart:
    """Draw the picture and its masks side by side."""
    shown = panels(comparison, pictures, n)
    drawn = [Panel([Picture(picture_png(p.pixels), p.title)], title=p.title, height=MASK_PX) for p in shown]
    return Chart(tuple(drawn), (), (len(drawn), 2), title=title)


def points_panel(comparison: Comparison, n: int) -> Panel:
    """Draw a point a number: how far it is from Keras'."""
    base, several = np.ravel(comparison.baseline[n]), len(comparison.run.targets) > 1
    names = [row_label(case, target=several) for case in comparison.scores]
    marks: Marks = [Strokes([(0, -inf, 0, inf)], GREY, 0.9)]
    for y, (name, scores) in enumerate(zip(names, comparison.scores.values(), strict=True)):
        apart = np.ravel(scores[n]).astype(float) - base
        known = apart[np.isfinite(apart)].tolist()
        marks.append(Dots([Dot(x, float(y), f"{name}: {significant(x)}") for x in known], BLUE, opacity=0.7))
    return Panel(marks, Axis("output less Keras'"), lines_of(names), height=LINE_PX * max(3, len(names)))


def bars_panel(comparison: Comparison, sample: Sample) -> Panel:
    """Draw bars: rows are models, columns classes; a bar's height is the score, coloured where it is the answer."""
    scores = np.stack([finite_scores(comparison, sample, a) for a in sample.answers])
    shown = np.sort(np.argsort(-scores.max(axis=0), kind="stable")[:MOST_SCORES]).tolist()
    low, high = min(0.0, float(scores.min())), max(1.0, float(scores.max()))
    classes = [class_name(comparison.run, label) for label in shown]
    bars: dict[str, list[Box]] = {GREY: [], BLUE: [], FLIP: []}
    models = models_of(comparison, sample)
    for y, (answer, own) in enumerate(zip(sample.answers, scores, strict=True)):
        for x, label in enumerate(shown):
            top = y + 0.5 - HIGH * (own[label] - low) / (high - low)
            tip = f"{models[y]}, class {classes[x]}: {decimals(own[label], 4)}"
            bars[bar_colour(answer, label, sample.label)].append(Box((x - WIDE, x + WIDE), (y + 0.5, top), tip))
    says: Marks = [Words(len(shown) - 0.5, y + 0.1, says_told(a)) for y, a in enumerate(sample.answers)]
    rules: Marks = [Strokes([(-inf, y + 0.5, inf, y + 0.5) for y in range(len(sample.answers))], LIGHT, 0.8)]
    return Panel(
        [*rules, *(Boxes(boxes, colour) for colour, boxes in bars.items() if boxes), *says],
        class_axis(classes, low, high),
        lines_of(models),
        height=LINE_PX * max(5, len(sample.answers)),
    )


def class_axis(classes: list[str], low: float, high: float) -> Axis:
    title = f"class; bar height: score, {decimals(low, 0)} to {decimals(high, 0)}"
    ticks: tuple[Tick, ...] = tuple((float(x), shortened(name, CLASS_PX)) for x, name in enumerate(classes))
    return Axis(title, limits=(-0.6, len(classes) - 0.5 + SAYS), ticks=ticks, gridded=False)


def says_told(answer: Answer) -> str:
    return f"{answer.name}, {decimals(answer.score, 3)}"


def models_of(comparison: Comparison, sample: Sample) -> list[str]:
    several = len(comparison.run.targets) > 1
    return [row_label(a.case, target=several) if a.case else "Keras" for a in sample.answers]


def finite_scores(comparison: Comparison, sample: Sample, answer: Answer) -> np.ndarray:
    """Return the scores to draw; those that are not finite have no bar."""
    scores = (comparison.scores[answer.case] if answer.case else comparison.baseline)[sample.index]
    return np.nan_to_num(np.asarray(scores, dtype=float), posinf=0.0, neginf=0.0)


def bar_colour(answer: Answer, label: int, truth: int | None) -> str:
    if label != answer.prediction:
        return GREY
    return BLUE if truth is None or label == truth else FLIP
