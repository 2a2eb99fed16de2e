"""report.md: the report in short, for a pull request or a terminal."""

from __future__ import annotations

from harness.metrics.task import OF_CLASSES
from harness.records import Comparison
from harness.report.format import in_markdown
from harness.report.material import Material
from harness.report.out.page import filled
from harness.report.samples.answers import agreement, sample_answers
from harness.report.samples.numbers import nearness, number_sample
from harness.report.tables.summary_table import Cell, Heading


def render(material: Material) -> str:
    """Headline, words, tables and links to the plots beside it."""
    comparison = material.comparison
    return filled(
        "report.md.j2",
        material,
        autoescape=False,  # not HTML: the filter `plain` escapes what Markdown would read
        filters={"plain": in_markdown, "heading": _heading, "cell": _cell},
        drawings=material.drawings,
        sample=_sample(comparison) if comparison.run.test_count else "",
    )


def _sample(comparison: Comparison) -> str:
    """What the models say to the first test sample, in a sentence."""
    if comparison.run.task in OF_CLASSES:
        return agreement(sample_answers(comparison, 0))
    return nearness(number_sample(comparison, 0))


def _heading(heading: Heading) -> str:
    unit = ", ".join(t for t in (heading.unit, f"[{heading.note}]" if heading.note else "") if t)
    return in_markdown(f"{heading.title} ({unit})" if unit else heading.title)


def _cell(cell: Cell) -> str:
    return in_markdown(f"{cell.text} [{cell.note}]" if cell.note else cell.text)
