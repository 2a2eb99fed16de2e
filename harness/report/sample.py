"""One test sample: the picture, its label, and what Keras and every variant say to it, with their scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.records import Comparison
from harness.report.answers import Answer, Sample, agreement, sample_answers
from harness.report.material import class_name
from harness.report.picture import TerminalPicture, picture_of
from harness.report.units import decimals

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_SCORES = 12  # classes drawn side by side; of more, those with the highest scores


def sample_text(comparison: Comparison, pictures: np.ndarray | None, n: int) -> RenderableType:
    """Sample n for a terminal. pictures: uint8, (samples, h, w) or (samples, h, w, 3), or None."""
    sample, picture = sample_answers(comparison, n), picture_of(pictures, n)
    title = Text(f"Sample {n}, label {sample.label_name}", style="bold")
    drawn = [TerminalPicture(picture)] if picture is not None else [Text("The input is no picture or is not at hand.")]
    return Group(title, *drawn, _table(comparison, sample), Text(agreement(sample)))


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
        table.add_row(*_cells(answer, several), style=None if answer.correct else "red")
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

    sample, picture = sample_answers(comparison, n), picture_of(pictures, n)
    with mpl.rc_context({**RC, "axes.grid": False}):
        figure = Figure(figsize=(8.4, 1.3 + 0.34 * max(5, len(sample.answers))), layout="constrained")
        if picture is None:
            _bars(figure.subplots(), comparison, sample)
        else:
            left, right = figure.subplots(1, 2, width_ratios=(1, 2.3))
            _show(left, picture)
            _bars(right, comparison, sample)
        figure.suptitle(_plain(f"Sample {n}, label {sample.label_name}"), x=0.01, ha="left")
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
    source = comparison.outputs[answer.case] if answer.case else comparison.run.baseline
    return np.asarray(source[0][sample.index], dtype=float)


def _bar_colour(answer: Answer, label: int, truth: int) -> str:
    if label != answer.prediction:
        return "#9aa0aa"
    return "#0072B2" if label == truth else "#D55E00"


def _who(comparison: Comparison, answer: Answer) -> str:
    if answer.case is None:
        return "Keras"
    several = len(comparison.run.targets) > 1
    return f"{answer.variant} · {answer.case.runtime}" + (f" · {answer.case.target}" if several else "")


def _plain(text: str) -> str:
    """matplotlib would read what stands between dollars as mathematics."""
    return text.replace("$", r"\$")
