"""Several outputs with labels, each by its own first metric: heads × variants, the worst head first."""

from __future__ import annotations

from harness.compare.rows import Row
from harness.report.material import Material
from harness.report.metric import Primary
from harness.report.part import Part
from harness.report.tables.columns import (
    Cell,
    Column,
    Heading,
    Line,
    Table,
    change_cell,
    identity,
    limits_cell,
    value_cell,
)
from harness.report.tables.costs import part_of
from harness.report.tables.summary_table import tone_of

NOTE = (
    "Each output by the labels that it has, over the whole test set, the worst first; under a value or a change its "
    "two-sided 90 % interval. Change: less Keras' own, over the same samples."
)


def every_head(material: Material) -> Part | None:
    """Show one table a target, a line an output and row; None where one output has labels."""
    targets = [record.target.name for record in material.comparison.run.targets] if material.heads else []
    return part_of("Every output with labels", tuple(target_table(name, material) for name in targets), NOTE)


def target_table(target: str, material: Material) -> Table:
    lines: list[Line] = []
    headings: tuple[Heading, ...] = ()
    for head in material.heads:
        group = [row for row in head.rows if row.case.target == target]
        columns = columns_of(head, group)
        headings = tuple(heading for heading, _ in columns)
        lines += [Line(tuple(cell(r) for _, cell in columns), r.standing.status, r.standing.reason) for r in group]
    return Table(headings, tuple(lines), target, any(row.emulated for row in material.rows))


def columns_of(head: Material, group: list[Row]) -> list[Column]:
    metric, name = head.primary, head.comparison.run.scored_output
    return [
        (Heading("Output", number=False), lambda r: Cell(name)),
        *identity(group),
        (Heading("Status", number=False), lambda r: Cell(r.standing.status, tone=tone_of(r))),
        (Heading("Metric", number=False), lambda r: Cell(f"{metric.title}{f', {metric.unit}' if metric.unit else ''}")),
        (Heading("Keras"), lambda r: Cell(metric.text(metric.before(r)))),
        (Heading("Value"), value_cell(metric.name, metric.text)),
        (Heading("Change"), lambda r: moved(metric, r)),
    ]


def moved(metric: Primary, row: Row) -> Cell:
    """Show how far it moved: by the metric's change, or by its drop, which is the same with the other sign."""
    drop, fallen = metric.drop_of(row), row.value(f"{metric.name}_drop")
    if drop is None or fallen is None:
        cell = change_cell(metric)(row)
        return Cell(f"{cell.text} {metric.moved_unit}".strip(), cell.note)
    return limits_cell(metric.moved_from(None), -fallen / 100, (-drop[1] / 100, -drop[0] / 100), "pp")
