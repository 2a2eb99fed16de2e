"""report.md: the report in short, for a pull request or a terminal."""

from __future__ import annotations

import re

from jinja2 import Environment, PackageLoader, StrictUndefined

from harness.records import Comparison
from harness.report.answers import agreement, sample_answers
from harness.report.costs import calls, memory
from harness.report.facts import devices, run_facts
from harness.report.material import Material, classifies
from harness.report.numbers import nearness, number_sample
from harness.report.rounds import reasons, where
from harness.report.tables import Cell, Heading, tables
from harness.report.words import findings, headline


def render(material: Material) -> str:
    """Headline, words, tables and links to the plots beside it."""
    templates = Environment(
        loader=PackageLoader("harness.report", "."),
        autoescape=False,  # noqa: S701  no HTML: `plain` escapes what Markdown would read
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(plain=_plain, heading=_heading, cell=_cell)
    comparison = material.comparison
    return templates.get_template("report.md.j2").render(
        run=comparison.run,
        headline=headline(comparison),
        findings=findings(material),
        facts=run_facts(comparison),
        devices=devices(comparison),
        tables=tables(comparison),
        reasons=reasons(comparison),
        where=lambda why: where(comparison, why),
        calls=calls(comparison),
        memory=memory(comparison),
        drawings=material.drawings,
        sample=_sample(comparison) if comparison.run.test_count else "",
    )


def _sample(comparison: Comparison) -> str:
    """What is said to the first test sample, in a sentence."""
    if classifies(comparison.run):
        return agreement(sample_answers(comparison, 0))
    return nearness(number_sample(comparison, 0))


def _plain(text: str) -> str:
    """What Markdown or the HTML in it would take for markup stays text."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", text.replace("\n", " "))


def _heading(heading: Heading) -> str:
    unit = ", ".join(t for t in (heading.unit, f"[{heading.note}]" if heading.note else "") if t)
    return _plain(f"{heading.title} ({unit})" if unit else heading.title)


def _cell(cell: Cell) -> str:
    return _plain(f"{cell.text} [{cell.note}]" if cell.note else cell.text)
