"""A trend in Markdown, for a pull request."""

from __future__ import annotations

from harness.compare.over_runs import Series, Trend
from harness.records.names import row_label
from harness.report.words.trend_words import metric_title, notes, since_when, texts
from harness.support.format import MISSING, in_markdown, plural

HEADINGS = ("Row", "Metric", "Runs", "First", "Newest", "Changed since")


def render(trend: Trend) -> str:
    """Return what changed, a table of every series, and what to know of it."""
    changed = trend.changed
    lines = [f"### {in_markdown(trend.experiment)}: {headline(trend)}", ""]
    lines += [f"- {in_markdown(since_when(series))}" for series in changed]
    lines += ["", f"| {' | '.join(HEADINGS)} |", "|---|---|--:|--:|--:|---|"]
    lines += [line(series) for series in (*changed, *(s for s in trend.series if not s.since))]
    lines += ["", *(f"{in_markdown(note)}  " for note in notes(trend))]
    return "\n".join(lines) + "\n"


def headline(trend: Trend) -> str:
    over = f"over {plural(len(trend.runs), 'run')}"
    return (
        f"{plural(len(trend.changed), 'series', 'series')} changed {over}"
        if trend.changed
        else f"no change is shown {over}"
    )


def line(series: Series) -> str:
    first, newest = ends(series)
    where = row_label(series.case, target=True, threads=series.case.threads > 1)
    cells = (where, metric_title(series), str(len(series.points)), first, newest, since(series))
    return f"| {' | '.join(in_markdown(cell) for cell in cells)} |"


def ends(series: Series) -> tuple[str, str]:
    if not series.points:
        return MISSING, MISSING
    first, newest = texts(series, [series.values[0], series.values[-1]])
    return first, newest


def since(series: Series) -> str:
    """The runs since which the level is another; "not told" where too few are comparable."""
    return "not told" if series.untold else ", ".join(series.points[i].run_id for i in series.since) or "no change"
