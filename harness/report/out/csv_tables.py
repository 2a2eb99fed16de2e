"""summary.csv and metrics.csv: numbers unrounded; what is missing stays empty."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from functools import cache

from harness.compare.rows import Row, summary_columns
from harness.metrics import METRICS
from harness.metrics.registry import is_of_answers
from harness.records import Change, Comparison
from harness.report.material import Material
from harness.support.format import is_known
from harness.support.text import harmless_cell

COUNTED = ("bytes", "count")  # units of whole numbers
LONG = (
    *("variant", "target", "runtime", "threads", "metric", "unit", "better", "against"),
    *("baseline", "value", "change", "low", "high", "method", "output"),
)


def render(material: Material) -> str:
    """Return summary.csv as text."""
    return summary_csv(material.rows)


def summary_csv(shown: Iterable[Row]) -> str:
    """Write the wide table: one row a variant × target × runtime × threads."""
    columns = summary_columns()
    lines = ([field_text(column, cell(row)) for column, cell in columns.items()] for row in shown)
    return csv_text(columns, lines)


def metrics_csv(comparison: Comparison) -> str:
    """Write the long table: one row a case × metric, and of several outputs one an output of what needs no labels;
    change = value − baseline where both exist.
    """
    lines = (
        [field_text(column, value) for column, value in zip(LONG, metric_values(c, output), strict=True)]
        for output, c in changes_by_output(comparison)
    )
    return csv_text(LONG, lines)


def changes_by_output(comparison: Comparison) -> Iterator[tuple[str, Change]]:
    """Go through all changes, each with its output: those of the run itself first. "" where it is of no one output."""
    scored = comparison.run.scored_output if comparison.heads else ""
    yield from ((scored if is_of_answers(change.metric) else "", change) for change in comparison.changes)
    yield from ((name, change) for name, head in comparison.heads.items() for change in head.changes)


def metric_values(change: Change, output: str) -> tuple[object, ...]:
    value, baseline = change.value, change.baseline
    difference = value - baseline if value is not None and baseline is not None else None
    case = change.case
    row = (case.variant, case.target, case.runtime, case.threads)
    metric = (change.metric, change.unit, change.better, change.against)
    return (*row, *metric, baseline, value, difference, change.low, change.high, change.method, output)


def csv_text(columns: Iterable[str], lines: Iterable[list[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(lines)
    return text.getvalue()


@cache
def whole_columns() -> frozenset[str]:
    """Find the columns whose numbers are counts, whatever type they have."""
    return frozenset(name for metric in METRICS.values() if metric.unit in COUNTED for name in metric.columns)


def field_text(column: str, value: object) -> str:
    """Write a value unrounded; drops carry at least four decimals, counts none."""
    import numpy as np

    if value is None or (isinstance(value, float | np.floating) and not is_known(float(value))):
        return ""
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | np.integer) or (column in whole_columns() and float(str(value)).is_integer()):
        return str(int(float(str(value))))
    if isinstance(value, float | np.floating):
        return np.format_float_positional(float(value), min_digits=4) if column.endswith("_pp") else repr(float(value))
    return harmless_cell(str(value))
