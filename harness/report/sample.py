"""One test sample: the picture, its label, and what Keras and every variant say to it, with their scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.records import Case, Comparison
from harness.report.answers import Answer, Sample, agreement, sample_answers
from harness.report.material import class_name, classifies
from harness.report.numbers import NumberSample, inputs_of, nearness, number_sample
from harness.report.picture import TerminalPicture, picture_of
from harness.report.units import decimals, significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_SCORES = 12  # classes drawn side by side; of more, those with the highest scores


def sample_text(comparison: Comparison, pictures: np.ndarray | None, n: int) -> RenderableType:
    """Sample n for a terminal. pictures: as picture.drawable has them, or None: then the numbers that are stored."""
    picture = picture_of(pictures, n)
    drawn: list[RenderableType] = [TerminalPicture(picture)] if picture is not None else inputs_text(comparison, n)
    if not classifies(comparison.run):
        numbers = number_sample(comparison, n)
        return Group(_title(n, numbers.label), *drawn, _numbers(comparison, numbers), Text(nearness(numbers)))
    sample = sample_answers(comparison, n)
    return Group(_title(n, sample.label_name), *drawn, _table(comparison, sample), Text(agreement(sample)))


def inputs_text(comparison: Comparison, n: int) -> list[RenderableType]:
    """The stored numbers of an input that is no picture."""
    return [Text("The input is no picture:"), *map(Text, inputs_of(comparison, n))]


def _title(n: int, label: str) -> Text:
    return Text(f"Sample {n}, label {label}" if label else f"Sample {n}, without a label", style="bold")


def _numbers(comparison: Comparison, sample: NumberSample) -> Table:
    several = len(comparison.run.targets) > 1
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("variant", "runtime", *(["target"] if several else []), "says"):
        table.add_column(name)
    for name in ("from Keras", *(["error"] if sample.said[0].error is not None else [])):
        table.add_column(name, justify="right")
    for one in sample.said:
        where = [one.case.runtime, one.case.target] if one.case else ["", ""]
        cells = [one.variant, *where[: 1 + several], one.text, significant(one.apart, 4) if one.case else ""]
        table.add_row(*map(Text, cells), *([Text(significant(one.error, 4))] if one.error is not None else []))
    return table


def _table(comparison: Comparison, sample: Sample) -> Table:
    several = len({t.target.name for t in comparison.run.targets}) > 1
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("variant", "runtime", *(["target"] if several else [])):
        table.add_column(name)
    table.add_column("says", justify="left")
    for name in ("score", "margin"):
        table.add_column(name, justify="right")
    table.add_column("flip")
    for answer in sample.answers:
        table.add_row(*_cells(answer, several), style="red" if answer.correct is False else None)
    return table


def _cells(answer: Answer, several: bool) -> list[Text]:
    where = (
        [answer.case.runtime, *([answer.case.target] if several else [])]
        if answer.case
        else ["", *([""] if several else [])]
    )
    flip = "flip" if answer.flip else ""
    cells = [answer.variant, *where, answer.name, decimals(answer.score, 4), decimals(answer.margin, 4), flip]
    return [Text(c) for c in cells]  # Text: a class name such as [b] is no markup


def sample_figure(comparison: Comparison, pictures: np.ndarray | None, n: int) -> bytes:
    """Sample n as PNG bytes: the picture, and every model's score for each class as a bar in its own row."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    from harness.report.plots.style import RC, png

    picture = picture_of(pictures, n)
    if not classifies(comparison.run):
        return _number_figure(comparison, picture, n)
    sample = sample_answers(comparison, n)
    with mpl.rc_context({**RC, "axes.grid": False}):
        figure = Figure(figsize=(8.4, 1.3 + 0.34 * max(5, len(sample.answers))), layout="constrained")
        if picture is None:
            _bars(figure.subplots(), comparison, sample)
        else:
            left, right = figure.subplots(1, 2, width_ratios=(1, 2.3))
            _show(left, picture)
            _bars(right, comparison, sample)
        figure.suptitle(_plain(_title(n, sample.label_name).plain), x=0.01, ha="left")
        return png(figure)


