"""report.md: the report in short, for a pull request or a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from harness.report.material import Material
from harness.report.out.page import Filters, filled
from harness.report.plots.drawing import Drawing
from harness.report.sections import Content, contents
from harness.report.tables.columns import Cell, Heading
from harness.report.words.summary import headline
from harness.support.format import in_markdown


def render(material: Material, drawings: Sequence[Drawing], sections: Sequence[Content] = ()) -> str:
    """Return headline, words, tables and links to the plots beside it."""
    filters: Filters = {"plain": in_markdown, "heading": heading_text, "cell": cell_text}
    told = {"run": material.comparison.run, "headline": headline(material), "drawings": drawings}
    shown = sections or contents(material, drawings)
    return filled("report.md.j2", False, filters, **told, contents=shown)  # `plain` escapes


def heading_text(heading: Heading) -> str:
    unit = ", ".join(t for t in (heading.unit, f"[{heading.note}]" if heading.note else "") if t)
    return in_markdown(f"{heading.title} ({unit})" if unit else heading.title)


def cell_text(cell: Cell) -> str:
    return in_markdown(f"{cell.text} [{cell.note}]" if cell.note else cell.text)
