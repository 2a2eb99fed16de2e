"""A table of a report: a unit a column, an interval under its value, the rows of one target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.compare.rows import Row
from harness.records.terms import RowStatus
from harness.report.metric import Primary
from harness.report.part import Block
from harness.statistics.stats import CLAIM_ROUNDS
from harness.support.format import Write, plural, with_limits


@dataclass(frozen=True)
class Heading:
    """A column's name and unit; note says what is under the value; number columns are aligned right."""

    title: str
    unit: str = ""
    note: str = ""
    number: bool = True


@dataclass(frozen=True)
class Cell:
    """tone: good, bad, or why for a reason in words; colours the text on the page."""

    text: str
    note: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Line:
    """One row. reason: where it is not ok."""

    cells: tuple[Cell, ...]
    status: RowStatus = "ok"
    reason: str = ""


@dataclass(frozen=True)
class Table:
    """Rows, most often those of one target. caution: what in it supports no claim, or ""."""

    headings: tuple[Heading, ...]
    lines: tuple[Line, ...]
    target: str = ""
    emulated: bool = False
    caution: str = ""

    @property
    def has_units(self) -> bool:
        return any(heading.unit or heading.note for heading in self.headings)


@dataclass(frozen=True)
class Tables(Block):
    """Tables of one kind; where there are several, each has its target above it."""

    kind = "tables"
    tables: tuple[Table, ...]


Column = tuple[Heading, Callable[[Row], Cell]]


def table_of(group: Sequence[Row], target: str, columns: Sequence[Column]) -> Table:
    """Make the table of these rows of one target."""
    lines = tuple(Line(tuple(cell(r) for _, cell in columns), r.standing.status, r.standing.reason) for r in group)
    headings = tuple(heading for heading, _ in columns)
    return Table(headings, lines, target, any(r.emulated for r in group), caution_of(group))


def caution_of(group: Sequence[Row]) -> str:
    if any(r.emulated for r in group):
        return "emulated: no latency claim"
    rounds = group[0].run.plan.rounds if group else 0
    return f"{plural(rounds, 'round')}: no latency claim" if 0 < rounds < CLAIM_ROUNDS else ""


def identity(group: Sequence[Row]) -> list[Column]:
    """Make the columns that say which row it is; the threads only where they differ."""
    columns: list[Column] = [
        (Heading("Variant", number=False), lambda r: Cell(r.case.variant)),
        (Heading("Runtime", number=False), lambda r: Cell(r.case.runtime)),
    ]
    threads: Column = (Heading("Threads"), lambda r: Cell(str(r.case.threads)))
    return [*columns, threads] if len({r.case.threads for r in group}) > 1 else columns


def value_cell(name: str, write: Write) -> Callable[[Row], Cell]:
    """Show the value with its interval under it."""
    return lambda row: limits_cell(write, row.value(name), row.interval(name))


def change_cell(metric: Primary) -> Callable[[Row], Cell]:
    """Show how far the metric moved from Keras' own, with its interval under it."""

    def cell(row: Row) -> Cell:
        return limits_cell(metric.moved_from(metric.before(row)), row.value(metric.change), row.interval(metric.change))

    return cell


def limits_cell(write: Write, value: float | None, limits: tuple[float, float] | None, unit: str = "") -> Cell:
    """Show a value, with its unit where it is told one, over its limits."""
    text, *ends = with_limits(write, value, *(limits or (None, None)))
    return Cell(f"{text} {unit}".strip(), " – ".join(ends) if limits else "")
