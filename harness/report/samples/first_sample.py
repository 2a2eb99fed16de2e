"""The first test sample: its picture or numbers, and what Keras and every variant say to it."""

from __future__ import annotations

from dataclasses import dataclass

from harness.compare.answers import Answer, Sample, agreement, sample_answers
from harness.compare.numbers import NumberAnswer, NumberSample, nearness, number_sample
from harness.compare.said_boxes import on_picture
from harness.metrics.task import TEXTS
from harness.metrics.task_table import OF_CLASSES
from harness.records import Case
from harness.report.material import Material
from harness.report.part import Block, Part
from harness.report.samples.box_picture import box_picture
from harness.report.samples.signal_picture import input_png
from harness.report.tables.columns import Cell, Heading, Line, Table
from harness.support.format import decimals, significant

SAYS = tuple(Heading(title, number=False) for title in ("Variant", "Runtime", "Target", "Says"))


@dataclass(frozen=True)
class FirstSample(Block):
    """label: "" where there is none. text: what the models say. picture: a PNG; without one, inputs are its numbers."""

    kind = "first_sample"
    label_title: str
    label: str
    text: str
    picture: bytes
    inputs: tuple[str, ...]
    table: Table


def first_sample(material: Material) -> Part | None:
    run = material.comparison.run
    if not run.test_count:
        return None
    place = run.place_of(0)
    picture = input_png(material, place)
    if run.task in OF_CLASSES:
        sample = sample_answers(material.comparison, place)
        return Part("", (FirstSample("True label", sample.label_name, agreement(sample), picture, (), scores(sample)),))
    numbers = number_sample(material.comparison, place)
    text, title = nearness(numbers), "True value"
    if run.task in TEXTS:
        title = "True text"
    if on_picture(run):
        picture, title = box_picture(material.comparison, material.pictures, place, None), "On it"
    return Part("", (FirstSample(title, numbers.label, text, picture, numbers.inputs, distances(numbers)),))


def scores(sample: Sample) -> Table:
    headings = (*SAYS, Heading("Score"), Heading("Margin"), Heading("Against Keras", number=False))
    return Table(headings, tuple(score_line(answer) for answer in sample.answers))


def score_line(answer: Answer) -> Line:
    says = Cell(answer.name, tone="" if answer.correct is None else "good" if answer.correct else "bad")
    against = Cell("flip", tone="bad") if answer.flip else Cell("same" if answer.case else "")
    numbers = (Cell(decimals(answer.score, 4)), Cell(decimals(answer.margin, 4)))
    return Line((*identity(answer.variant, answer.case), says, *numbers, against))


def distances(sample: NumberSample) -> Table:
    """Show how far each output is from Keras' and, where there are labels, from the label."""
    errors = [Heading("Error")] if sample.answers[0].error is not None else []
    headings = (*SAYS, Heading("From Keras"), *errors)
    return Table(headings, tuple(distance_line(answer) for answer in sample.answers))


def distance_line(answer: NumberAnswer) -> Line:
    distance = Cell(significant(answer.apart, 4) if answer.case else "")
    error = [Cell(significant(answer.error, 4))] if answer.error is not None else []
    return Line((*identity(answer.variant, answer.case), Cell(answer.text), distance, *error))


def identity(variant: str, case: Case | None) -> tuple[Cell, Cell, Cell]:
    return Cell(variant), Cell(case.runtime if case else ""), Cell(case.target if case else "")
