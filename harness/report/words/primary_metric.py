"""Say what each variant costs or gains by the metric that the run is judged by first, where that is not accuracy."""

from __future__ import annotations

from collections.abc import Iterable

from harness.compare.rows import Row
from harness.records import CONTROL
from harness.report.metric import Primary
from harness.report.words.phrases import by_variant, names, place, span, trusted
from harness.support.format import listed, significant, with_limits

UNMOVED = (
    "{} of {} is Keras' own, {}: no sample moves it. That has no interval, since it does not say how far another may."
)


def headline(metric: Primary, shown: Iterable[Row]) -> str:
    """Give the metric over all rows, beside Keras'; of a single row also how far it moved."""
    rows = rows_with(metric, shown)
    if len(rows) == 1:
        return row_text(rows[0], metric)
    values = [v for r in rows if (v := r.value(metric.name)) is not None]
    kerass = f" against Keras' {metric.with_unit(before)}" if rows and (before := metric.before(rows[0])) else ""
    return span(f"{metric.title} {{}}{spaced(metric.unit)}{kerass}", values, metric.text)


def rows_with(metric: Primary, shown: Iterable[Row]) -> list[Row]:
    return [r for r in trusted(shown) if r.value(metric.name) is not None]


def sentences(metric: Primary, shown: Iterable[Row]) -> list[str]:
    """What each variant costs or gains: only where the interval excludes 0."""
    shown = list(shown)
    rows = rows_with(metric, shown)
    if shown and not rows and (why := why_none(metric, shown)):
        return [why]
    limits = {r.case: ends for r in rows if (ends := r.interval(metric.change))}
    same = [r for r in rows if r.case in limits and limits[r.case][0] <= 0 <= limits[r.case][1]]
    moved = [r for r in rows if r.case in limits and r not in same]
    up = [r for r in moved if limits[r.case][0] > 0]
    down = [r for r in moved if r not in up]
    texts = [largest_change(group, metric) for side in (up, down) for group in by_variant(side).values()]
    still = [r for r in rows if r.case not in limits and r.value(metric.change) == 0]
    if still:
        texts.append(UNMOVED.format(metric.title, names(still, rows), metric.with_unit(metric.before(still[0]))))
    texts += [f"{row_text(r, metric)}." for r in rows if r.case not in limits and metric.before(r) is None]
    return [*texts, no_change(same, rows, metric)] if same else texts


def why_none(metric: Primary, shown: Iterable[Row]) -> str:
    """Say why no row has a value of the metric; "" where one has, or the reason is not known."""
    changes = [change for row in shown if (change := row.changes.get(metric.name))]
    if not changes or any(change.value is not None for change in changes):
        return ""
    return f"{metric.title} is not available: {changes[0].method}."


def no_change(same: list[Row], rows: list[Row], metric: Primary) -> str:
    reach, before = max(reach_of(r, metric) for r in same)
    one = len(same) == 1
    shown = f"No change of {metric.lowered} is shown for {names(same, rows)}: {'its' if one else 'each'} 90 % interval "
    shown += "includes 0"
    at_most = f"{at_most_text(metric.moved(reach, before))}{spaced(metric.moved_unit)}"
    possible = f"a change of {at_most} remains possible (90 % confidence{'' if one else ' for each'})"
    return f"{shown}, and {possible}." if reach else f"{shown}."


def reach_of(row: Row, metric: Primary) -> tuple[float, float]:
    """Return the larger end of the interval in size, and Keras' own value."""
    return max(abs(end) for end in row.interval(metric.change) or (0.0,)), metric.before(row) or 0.0


def at_most_text(text: str) -> str:
    """Write the largest possible change: one that is rounded to 0 is still there."""
    return "under 0.01" if text == "0.00" else f"up to {text.lstrip('+')}"


def spaced(unit: str) -> str:
    return f" {unit}" if unit else ""


def largest_change(group: list[Row], metric: Primary) -> str:
    """Describe the row of one variant that moved most."""
    row = max(group, key=lambda r: abs(r.value(metric.change) or 0))
    worse = metric.sign * (row.value(metric.change) or 0) < 0
    others = f"; the same way in {listed([place(r) for r in group if r is not row])}" if len(group) > 1 else ""
    hardly = "hardly " if metric.moved(row.value(metric.change), metric.before(row)) == "0.00" else ""
    return f"{row_text(row, metric)}, {hardly}{'worse' if worse else 'better'} with {place(row)}{others}."


def row_text(row: Row, metric: Primary) -> str:
    """Describe a row: int8: MAE 0.213 against Keras' 0.211: +0.8 % (90 % interval −0.1 to +1.9)."""
    before = metric.before(row)
    if before is None:
        return value_text(row, metric)
    text = f"{row.case.variant}: {metric.title} {metric.with_unit(row.value(metric.name))}"
    return f"{text} against Keras' {metric.with_unit(before)}{change_text(row, metric, before)}"


def value_text(row: Row, metric: Primary) -> str:
    limits = row.interval(metric.name)
    text, *ends = with_limits(metric.text, row.value(metric.name), *(limits or (None, None)))
    within = f" (90 % interval {ends[0]} to {ends[1]})" if limits else ""
    return f"{row.case.variant}: {metric.title} {text}{spaced(metric.unit)}{within}"


def change_text(row: Row, metric: Primary, before: float) -> str:
    """Say how far it moved from Keras' own value, with its interval."""
    value, limits = row.value(metric.change), row.interval(metric.change)
    if value is None:
        return ""
    moved, *ends = with_limits(metric.moved_from(before), value, *(limits or (None, None)))
    within = f" (90 % interval {ends[0]} to {ends[1]})" if limits else ""
    return f": {moved}{spaced(metric.moved_unit)}{within}"


def conversion(shown: Iterable[Row]) -> list[str]:
    """Compare the control with Keras, where outputs are numbers."""
    rows = [r for r in trusted(shown) if r.case.variant == CONTROL and r.value("max_abs_diff") is not None]
    if not rows:
        return []
    worst = max(rows, key=lambda r: r.value("max_abs_diff") or 0)
    if not worst.value("max_abs_diff"):
        return ["The control float32 gives the same outputs as Keras: conversion changes none of them."]
    gap = significant(worst.value("max_abs_diff"), 2)
    text = (
        f"No output of the control float32 differs from Keras' by more than {gap} ({place(worst)}): this is due to "
        "conversion; any larger difference of another variant is due to quantisation."
    )
    return [text]
