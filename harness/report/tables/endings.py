"""The rows that did not end well, and why."""

from __future__ import annotations

from harness.compare.rows import Row
from harness.report.material import Material
from harness.report.part import Part
from harness.report.tables.columns import Cell, Heading, Line, Table, Tables

TITLES = ("Variant", "Runtime", "Target", "Status", "Reason")


def endings(material: Material) -> Part | None:
    """List the rows in the order of the run's targets; nothing where every row is ok."""
    names = [record.target.name for record in material.comparison.run.targets]
    rows = [row for name in names for row in material.rows if row.case.target == name and row.standing.status != "ok"]
    if not rows:
        return None
    headings = tuple(Heading(title, number=False) for title in TITLES)
    return Part("", (Tables((Table(headings, tuple(line_of(row) for row in rows)),)),))


def line_of(row: Row) -> Line:
    case, standing = row.case, row.standing
    cells = (Cell(case.variant), Cell(case.runtime), Cell(case.target), Cell(standing.status, tone="bad"))
    return Line((*cells, Cell(standing.reason or "unknown", tone="why")), standing.status, standing.reason)
