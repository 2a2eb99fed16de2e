"""The verdict in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.console import Group
from rich.table import Table
from rich.text import Text

from harness.cli.tables.narrow import RuleBlock, ToFit, widest
from harness.cli.tables.run_tables import add_row, plain_table
from harness.gate.verdict_text import interval, outcome, value_and_limit
from harness.records import Finding, Verdict
from harness.records.names import row_name

STYLES = {"pass": "green", "inconclusive": "yellow"}


def verdict_table(verdict: Verdict) -> ToFit:
    return ToFit(wide_table(verdict), rule_blocks(verdict))


def wide_table(verdict: Verdict) -> Table:
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
        add_row(table, words, row_name(f.case), value, interval(f), limit, told(f), reason)
        above = f
    return table


def rule_blocks(verdict: Verdict) -> Group:
    """Makes a block a rule, whose words say the limit: below them its rows, and each reason once."""
    widths = widest([line_of(f) for f in verdict.findings]) if verdict.findings else ()
    each = [list(own) for _, own in groupby(verdict.findings, key=lambda f: f.rule)]
    return Group(
        *(RuleBlock(f"{f[0].rule} {f[0].words}", tuple(map(line_of, f)), reasons(f), (), widths) for f in each)
    )


def line_of(f: Finding) -> tuple[str | Text, ...]:
    return row_name(f.case), value_and_limit(f)[0], interval(f), told(f)


def told(f: Finding) -> Text:
    return Text(outcome(f), STYLES.get(f.outcome, "red"))


def reasons(findings: Sequence[Finding]) -> tuple[str, ...]:
    rows: dict[str, list[str]] = {}
    for f in findings:
        rows.setdefault(f.reason, []).append(row_name(f.case))
    return tuple(f"{', '.join(names)}: {reason}" for reason, names in rows.items() if reason)
