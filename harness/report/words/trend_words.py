"""What a trend says, in words and figures that every format shares."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from harness.compare.over_runs import Series, Trend
from harness.metrics import METRICS
from harness.records.names import row_label
from harness.statistics.change_points import LEAST_RUNS
from harness.support.format import decimals, listed, percent, plural, significant, size_scale, time_scale

EXCHANGEABLE = (
    "A change is told where at most one in twenty random orders of the same runs looks as clear. "
    "A slow drift looks like a change, too; why a level is another, a trend cannot know"
)


def metric_title(series: Series) -> str:
    title = METRICS[series.metric].title if series.metric in METRICS else series.metric
    return f"{title} of {series.output}" if series.output else title


def texts(series: Series, values: Sequence[float]) -> list[str]:
    """Writes values of the series in one unit."""
    if series.unit == "fraction":
        return [f"{percent(value)} %" for value in values]
    if series.unit in ("us", "bytes"):
        scale = (time_scale if series.unit == "us" else size_scale)(values)
        return [scale.with_unit(value) for value in values]
    return [f"{significant(value, 4)} {series.unit}".rstrip() for value in values]


def levels(series: Series) -> list[float]:
    """The median of each level."""
    starts = (0, *series.since)
    return [median(series.values[start:end]) for start, end in zip(starts, (*series.since, None), strict=True)]


def since_when(series: Series) -> str:
    """Says since which runs the level is another, and from what to what."""
    written = texts(series, levels(series))
    steps = [
        f"since run {series.points[since].run_id}: {before} → {after}"
        for since, before, after in zip(series.since, written, written[1:], strict=False)
    ]
    label = row_label(series.case, target=True, threads=series.case.threads > 1)
    return f"{label}, {metric_title(series)} changed {'; '.join(steps)}"


def notes(trend: Trend) -> list[str]:
    """Says how many series were looked at, how many false alarms to expect, and what was left out and why."""
    told = sum(not series.untold for series in trend.series)
    lines = []
    if told:
        expected = f"if nothing had changed, at most about {decimals(trend.false_alarms, 1)} of them would say so"
        lines.append(f"{len(trend.changed)} of {plural(told, 'series', 'series')} changed: {expected}. {EXCHANGEABLE}.")
    if untold := [series for series in trend.series if series.untold]:
        counts = sorted({len(series.points) for series in untold})
        runs = f"{listed(map(str, counts))} comparable {'run' if counts == [1] else 'runs'}"
        lines.append(
            f"of {plural(len(untold), 'series', 'series')} no change can be told: {runs}, and {LEAST_RUNS} are needed."
        )
    return lines + left_out(trend)


def left_out(trend: Trend) -> list[str]:
    """Says each reason once, with its runs and how many series it concerns."""
    reasons: dict[str, dict[str, int]] = {}
    for series in trend.series:
        for one in series.gaps:
            runs = reasons.setdefault(one.reason, {})
            runs[one.run_id] = runs.get(one.run_id, 0) + 1
    return [
        f"left out of {plural(max(runs.values()), 'series', 'series')}: {listed(sorted(runs))}: {reason}"
        for reason, runs in reasons.items()
    ]