def _number_figure(comparison: Comparison, picture: np.ndarray | None, n: int) -> bytes:
    """The picture, if there is one, and the numbers: how far each model's lie from Keras', a point a number."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    from harness.report.plots.style import RC, png

    sample, base = number_sample(comparison, n), np.ravel(comparison.baseline[n])
    with mpl.rc_context(RC):
        figure = Figure(figsize=(8.4, 1.3 + 0.34 * max(3, len(sample.said))), layout="constrained")
        if picture is None:
            axis = figure.subplots()
        else:
            left, axis = figure.subplots(1, 2, width_ratios=(1, 2.3))
            _show(left, picture)
        for row, case in enumerate(comparison.scores):
            apart = np.ravel(comparison.scores[case][n]).astype(float) - base
            axis.plot(apart, np.full(len(apart), -row), ".", color="#0072B2", alpha=0.7)
        axis.axvline(0, color="#6b7280", linewidth=0.9)
        rows = [_place(comparison, case.variant, case) for case in comparison.scores]
        axis.set_yticks([-row for row in range(len(rows))], rows)
        axis.set_ylim(0.6 - len(rows), 0.4)
        axis.set_xlabel("output less Keras'")
        figure.suptitle(_plain(_title(n, sample.label).plain), x=0.01, ha="left")
        return png(figure)


def _show(axis: Axes, picture: np.ndarray) -> None:
    axis.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axis.set_axis_off()


def _bars(axis: Axes, comparison: Comparison, sample: Sample) -> None:
    """Rows are models, columns classes; a bar's height is the score, filled where it is the answer."""
    scores = np.stack([_scores(comparison, sample, a) for a in sample.answers])
    shown = np.sort(np.argsort(-scores.max(axis=0), kind="stable")[:MOST_SCORES])
    low, high = min(0.0, float(scores.min())), max(1.0, float(scores.max()))
    heights = 0.82 * (scores - low) / (high - low)
    for row, answer in enumerate(sample.answers):
        colours = [_bar_colour(answer, int(label), sample.label) for label in shown]
        bottom = np.full(len(shown), -row)
        axis.bar(np.arange(len(shown)), heights[row, shown], bottom=bottom, width=0.7, color=colours)
        axis.axhline(-row, color="#d5d8de", linewidth=0.7, zorder=0)
        axis.text(len(shown) - 0.35, -row + 0.1, _plain(f"{answer.name}  {decimals(answer.score, 3)}"), fontsize=8)
    axis.set_yticks([-r + 0.3 for r in range(len(sample.answers))], [_who(comparison, a) for a in sample.answers])
    axis.set_xticks(range(len(shown)), [_plain(class_name(comparison.run, int(label))[:10]) for label in shown])
    axis.set_ylim(-len(sample.answers) + 0.75, 1.3)
    axis.set_xlim(-0.6, len(shown) + 1.6)
    axis.spines[["left"]].set_visible(False)
    axis.tick_params(left=False)
    axis.text(len(shown) - 0.35, 0.95, "answer, score", fontsize=8, color="#4b5563")
    axis.set_xlabel(f"class; bar height: score, {decimals(low, 0)} to {decimals(high, 0)}")


def _scores(comparison: Comparison, sample: Sample, answer: Answer) -> np.ndarray:
    source = comparison.scores[answer.case] if answer.case else comparison.baseline
    return np.asarray(source[sample.index], dtype=float)


def _bar_colour(answer: Answer, label: int, truth: int | None) -> str:
    if label != answer.prediction:
        return "#9aa0aa"
    return "#0072B2" if truth is None or label == truth else "#D55E00"


def _who(comparison: Comparison, answer: Answer) -> str:
    if answer.case is None:
        return "Keras"
    return _place(comparison, answer.variant, answer.case)


def _place(comparison: Comparison, variant: str, case: Case) -> str:
    several = len(comparison.run.targets) > 1
    return f"{variant} · {case.runtime}" + (f" · {case.target}" if several else "")


def _plain(text: str) -> str:
    """matplotlib would read what stands between dollars as mathematics."""
    return text.replace("$", r"\$")
