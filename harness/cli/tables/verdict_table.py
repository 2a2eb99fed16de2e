"""The verdict in the terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from harness.cli.tables.run_tables import add_row, plain_table
from harness.gate.verdict_text import interval, outcome, value_and_limit
from harness.records import Finding, Verdict
from harness.records.names import row_name

STYLES = {"pass": "green", "inconclusive": "yellow"}


def verdict_table(verdict: Verdict) -> Table:
    """Makes a line a finding; a rule's words only in its first line, a reason only where the one above differs."""
    table = plain_table()
    for name in ("Rule", "Row", "Value", "Interval", "Limit", "Outcome", "Reason"):
        number = name in ("Value", "Interval", "Limit")
        table.add_column(name, justify="right" if number else "left", no_wrap=number or name == "Outcome")
    above: Finding | None = None
    for f in verdict.findings:
        same = above is not None and above.rule == f.rule
        words = "" if same else f"{f.rule} {f.words}"
        reason = "as above" if same and above and f.reason and above.reason == f.reason else f.reason
        value, limit = value_and_limit(f)
        cells = (words, row_name(f.case), value, interval(f), limit)
        add_row(table, *cells, Text(outcome(f), STYLES.get(f.outcome, "red")), reason)
        above = f
    return table
