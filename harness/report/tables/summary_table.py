"""The summary as a table to read: a unit a column, an interval under its value, one table a target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.metrics.stats import CLAIM_ROUNDS
from harness.metrics.task import OF_CLASSES
from harness.records.terms import RowStatus
from harness.report.format import (
    KILOBYTES,
    MEGABYTES,
    MISSING,
    Scale,
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
from harness.report.metric import Primary, by_accuracy
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
    """What the answers are worth: the metric that the run is judged by first, and what else its task has."""
    columns: list[Column] = []
    comparison, metric = material.comparison, material.primary
    if not by_accuracy(comparison.run):
        if any(c.metric == metric.change for c in comparison.changes):
            columns.append((Heading(metric.title, metric.unit), lambda r: Cell(metric.text(r.value(metric.name)))))
            columns.append((Heading("Change", metric.moved_unit, "90 %"), change_cell(metric)))
        else:
            columns.append((Heading(metric.title, metric.unit, "90 %"), value_cell(metric.name, metric.text)))
    if comparison.run.task == "classification":
        columns.append((Heading("Accuracy", "%"), lambda r: Cell(percent(r.value("accuracy")))))
        columns.append((Heading("Drop", "pp", "90 %"), value_cell("accuracy_drop", points)))
    if comparison.run.task in OF_CLASSES:
        return [*columns, (Heading("Flips", "samples"), lambda r: Cell(whole(r.value("flips"))))]
    return [*columns, (Heading("max |Δ|"), lambda r: Cell(significant(r.value("max_abs_diff"))))]


def _columns(group: list[Row], answers: list[Column]) -> list[Column]:
    times = time_scale([v for r in group if (v := r.value("latency_p50")) is not None])
    sizes = size_scale([v for r in group if (v := r.value("size_bytes")) is not None])
    return [
        *identity(group),
        (Heading("Status", number=False), lambda r: Cell(r.standing.status)),
        *answers,
        (Heading("Size", sizes.name), lambda r: Cell(sizes.text(r.value("size_bytes")))),
        (Heading("p50", times.name, "95 %"), value_cell("latency_p50", times.text)),
        (Heading("p90", times.name, "95 %"), value_cell("latency_p90", times.text)),
        (Heading("Speed-up", "×", "95 %"), value_cell("speedup_vs_float32", lambda v: decimals(v, 2))),
        (Heading("Model RSS", _memory(group, "model_rss").name), _scaled("model_rss", _memory(group, "model_rss"))),
        (Heading("Peak RSS", _memory(group, "peak_rss").name), _scaled("peak_rss", _memory(group, "peak_rss"))),
    ]


def identity(group: Sequence[Row]) -> list[Column]:
    """The columns that say which row it is; the threads only where they differ."""
    columns: list[Column] = [
        (Heading("Variant", number=False), lambda r: Cell(r.case.variant)),
        (Heading("Runtime", number=False), lambda r: Cell(r.case.runtime)),
    ]
    threads: Column = (Heading("Threads"), lambda r: Cell(str(r.case.threads)))
    return [*columns, threads] if len({r.case.threads for r in group}) > 1 else columns


def _memory(group: list[Row], metric: str) -> Scale:
    values = [v for r in group if (v := r.value(metric)) is not None]
    return MEGABYTES if values and max(values) >= 1e6 else KILOBYTES


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


def _scaled(name: str, scale: Scale) -> Callable[[Row], Cell]:
    return lambda row: Cell(decimals(v / scale.base, 1) if (v := row.value(name)) is not None else MISSING)
