"""A trend in the terminal: a row for each case and metric, drawn small, and since when its level is another."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.cli.tables.run_tables import add_row, natural_width, plain_table
from harness.compare.over_runs import Series, Trend
from harness.report.out.trend_markdown import ends, headline, since
from harness.report.words.trend_words import metric_title, notes

HEIGHTS = "▁▂▃▄▅▆▇█"
LEAST_WIDTH = 12
NUMBERS = ("Runs", "First", "Newest")
COLUMNS = ("Variant", "Where", "Metric", *NUMBERS, "Oldest → newest", "Changed since")
DISPENSABLE = ("Oldest → newest", "Runs", "First")  # left out in this order until the rest fits


def trend_table(trend: Trend, console: Console) -> Table:
    """Makes the table, with what to know of it below; the picture of a series shows its newest runs as room allows.
    Where the console is narrow the columns of DISPENSABLE give way: no number is cut.
    """
    tables = (table_without(DISPENSABLE[:count], trend, console) for count in range(len(DISPENSABLE)))
    fits = (table for table in tables if natural_width(table, console) <= console.width)
    return next(fits, None) or table_without(DISPENSABLE, trend, console)


def table_without(left_out: Sequence[str], trend: Trend, console: Console) -> Table:
    table = plain_table(f"{trend.experiment}: {headline(trend)}")
    shown = [name for name in COLUMNS if name not in left_out]
    for name in shown:
        table.add_column(name, justify="right" if name in NUMBERS else "left", no_wrap=name != "Changed since")
    most = max(LEAST_WIDTH, console.width - 100)
    for series in trend.series:
        where = f"{series.case.runtime} · {series.case.target}"
        cells = (series.case.variant, where, metric_title(series), str(len(series.points)), *ends(series))
        changed = Text(since(series), "bold yellow" if series.since else "dim")
        named: dict[str, str | Text] = dict(zip(COLUMNS, (*cells, drawn(series, most), changed), strict=True))
        add_row(table, *(named[name] for name in shown))
    narrow = [f"{', '.join(left_out)}: left out, as the terminal is narrow"] if left_out else []
    table.caption, table.caption_justify = escape("\n".join([*notes(trend), *narrow])) or None, "left"
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
