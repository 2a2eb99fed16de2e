"""The summary of a run: one table a target, each metric in a unit that fits its values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.compare.rows import Row
from harness.metrics import Metric
from harness.metrics.registry import in_order
from harness.report.material import Material
from harness.report.part import Block, Note, Part
from harness.report.tables.columns import (
    Cell,
    Column,
    Heading,
    Line,
    Table,
    change_cell,
    identity,
    table_of,
    value_cell,
)
from harness.statistics.clustered import group_words
from harness.support.format import (
    KILOBYTES,
    MEGABYTES,
    MISSING,
    Write,
    decimals,
    percent,
    points,
    significant,
    size_scale,
    time_scale,
    whole,
)

DROP = "Drop: Keras' accuracy less the variant's, over the same samples; under it the two-sided 90 % {} interval. "
BOOTSTRAP = "less Keras', over the same samples; under it the two-sided 90 % interval ({}). "
COSTS = (
    "Latencies, and speed-up against float32 on the same target and runtime: 95 % intervals from rounds, where there "
    "are enough of them. “–” marks a value that is not available. Model RSS: private memory after the first invoke "
    "less that with the runtime imported."
)
GROUPED = "Samples of one group are not independent, so every interval of answers is over groups: {}. "
EARLY = "Rows that stopped early are of different samples: compare their drops, not their accuracies. "
BRIEF_DROP = "Drop with its two-sided 90 % {} interval"
BRIEF_CHANGE = "Changes from Keras' with two-sided 90 % intervals"
BRIEF_VALUE = "{} with its two-sided 90 % interval"
BRIEF_COSTS = "latencies and speed-up with 95 % intervals from rounds. “–” marks a value that is not available."


@dataclass(frozen=True)
class Summary(Block):
    """A table a target, each with its target above it and, in Markdown, the reasons of its rows below it."""

    kind = "summary"
    tables: tuple[Table, ...]


def summary(material: Material) -> Part:
    shown = tuple(with_keras(material, table) for table in tables(material))
    return Part("", (Summary(shown), Note(*how_to_read(material))))


def with_keras(material: Material, table: Table) -> Table:
    """Put Keras' own value of the first metric above the rows, where they are all compared with the same."""
    metric = material.primary
    own = {metric.before(row) for row in material.rows if row.case.target == table.target} - {None}
    titles = [heading.title for heading in table.headings]
    if len(own) != 1 or metric.title not in titles:
        return table
    cells = [Cell("Keras"), *(Cell(MISSING if heading.number else "") for heading in table.headings[1:])]
    cells[titles.index(metric.title)] = Cell(metric.text(own.pop()))
    return replace(table, lines=(Line(tuple(cells)), *table.lines))


def how_to_read(material: Material) -> tuple[str, str]:
    """Say what the columns mean: in full, and in brief."""
    of_classes, groups = material.comparison.run.task == "classification", material.comparison.run.groups
    at_any_time = material.comparison.run.plan.until_decided
    drop, change, grouped = "anytime-valid" if at_any_time else "Tango", "over samples", ""
    if groups is not None:
        drop, change, grouped = "clustered", "paired, over groups", GROUPED.format(group_words(groups))
    if material.comparison.early:
        grouped = EARLY
    changes = f"Change: {material.primary.title} {BOOTSTRAP.format(change)}" if material.has_change else ""
    of_answers = BRIEF_CHANGE if material.has_change else BRIEF_VALUE.format(material.primary.title)
    brief = f"{BRIEF_DROP.format(drop) if of_classes else of_answers}; {BRIEF_COSTS}"
    return f"{DROP.format(drop) if of_classes else ''}{changes}{grouped}{COSTS}", f"{grouped}{brief}"


def tables(material: Material) -> tuple[Table, ...]:
    """Make the summary, target by target, each in units that fit its values."""
    answers = answer_columns(material)
    names = [record.target.name for record in material.comparison.run.targets]
    groups = {name: [r for r in material.rows if r.case.target == name] for name in names}
    return tuple(table_of(group, name, columns_of(group, answers)) for name, group in groups.items())


def answer_columns(material: Material) -> list[Column]:
    """Show the metric that the run is judged by first, where it has no column of its own."""
    metric = material.primary
    if material.comparison.run.task in metric.metric.in_table:
        return []
    if material.has_change:
        value: Column = (Heading(metric.title, metric.unit), lambda r: Cell(metric.text(r.value(metric.name))))
        return [value, (Heading("Change", metric.moved_unit, "90 %"), change_cell(metric))]
    return [(Heading(metric.title, metric.unit, "90 %"), value_cell(metric.name, metric.text))]


def columns_of(group: list[Row], answers: list[Column]) -> list[Column]:
    status: Column = (Heading("Status", number=False), lambda r: Cell(r.standing.status, tone=tone_of(r)))
    task = group[0].run.task if group else None
    shown = [metric for metric in in_order() if task in metric.in_table]
    return [*identity(group), status, *answers, *(metric_column(metric, group) for metric in shown)]


def tone_of(row: Row) -> str:
    return "good" if row.standing.status == "ok" else "bad"


def metric_column(metric: Metric, group: Sequence[Row]) -> Column:
    """Show the metric's values in a unit that fits them, each with its interval where the metric has one."""
    unit, text = style_of(metric, [v for r in group if (v := r.value(metric.name)) is not None])
    note = f"{metric.interval_percent} %" if metric.interval_percent else ""
    return Heading(metric.title, unit, note), value_cell(metric.name, text)


def style_of(metric: Metric, values: Sequence[float]) -> tuple[str, Write]:
    """Choose the unit that values of the metric are shown in, and how one is written."""
    if metric.unit == "us":
        return (scale := time_scale(values)).name, scale.text
    if metric.about == "file":
        return (scale := size_scale(values)).name, scale.text
    if metric.unit == "bytes":
        scale = MEGABYTES if values and max(values) >= MEGABYTES.base else KILOBYTES
        return scale.name, lambda v, more=0: MISSING if v is None else decimals(v / scale.base, 1 + more)
    if metric.unit == "ratio":
        return "×", lambda v, more=0: decimals(v, 2 + more)
    if metric.unit == "dB":
        return "dB", lambda v, more=0: decimals(v, 1 + more)
    if metric.unit == "count":
        return "samples", whole
    if metric.in_percent:
        return "%", percent
    return ("pp", points) if metric.unit == "pp" else ("", lambda v, more=0: significant(v, 3 + more))
