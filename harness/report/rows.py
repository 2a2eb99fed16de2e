"""What every format shows: one row a case, the columns of summary.csv and metrics.csv. What is missing stays empty."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from harness.metrics import METRICS, Metric
from harness.metrics.fitting import primary_of
from harness.metrics.registry import in_order
from harness.metrics.stats import CLAIM_ROUNDS
from harness.records import Case, Change, Comparison, Run, Standing, TargetRecord
from harness.report.format import known

if TYPE_CHECKING:
    from harness.report.material import Material


@dataclass(frozen=True)
class Row:
    """One case: how it ended, where it ran, its metrics by name. samples and rounds: how many of them were measured."""

    case: Case
    standing: Standing
    run: Run
    changes: dict[str, Change]
    samples: int | None
    rounds: int
    baseline_accuracy: float | None

    @property
    def primary(self) -> str:
        """The name of the metric that its answers are judged by first."""
        return primary_of(self.run.scoring, self.run.task)

    @property
    def record(self) -> TargetRecord:
        return self.run.target(self.case.target)

    @property
    def emulated(self) -> bool:
        return self.record.emulated

    @property
    def claims_latency(self) -> bool:
        """Whether its latency may be called faster or slower than another."""
        return self.rounds >= CLAIM_ROUNDS and not self.emulated and self.standing.ended_well

    def value(self, metric: str) -> float | None:
        change = self.changes.get(metric)
        return change.value if change and known(change.value) else None

    def interval(self, metric: str) -> tuple[float, float] | None:
        """Both limits of the metric's interval, or None where it has none."""
        change = self.changes.get(metric)
        if change is None or change.low is None or change.high is None or not known(change.low + change.high):
            return None
        return change.low, change.high


def rows(comparison: Comparison) -> tuple[Row, ...]:
    """One row a case, in the order of the comparison."""
    kept = (c.baseline for c in comparison.changes if c.metric == "accuracy" and known(c.baseline))
    baseline_accuracy = next(kept, None)
    return tuple(_row(comparison, standing, baseline_accuracy) for standing in comparison.standings)


def _row(comparison: Comparison, standing: Standing, baseline_accuracy: float | None) -> Row:
    case, run = standing.case, comparison.run
    samples = run.test_count if run.accuracy_case(case) in comparison.outputs else None
    timed = sum(piece.timed is not None for piece in run.usable_rounds(case))
    return Row(case, standing, run, comparison.metrics.get(case, {}), samples, timed, baseline_accuracy)


def _size(row: Row) -> float | None:
    return row.value("size_bytes") or row.run.variant(row.case.variant).size_bytes


def _version(row: Row) -> str | None:
    environment = row.record.environment
    return row.standing.runtime_version or (environment.runtimes.get(row.case.runtime) if environment else None)


def _metric(name: str) -> Callable[[Row], object]:
    return lambda row: row.value(name)


def _limit(name: str, end: int) -> Callable[[Row], object]:
    return lambda row: (row.interval(name) or (None, None))[end]


IDENTITY: dict[str, Callable[[Row], object]] = {
    "experiment": lambda row: row.run.experiment,
    "run_id": lambda row: row.run.run_id,
    "target": lambda row: row.case.target,
    "board": lambda row: row.record.environment.board if row.record.environment else None,
    "emulated": lambda row: row.emulated,
    "runtime": lambda row: row.case.runtime,
    "runtime_version": _version,
    "threads": lambda row: row.case.threads,
    "variant": lambda row: row.case.variant,
    "status": lambda row: row.standing.status,
    "reason": lambda row: row.standing.reason,
    "size_bytes": _size,
    "samples": lambda row: row.samples,
    "baseline_accuracy": lambda row: row.baseline_accuracy,
}
PRIMARY: dict[str, Callable[[Row], object]] = {
    "primary_metric": lambda row: row.primary,
    "primary_value": lambda row: row.value(row.primary),
    "primary_baseline": lambda row: row.changes[row.primary].baseline if row.primary in row.changes else None,
}


def metric_columns(metric: Metric) -> dict[str, Callable[[Row], object]]:
    """The columns of summary.csv that the metric declares: its value, and its limits where it names theirs."""
    cells = (_metric(metric.name), _limit(metric.name, 0), _limit(metric.name, 1))
    return dict(zip(metric.columns, cells, strict=False))


def summary() -> dict[str, Callable[[Row], object]]:
    """Column → its value, in the order of summary.csv: what the row is, its metrics, the metric it is judged by."""
    columns = {name: cell for metric in in_order() for name, cell in metric_columns(metric).items()}
    return IDENTITY | {name: cell for name, cell in columns.items() if name not in IDENTITY} | PRIMARY


COUNTED = ("bytes", "count")  # units of whole numbers
LONG = (
    *("variant", "target", "runtime", "threads", "metric", "unit", "better", "against"),
    *("baseline", "value", "change", "low", "high", "method"),
)


def summary_csv(shown: Iterable[Row]) -> str:
    """Wide: one row a variant × target × runtime × threads."""
    columns = summary()
    lines = ([_field(column, cell(row)) for column, cell in columns.items()] for row in shown)
    return _csv(columns, lines)


def metrics_csv(comparison: Comparison) -> str:
    """Long: one row a case × metric; change = value − baseline where both exist."""
    lines = (
        [_field(column, value) for column, value in zip(LONG, _metric_values(c), strict=True)]
        for c in comparison.changes
    )
    return _csv(LONG, lines)


def _metric_values(change: Change) -> tuple[object, ...]:
    value, baseline = change.value, change.baseline
    difference = value - baseline if value is not None and baseline is not None else None
    case = change.case
    row = (case.variant, case.target, case.runtime, case.threads)
    metric = (change.metric, change.unit, change.better, change.against)
    return (*row, *metric, baseline, value, difference, change.low, change.high, change.method)


def _csv(columns: Iterable[str], lines: Iterable[list[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(lines)
    return text.getvalue()


@cache
def _whole_columns() -> frozenset[str]:
    """The columns whose numbers are counts, whatever type they have."""
    return frozenset(name for metric in METRICS.values() if metric.unit in COUNTED for name in metric.columns)


def _field(column: str, value: object) -> str:
    """Unrounded; drops carry at least four decimals, counts none."""
    import numpy as np

    if value is None or (isinstance(value, float | np.floating) and not known(float(value))):
        return ""
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | np.integer) or (column in _whole_columns() and float(str(value)).is_integer()):
        return str(int(float(str(value))))
    if isinstance(value, float | np.floating):
        return np.format_float_positional(float(value), min_digits=4) if column.endswith("_pp") else repr(float(value))
    return str(value)


def render(material: Material) -> str:
    """summary.csv as text."""
    return summary_csv(material.rows)
