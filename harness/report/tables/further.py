"""The metrics that a run was asked for beside its first: the summary has no columns for them."""

from __future__ import annotations

from harness.metrics.fitting import primary_of, scores_of
from harness.metrics.task import LABELLED
from harness.report.material import Material
from harness.report.metric import Primary, described
from harness.report.part import Part
from harness.report.tables.columns import Column, Heading, Table, change_cell, identity, table_of, value_cell
from harness.report.tables.costs import part_of
from harness.report.words.primary_metric import why_none

NOTE = "Each with its two-sided 90 % interval ({}), then how far it is from Keras' own."


def further(material: Material) -> Part | None:
    """Show one table a target; None where nothing else was asked for."""
    metrics = other_metrics(material)
    targets = [record.target.name for record in material.comparison.run.targets] if metrics else []
    over = "over samples" if material.comparison.run.groups is None else "over groups of samples"
    note = " ".join(filter(None, (NOTE.format(over), *(keras_note(metric, material) for metric in metrics))))
    return part_of("Other metrics", tuple(target_table(name, metrics, material) for name in targets), note)


def target_table(target: str, metrics: list[Primary], material: Material) -> Table:
    rows = [row for row in material.rows if row.case.target == target]
    return table_of(rows, target, [*identity(rows), *metric_columns(metrics, material)])


def other_metrics(material: Material) -> list[Primary]:
    run = material.comparison.run
    shown = (primary_of(run.scoring, run.task), *(("accuracy",) if run.task in LABELLED else ()))
    names = dict.fromkeys((*(score.name for score in scores_of(run.scoring, run.task)), *run.scoring.others))
    return [described(material.comparison, name) for name in names if name not in shown]


def metric_columns(metrics: list[Primary], material: Material) -> list[Column]:
    columns: list[Column] = []
    available = {change.metric for change in material.comparison.changes}
    for metric in metrics:
        columns.append((Heading(metric.title, metric.unit, "90 %"), value_cell(metric.name, metric.text)))
        if metric.change in available:
            columns.append((Heading("Change", metric.moved_unit, "90 %"), change_cell(metric)))
    return columns


def keras_note(metric: Primary, material: Material) -> str:
    """Give Keras' own value, or say why no row has one."""
    before = next((value for row in material.rows if (value := metric.before(row)) is not None), None)
    kerass = f"Keras' own {metric.title} is {metric.with_unit(before)}." if before is not None else ""
    return why_none(metric, material.rows) or kerass
