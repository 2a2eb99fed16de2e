"""A trend in the terminal: a row for each case and metric, drawn small, and since when its level is another."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.cli.tables.run_tables import add_row, plain_table
from harness.compare.over_runs import Series, Trend
from harness.report.out.trend_markdown import ends, headline, since
from harness.report.words.trend_words import metric_title, notes

HEIGHTS = "▁▂▃▄▅▆▇█"
LEAST_WIDTH = 12


def trend_table(trend: Trend, console: Console) -> Table:
    """Makes the table, with what to know of it below; the picture of a series shows its newest runs as room allows."""
    table = plain_table(f"{trend.experiment}: {headline(trend)}")
    for name in ("Variant", "Where", "Metric", "Runs", "First", "Newest"):
        table.add_column(name, justify="right" if name in ("Runs", "First", "Newest") else "left", no_wrap=True)
    table.add_column("Oldest → newest", no_wrap=True)
    table.add_column("Changed since")
    most = max(LEAST_WIDTH, console.width - 100)
    for series in trend.series:
        where = f"{series.case.runtime} · {series.case.target}"
        cells = (series.case.variant, where, metric_title(series), str(len(series.points)), *ends(series))
        add_row(table, *cells, drawn(series, most), Text(since(series), "bold yellow" if series.since else "dim"))
    table.caption, table.caption_justify = escape("\n".join(notes(trend))) or None, "left"
    return table


def drawn(series: Series, most: int) -> str:
    """Draws the newest values as heights, and a gap where a new level begins."""
    begin = max(0, len(series.points) - most)
    values = series.values[begin:]
    if not values:
        return ""
    low, high = min(values), max(values)
    step = (high - low) / (len(HEIGHTS) - 1) or 1
    marks = [HEIGHTS[round((value - low) / step)] for value in values]
    for start in reversed(series.since):
        if start > begin:
            marks.insert(start - begin, " ")
    return "".join(marks)
