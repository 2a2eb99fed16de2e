"""One test sample in the terminal: the picture, its label, and what Keras and every variant say to it."""

from __future__ import annotations

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.compare.answers import Sample, agreement, sample_answers, sample_title
from harness.compare.numbers import NumberSample, inputs_of, nearness, number_sample
from harness.data.picture import picture_of
from harness.metrics.task import EACH_PLACE
from harness.metrics.task_table import OF_CLASSES
from harness.records import Case, Comparison
from harness.report.samples.mask_pictures import panels, strip
from harness.report.samples.terminal_picture import TerminalPicture
from harness.support.format import decimals, significant


def sample_text(comparison: Comparison, pictures: np.ndarray | None, n: int) -> RenderableType:
    """Show sample n in a terminal. pictures: as picture.drawable has them; None for the stored numbers."""
    picture, several = picture_of(pictures, n), len(comparison.run.targets) > 1
    number = comparison.run.number_of(n)
    drawn: list[RenderableType] = [TerminalPicture(picture)] if picture is not None else input_lines(comparison, n)
    label, answers = answers_text(comparison, n, several)
    heads = [part for name in comparison.run.heads for part in head_text(name, comparison.heads[name], n, several)]
    scored = [Text(f"output {comparison.run.scored_output}", style="bold")] if heads else []
    return Group(Text(sample_title(number, label), style="bold"), *drawn, *scored, *answers, *heads)


def head_text(name: str, head: Comparison, n: int, several: bool) -> list[RenderableType]:
    """Show what is said of the sample by a further output that has labels."""
    label, answers = answers_text(head, n, several)
    return [Text(f"output {name}, label {label}", style="bold"), *answers]


def answers_text(comparison: Comparison, n: int, several: bool) -> tuple[str, list[RenderableType]]:
    """Return the label, and what each model says. several: whether the run has several targets."""
    if comparison.run.task in OF_CLASSES:
        sample = sample_answers(comparison, n)
        return sample.label_name, [answer_table(sample, several), Text(agreement(sample))]
    numbers = number_sample(comparison, n)
    drawn: list[RenderableType] = []
    if comparison.run.task in EACH_PLACE:
        masks = panels(comparison, None, n)
        drawn = [Text(", ".join(panel.title for panel in masks)), TerminalPicture(strip(masks))]
    return numbers.label, [*drawn, number_table(numbers, several), Text(nearness(numbers))]


def input_lines(comparison: Comparison, n: int) -> list[RenderableType]:
    """Show the stored numbers of an input that is not a picture."""
    return [Text("The input is not a picture:"), *map(Text, inputs_of(comparison, n))]


def answer_table(sample: Sample, several: bool) -> Table:
    """Show scores and margins. several: whether the run has several targets."""
    table = empty_table(several, ("score", "margin"), "flip")
    for a in sample.answers:
        flip = "flip" if a.flip else ""
        cells = [a.variant, *place_cells(a.case, several), a.name, decimals(a.score, 4), decimals(a.margin, 4), flip]
        table.add_row(*map(Text, cells), style="red" if a.correct is False else None)
    return table


def number_table(sample: NumberSample, several: bool) -> Table:
    errors = sample.answers[0].error is not None
    table = empty_table(several, ("from Keras", "error") if errors else ("from Keras",))
    for a in sample.answers:
        distance = significant(a.apart, 4) if a.case else ""
        cells = [
            a.variant,
            *place_cells(a.case, several),
            a.text,
            distance,
            *([significant(a.error, 4)] if errors else []),
        ]
        table.add_row(*map(Text, cells))  # Text: a name such as [b] is not markup
    return table


def empty_table(several: bool, numbers: tuple[str, ...], *last: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("variant", "runtime", *(["target"] if several else []), "says"):
        table.add_column(name)
    for name in numbers:
        table.add_column(name, justify="right")
    for name in last:
        table.add_column(name)
    return table


def place_cells(case: Case | None, several: bool) -> list[str]:
    cells = [case.runtime, case.target] if case else ["", ""]
    return cells[: 1 + several]
