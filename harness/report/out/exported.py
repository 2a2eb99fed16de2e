"""Which numbers of a run go to programs that keep and draw them: those of rows that ended well, with their limits."""

from __future__ import annotations

from dataclasses import dataclass

from harness.metrics import METRICS
from harness.records import Case, Change
from harness.records.names import row_name
from harness.report.material import Material
from harness.report.out.csv_tables import changes_by_output
from harness.support.format import is_known, listed

TIMED = ("latency", "process")  # what a metric is about that an emulated device says nothing of


@dataclass(frozen=True)
class Exported:
    """One metric of one row. output: of several, the one that it is of. figures: "" the value, low, high."""

    change: Change
    output: str
    figures: dict[str, float]

    @property
    def labels(self) -> dict[str, str]:
        return labels_of(self.change.case) | ({"output": self.output} if self.output else {})


def labels_of(case: Case) -> dict[str, str]:
    return {"variant": case.variant, "target": case.target, "runtime": case.runtime, "threads": str(case.threads)}


def exported(material: Material) -> list[Exported]:
    """Returns them in the order of metrics.csv. What could not be had is not among them: it is no 0."""
    left = {row.case for row in material.rows if not row.standing.ended_well}
    emulated = {row.case for row in material.rows if row.emulated}
    return [
        Exported(change, output, figures)
        for output, change in changes_by_output(material.comparison)
        if change.case not in left and not (change.case in emulated and is_timed(change.metric))
        if "" in (figures := figures_of(change))
    ]


def figures_of(change: Change) -> dict[str, float]:
    each = {"": change.value, "low": change.low, "high": change.high}
    return {end: float(value) for end, value in each.items() if value is not None and is_known(value)}


def is_timed(metric: str) -> bool:
    return metric in METRICS and METRICS[metric].about in TIMED


def left_out(material: Material) -> tuple[str, ...]:
    """Says which rows, or which of their metrics, are not exported, and why."""
    rows = [row for row in material.rows if not row.standing.ended_well]
    told = [f"{row_name(row.case)}: left out, {row.standing.status}: {row.standing.reason}" for row in rows]
    emulated = [row_name(row.case) for row in material.rows if row.emulated and row.standing.ended_well]
    if emulated:
        told.append(f"{listed(emulated)}: times and memory left out, for an emulated device supports no claim of them")
    return tuple(told)
