"""One test sample in the terminal: the picture, its label, and what Keras and every variant say to it."""

from __future__ import annotations

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.metrics.task import OF_CLASSES
from harness.records import Case, Comparison
from harness.report.format import decimals, significant
from harness.report.samples.answers import Sample, agreement, sample_answers, sample_title
from harness.report.samples.numbers import NumberSample, inputs_of, nearness, number_sample
from harness.report.samples.picture import TerminalPicture, picture_of


def sample_text(comparison: Comparison, pictures: np.ndarray | None, n: int) -> RenderableType:
    """Sample n for a terminal. pictures: as picture.drawable has them, or None: then the numbers that are stored."""
    picture, several = picture_of(pictures, n), len(comparison.run.targets) > 1
    drawn: list[RenderableType] = [TerminalPicture(picture)] if picture is not None else _inputs(comparison, n)
    if comparison.run.task in OF_CLASSES:
        sample = sample_answers(comparison, n)
        return Group(_bold(n, sample.label_name), *drawn, _answers(sample, several), Text(agreement(sample)))
    numbers = number_sample(comparison, n)
    return Group(_bold(n, numbers.label), *drawn, _numbers(numbers, several), Text(nearness(numbers)))


def _bold(n: int, label: str) -> Text:
    return Text(sample_title(n, label), style="bold")


def _inputs(comparison: Comparison, n: int) -> list[RenderableType]:
    """The stored numbers of an input that is not a picture."""
    return [Text("The input is not a picture:"), *map(Text, inputs_of(comparison, n))]


def _answers(sample: Sample, several: bool) -> Table:
    """several: whether the run has several targets."""
    table = _table(several, ("score", "margin"), "flip")
    for a in sample.answers:
        flip = "flip" if a.flip else ""
        cells = [a.variant, *_where(a.case, several), a.name, decimals(a.score, 4), decimals(a.margin, 4), flip]
        table.add_row(*map(Text, cells), style="red" if a.correct is False else None)
    return table


def _numbers(sample: NumberSample, several: bool) -> Table:
    errors = sample.answers[0].error is not None
    table = _table(several, ("from Keras", "error") if errors else ("from Keras",))
    for a in sample.answers:
        apart = significant(a.apart, 4) if a.case else ""
        cells = [a.variant, *_where(a.case, several), a.text, apart, *([significant(a.error, 4)] if errors else [])]
        table.add_row(*map(Text, cells))  # Text: a name such as [b] is not markup
    return table


def _table(several: bool, numbers: tuple[str, ...], *last: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("variant", "runtime", *(["target"] if several else []), "says"):
        table.add_column(name)
    for name in numbers:
        table.add_column(name, justify="right")
    for name in last:
        table.add_column(name)
    return table


def _where(case: Case | None, several: bool) -> list[str]:
    cells = [case.runtime, case.target] if case else ["", ""]
    return cells[: 1 + several]
