"""The error of a forecast, step by step of its horizon: Keras' and every row's."""

from __future__ import annotations

from harness.metrics.horizon import rmse_by_step, steps_of
from harness.records.names import row_label
from harness.report.material import Material
from harness.report.part import Part
from harness.report.tables.columns import Cell, Heading, Line, Table
from harness.report.tables.costs import part_of
from harness.support.format import significant

MOST = 48  # steps
NOTE = (
    "√ of the mean (output − label)² of each step, over all samples: where labels have several numbers a sample, their"
    " first axis is taken for the steps of a horizon. A rule on rmse_step3 or mae_step3 has an interval for it."
)


def by_step(material: Material) -> Part | None:
    """Show one table, a line a step; None where labels are no numbers of several steps."""
    comparison = material.comparison
    labels = comparison.run.labels
    if comparison.run.task != "regression" or labels is None or not 1 < steps_of(labels) <= MOST:
        return None
    several = len(comparison.run.targets) > 1
    columns = {"Keras": comparison.baseline}
    columns |= {row_label(case, target=several): scores for case, scores in comparison.scores.items()}
    errors = {name: rmse_by_step(labels, outputs) for name, outputs in columns.items()}
    headings = (Heading("Step"), *(Heading(name) for name in columns))
    lines = tuple(
        Line((Cell(str(step + 1)), *(Cell(significant(float(each[step]), 4)) for each in errors.values())))
        for step in range(steps_of(labels))
    )
    return part_of("RMSE by step", (Table(headings, lines),), NOTE)
