"""What every format shows: one row a case, the columns of summary.csv and metrics.csv. What is missing stays empty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.metrics import Metric
from harness.metrics.fitting import primary_of
from harness.metrics.registry import in_order
from harness.records import Case, Change, Comparison, Ran, Run, Standing, TargetRecord
from harness.statistics.stats import CLAIM_ROUNDS
from harness.support.format import is_known


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

    @property
    def ran(self) -> Ran | None:
        """Which kernels ran; None where the engine does not tell, or gave no answer."""
        first = self.run.accuracy_case(self.case)
        return next((s.ran for s in self.run.shards if s.case == first and s.ran is not None), None)

    def value(self, metric: str) -> float | None:
        change = self.changes.get(metric)
        return change.value if change and is_known(change.value) else None

    def interval(self, metric: str) -> tuple[float, float] | None:
        """Return both limits of the metric's interval, or None where it has none."""
        change = self.changes.get(metric)
        if change is None or change.low is None or change.high is None or not is_known(change.low + change.high):
            return None
        return change.low, change.high


def rows(comparison: Comparison) -> tuple[Row, ...]:
    """Make one row a case, in the order of the comparison."""
    whole = (c for c in comparison.changes if c.metric == "accuracy" and c.case not in comparison.early)
    kept = (c.baseline for c in whole if is_known(c.baseline))
    baseline_accuracy = next(kept, None)
    return tuple(row_of(comparison, standing, baseline_accuracy) for standing in comparison.standings)


def row_of(comparison: Comparison, standing: Standing, baseline_accuracy: float | None) -> Row:
    case, run = standing.case, comparison.run
    samples = run.test_count if run.accuracy_case(case) in comparison.outputs else None
    if part := comparison.early.get(case):  # Keras' accuracy is then over the same samples
        samples, own = part.run.test_count, part.change(case, "accuracy")
        baseline_accuracy = own.baseline if own else None
    timed = sum(piece.timed is not None for piece in run.usable_rounds(case))
    return Row(case, standing, run, comparison.metrics.get(case, {}), samples, timed, baseline_accuracy)


def size_of(row: Row) -> float | None:
    return row.value("size_bytes") or row.run.variant(row.case.variant).size_bytes


def version_of(row: Row) -> str | None:
    environment = row.record.environment
    return row.standing.runtime_version or (environment.version_of(row.case.runtime) if environment else None)


def value_of(name: str) -> Callable[[Row], object]:
    return lambda row: row.value(name)


def limit_of(name: str, end: int) -> Callable[[Row], object]:
    return lambda row: (row.interval(name) or (None, None))[end]


IDENTITY: dict[str, Callable[[Row], object]] = {
    "experiment": lambda row: row.run.experiment,
    "run_id": lambda row: row.run.run_id,
    "target": lambda row: row.case.target,
    "board": lambda row: row.record.environment.board if row.record.environment else None,
    "emulated": lambda row: row.emulated,
    "runtime": lambda row: row.case.runtime,
    "runtime_version": version_of,
    "threads": lambda row: row.case.threads,
    "variant": lambda row: row.case.variant,
    "status": lambda row: row.standing.status,
    "reason": lambda row: row.standing.reason,
    "size_bytes": size_of,
    "samples": lambda row: row.samples,
    "baseline_accuracy": lambda row: row.baseline_accuracy,
}
PRIMARY: dict[str, Callable[[Row], object]] = {
    "primary_metric": lambda row: row.primary,
    "primary_value": lambda row: row.value(row.primary),
    "primary_baseline": lambda row: row.changes[row.primary].baseline if row.primary in row.changes else None,
}


def metric_columns(metric: Metric) -> dict[str, Callable[[Row], object]]:
    """Return the columns of summary.csv that the metric declares: its value, and its limits where it names theirs."""
    cells = (value_of(metric.name), limit_of(metric.name, 0), limit_of(metric.name, 1))
    return dict(zip(metric.columns, cells, strict=False))


def summary_columns() -> dict[str, Callable[[Row], object]]:
    """Return what each column of summary.csv holds: what the row is, its metrics, the metric it is judged by."""
    columns = {name: cell for metric in in_order() for name, cell in metric_columns(metric).items()}
    return IDENTITY | {name: cell for name, cell in columns.items() if name not in IDENTITY} | PRIMARY
