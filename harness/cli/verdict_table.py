"""The verdict in the terminal."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from harness.cli.tables import plain_table
from harness.records import Verdict
from harness.report.verdict import interval, outcome, quantity, row_name

STYLES = {"pass": "green", "inconclusive": "yellow"}


def verdict_table(verdict: Verdict) -> Table:
    """One line a finding; the words of a rule stand once, where they begin."""
    table = plain_table()
    for name in ("Rule", "Row", "Value", "Interval", "Limit", "Outcome", "Reason"):
        number = name in ("Value", "Interval", "Limit")
        table.add_column(name, justify="right" if number else "left", no_wrap=number or name == "Outcome")
    before = 0
    for f in verdict.findings:
        words = f"{f.rule} {f.words}" if f.rule != before else ""
        cells = (words, row_name(f.case), quantity(f.value, f.unit), interval(f), quantity(f.limit, f.unit))
        style = STYLES.get(f.outcome, "red")
        table.add_row(*map(escape, cells), f"[{style}]{outcome(f)}[/]", escape(f.reason))
        before = f.rule
    return table
