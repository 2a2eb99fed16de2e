"""One test sample: the picture, and every model's scores, or how far each model's numbers are from Keras'."""

from __future__ import annotations

import io
from collections.abc import Callable

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.compare.answers import Answer, Sample, sample_answers, sample_title
from harness.compare.numbers import number_sample
from harness.compare.said_boxes import finds_objects
from harness.data.picture import picture_of
from harness.metrics.task import MASKS
from harness.metrics.task_table import OF_CLASSES
from harness.records import Comparison
from harness.records.names import class_name, row_label
from harness.report.plots.style import FLIP, GREY, LIGHT, OKABE_ITO, STYLE, in_figure, png
from harness.report.samples.box_picture import KEY, png_with_boxes
from harness.report.samples.mask_pictures import Panel, panels
from harness.support.format import decimals

MOST_SCORES = 12  # classes drawn side by side, those with the highest scores


def sample_figure(comparison: Comparison, pictures: np.ndarray | None, n: int) -> bytes:
    """Draw sample n as PNG bytes, a row a model."""
    picture = picture_of(pictures, n)
    if comparison.run.task in OF_CLASSES:
        sample = sample_answers(comparison, n)
        title, lines = sample_title(sample.number, sample.label_name), max(5, len(sample.answers))
        return framed(picture, title, lines, False, lambda axis: draw_bars(axis, comparison, sample))
    if finds_objects(comparison.run):
        return objects_figure(comparison, picture, n)
    label = number_sample(comparison, n).label
    if comparison.run.task in MASKS:
        return draw_masks(panels(comparison, pictures, n), sample_title(comparison.run.number_of(n), label))
    lines = max(3, 1 + len(comparison.scores))
    return framed(
        picture,
        sample_title(comparison.run.number_of(n), label),
        lines,
        True,
        lambda axis: draw_points(axis, comparison, n),
    )


def objects_figure(comparison: Comparison, picture: np.ndarray | None, n: int) -> bytes:
    """Draw the picture with the boxes of its labels, of Keras and of the row that is furthest, and what each finds."""
    sample, several = number_sample(comparison, n), len(comparison.run.targets) > 1
    furthest = max(sample.answers[1:], key=lambda answer: answer.apart, default=None)
    case = furthest.case if furthest else None
    drawn = None if picture is None else as_array(png_with_boxes(picture, comparison, n, case))

    def write(axis: Axes) -> None:
        axis.set_axis_off()
        says = [(row_label(a.case, target=several) if a.case else "Keras", a.text) for a in sample.answers]
        key = KEY.format(row_label(case, target=several)) if case else ""
        axis.text(
            0, 1, in_figure("\n".join([key, "", *(f"{who}: {what}" for who, what in says)])), va="top", fontsize=8
        )

    title = sample_title(comparison.run.number_of(n), sample.label)
    return framed(drawn, title, max(6, 2 + len(sample.answers)), False, write)


def as_array(content: bytes) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(content)))


def draw_masks(shown: list[Panel], title: str) -> bytes:
    """Draw the picture and its masks side by side."""
    with mpl.rc_context({"axes.grid": False}, fname=STYLE):
        figure = Figure(figsize=(1.9 * len(shown), 2.4), layout="constrained")
        for axis, panel in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
            axis.imshow(panel.pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axis.set_title(in_figure(panel.title), fontsize=8)
            axis.set_axis_off()
        figure.suptitle(in_figure(title), x=0.01, ha="left", fontsize=9)
        return png(figure)


def framed(picture: np.ndarray | None, title: str, lines: int, gridded: bool, draw: Callable[[Axes], None]) -> bytes:
    """Draw the picture, if there is one, and beside it what is drawn, high enough for so many lines."""
    with mpl.rc_context({"axes.grid": gridded}, fname=STYLE):
        figure = Figure(figsize=(8.4, 1.3 + 0.34 * lines), layout="constrained")
        if picture is None:
            draw(figure.subplots())
        else:
            left, right = figure.subplots(1, 2, width_ratios=(1, 2.3))
            left.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            left.set_axis_off()
            draw(right)
        figure.suptitle(in_figure(title), x=0.01, ha="left")
        return png(figure)


def draw_points(axis: Axes, comparison: Comparison, n: int) -> None:
    """Draw a point a number: how far it is from Keras'."""
    base, several = np.ravel(comparison.baseline[n]), len(comparison.run.targets) > 1
    for row, scores in enumerate(comparison.scores.values()):
        distances = np.ravel(scores[n]).astype(float) - base
        axis.plot(distances, np.full(len(distances), -row), ".", color=OKABE_ITO[1], alpha=0.7)
    axis.axvline(0, color=GREY, linewidth=0.9)
    names = [row_label(case, target=several) for case in comparison.scores]
    axis.set_yticks([-row for row in range(len(names))], names)
    axis.set_ylim(0.6 - len(names), 0.4)
    axis.set_xlabel("output less Keras'")


def draw_bars(axis: Axes, comparison: Comparison, sample: Sample) -> None:
    """Draw bars: rows are models, columns classes; a bar's height is the score, coloured where it is the answer."""
    scores = np.stack([finite_scores(comparison, sample, a) for a in sample.answers])
    shown = np.sort(np.argsort(-scores.max(axis=0), kind="stable")[:MOST_SCORES])
    low, high = min(0.0, float(scores.min())), max(1.0, float(scores.max()))
    heights = 0.82 * (scores - low) / (high - low)
    for row, answer in enumerate(sample.answers):
        colours = [bar_colour(answer, int(label), sample.label) for label in shown]
        bottom = np.full(len(shown), -row)
        axis.bar(np.arange(len(shown)), heights[row, shown], bottom=bottom, width=0.7, color=colours)
        axis.axhline(-row, color=LIGHT, linewidth=0.7, zorder=0)
        text = f"{answer.name}  {decimals(answer.score, 3)}"
        axis.text(len(shown) - 0.35, -row + 0.1, in_figure(text), fontsize=8)
    axis.text(len(shown) - 0.35, 0.95, "answer, score", fontsize=8, color="#4b5563")
    axis.set_xlabel(f"class; bar height: score, {decimals(low, 0)} to {decimals(high, 0)}")
    label_bars(axis, comparison, sample, [int(label) for label in shown])


def label_bars(axis: Axes, comparison: Comparison, sample: Sample, labels: list[int]) -> None:
    several = len(comparison.run.targets) > 1
    models = [row_label(a.case, target=several) if a.case else "Keras" for a in sample.answers]
    axis.set_yticks([0.3 - row for row in range(len(models))], models)
    axis.set_xticks(range(len(labels)), [in_figure(class_name(comparison.run, label)[:10]) for label in labels])
    axis.set_ylim(-len(models) + 0.75, 1.3)
    axis.set_xlim(-0.6, len(labels) + 1.6)
    axis.spines[["left"]].set_visible(False)
    axis.tick_params(left=False)


def finite_scores(comparison: Comparison, sample: Sample, answer: Answer) -> np.ndarray:
    """Return the scores to draw; those that are not finite have no bar."""
    scores = (comparison.scores[answer.case] if answer.case else comparison.baseline)[sample.index]
    return np.nan_to_num(np.asarray(scores, dtype=float), posinf=0.0, neginf=0.0)


def bar_colour(answer: Answer, label: int, truth: int | None) -> str:
    if label != answer.prediction:
        return "#9aa0aa"
    return OKABE_ITO[1] if truth is None or label == truth else FLIP
