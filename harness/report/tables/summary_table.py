"""The summary as a table to read: a unit a column, an interval under its value, one table a target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.metrics import Metric
from harness.metrics.registry import in_order
from harness.metrics.stats import CLAIM_ROUNDS
from harness.records.terms import RowStatus
from harness.report.format import (
    KILOBYTES,
    MEGABYTES,
    MISSING,
    decimals,
    percent,
    plural,
    points,
    significant,
    size_scale,
    time_scale,
    whole,
)
from harness.report.material import Material
from harness.report.metric import Primary
from harness.report.rows import Row


@dataclass(frozen=True)
class Heading:
    """A column's name and unit; note says what is under the value; number columns are aligned right."""

    title: str
    unit: str = ""
    note: str = ""
    number: bool = True


@dataclass(frozen=True)
class Cell:
    text: str
    note: str = ""


@dataclass(frozen=True)
class Line:
    """One row. reason: where it is not ok."""

    cells: tuple[Cell, ...]
    status: RowStatus
    reason: str


@dataclass(frozen=True)
class Table:
    """All rows of one target. caution: what in it supports no claim, or ""."""

    target: str
    emulated: bool
    caution: str
    headings: tuple[Heading, ...]
    lines: tuple[Line, ...]


Column = tuple[Heading, Callable[[Row], Cell]]


def tables(material: Material) -> tuple[Table, ...]:
    """The summary, target by target, each in units that fit its values."""
    answers = _answers(material)
    names = [record.target.name for record in material.comparison.run.targets]
    groups = {name: [r for r in material.rows if r.case.target == name] for name in names}
    return tuple(table_of(group, name, _columns(group, answers)) for name, group in groups.items())


def table_of(group: Sequence[Row], target: str, columns: Sequence[Column]) -> Table:
    """These rows of one target in these columns."""
    lines = tuple(Line(tuple(cell(r) for _, cell in columns), r.standing.status, r.standing.reason) for r in group)
    headings = tuple(heading for heading, _ in columns)
    return Table(target, any(r.emulated for r in group), _caution(group), headings, lines)


def _caution(group: Sequence[Row]) -> str:
    if any(r.emulated for r in group):
        return "emulated: no latency claim"
    rounds = group[0].run.plan.rounds if group else 0
    return f"{plural(rounds, 'round')}: no latency claim" if 0 < rounds < CLAIM_ROUNDS else ""


def _answers(material: Material) -> list[Column]:
    """What the answers are worth: the metric that the run is judged by first, where it has no column of its own."""
    comparison, metric = material.comparison, material.primary
    if comparison.run.task in metric.metric.in_table:
        return []
    if any(c.metric == metric.change for c in comparison.changes):
        value: Column = (Heading(metric.title, metric.unit), lambda r: Cell(metric.text(r.value(metric.name))))
        return [value, (Heading("Change", metric.moved_unit, "90 %"), change_cell(metric))]
    return [(Heading(metric.title, metric.unit, "90 %"), value_cell(metric.name, metric.text))]


def _columns(group: list[Row], answers: list[Column]) -> list[Column]:
    status: Column = (Heading("Status", number=False), lambda r: Cell(r.standing.status))
    task = group[0].run.task if group else None
    shown = [metric for metric in in_order() if task in metric.in_table]
    return [*identity(group), status, *answers, *(metric_column(metric, group) for metric in shown)]


def metric_column(metric: Metric, group: Sequence[Row]) -> Column:
    """The metric's values in a unit that fits them, each with its interval where the metric has one."""
    unit, text = style_of(metric, [v for r in group if (v := r.value(metric.name)) is not None])
    note = f"{metric.interval_percent} %" if metric.interval_percent else ""
    return Heading(metric.title, unit, note), value_cell(metric.name, text)


def style_of(metric: Metric, values: Sequence[float]) -> tuple[str, Callable[[float | None], str]]:
    """The unit that values of the metric are shown in, and how one is written."""
    if metric.unit == "us":
        return (scale := time_scale(values)).name, scale.text
    if metric.about == "file":
        return (scale := size_scale(values)).name, scale.text
    if metric.unit == "bytes":
        scale = MEGABYTES if values and max(values) >= MEGABYTES.base else KILOBYTES
        return scale.name, lambda v: MISSING if v is None else decimals(v / scale.base, 1)
    if metric.unit == "ratio":
        return "×", lambda v: decimals(v, 2)
    if metric.unit == "count":
        return "samples", whole
    if metric.in_percent:
        return "%", percent
    return ("pp", points) if metric.unit == "pp" else ("", significant)


def identity(group: Sequence[Row]) -> list[Column]:
    """The columns that say which row it is; the threads only where they differ."""
    columns: list[Column] = [
        (Heading("Variant", number=False), lambda r: Cell(r.case.variant)),
        (Heading("Runtime", number=False), lambda r: Cell(r.case.runtime)),
    ]
    threads: Column = (Heading("Threads"), lambda r: Cell(str(r.case.threads)))
    return [*columns, threads] if len({r.case.threads for r in group}) > 1 else columns


def value_cell(name: str, text: Callable[[float | None], str]) -> Callable[[Row], Cell]:
    """The value with its interval under it."""

    def cell(row: Row) -> Cell:
        limits = row.interval(name)
        return Cell(text(row.value(name)), f"{text(limits[0])} – {text(limits[1])}" if limits else "")

    return cell


def change_cell(metric: Primary) -> Callable[[Row], Cell]:
    """How far the metric moved from Keras' own, with its interval under it."""

    def cell(row: Row) -> Cell:
        limits, before = row.interval(metric.change), metric.before(row)
        ends = [metric.moved(end, before) for end in limits or ()]
        return Cell(metric.moved(row.value(metric.change), before), " – ".join(ends))

    return cell
