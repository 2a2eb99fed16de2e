"""Two runs side by side in the terminal: a row for each case and metric, and below what makes them differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.cli.tables.run_tables import add_row, natural_width, plain_table
from harness.compare.two_runs import Pair, TwoRuns
from harness.records import Case, Change
from harness.records.terms import ChangeKind
from harness.report.words.two_run_words import KINDS, change_texts, notes, own_texts, title
from harness.support.format import decimals, plural

STYLES: dict[ChangeKind, str] = {
    "improved": "green",
    "regressed": "bold red",
    "changed": "bold yellow",
    "not_comparable": "yellow",
    "missing": "yellow",
    "unknown": "yellow",
    "": "dim",
}


def two_run_tables(both: TwoRuns, console: Console) -> Iterator[Table]:
    """Yields a table a target; variant and runtime share a column where the console is narrow."""
    for target in dict.fromkeys(pair.case.target for pair in both.pairs):
        pairs = [pair for pair in both.pairs if pair.case.target == target]
        wide, narrow = (two_run_table(both, pairs, stacked) for stacked in (False, True))
        table = wide if natural_width(wide, console) <= console.width else narrow
        table.caption, table.caption_justify = escape("\n".join(notes(both, pairs))) or None, "left"
        yield table
    for head in both.heads.values():
        yield from two_run_tables(head, console)


def two_run_table(both: TwoRuns, pairs: Sequence[Pair], stacked: bool) -> Table:
    one, other = both.reference.run, both.candidate.run
    title = f"{other.experiment} on {pairs[0].case.target}: {other.run_id} against the reference {one.run_id}"
    if len(other.outputs) > 1:
        title += f", output {other.scored_output}"
    table = plain_table(title)
    swept = len({pair.case.threads for pair in pairs}) > 1
    for name in ("Case",) if stacked else ("Variant", "Runtime", "Threads")[: 2 + swept]:
        table.add_column(name, no_wrap=True)
    for name in ("Metric", "Reference", "Candidate", "Change", "Verdict"):
        table.add_column(name, justify="left" if name in ("Metric", "Verdict") else "right", no_wrap=True)
    for pair in pairs:
        for line, change in enumerate(pair.changes):
            first = stacked_key(pair.case, swept, line) if stacked else key(pair.case, swept)
            add_row(table, *first, *cells(both, change, stacked), verdict(change))
        table.add_section()
    return table


def verdict(change: Change) -> Text:
    """Returns the kind of change; beside "similar", how small a change would be missed."""
    kind = Text(KINDS[change.kind], STYLES.get(change.kind, ""))
    if change.smallest_percent is None:
        return kind
    return kind + Text(f" ±{decimals(change.smallest_percent, 1)} %", "dim")


def key(case: Case, swept: bool) -> list[str]:
    return [case.variant, case.runtime, *([str(case.threads)] if swept else [])]


def stacked_key(case: Case, swept: bool, line: int) -> list[str]:
    """Returns variant, runtime and threads below each other, in the first lines of a case."""
    parts = [case.variant, case.runtime, *([plural(case.threads, "thread")] if swept else [])]
    return [parts[line] if line < len(parts) else ""]


def cells(both: TwoRuns, change: Change, stacked: bool) -> list[str]:
    """Returns the metric, its value in each run, and the change with its interval beside or below it."""
    value, limits = change_texts(change)
    separator = "\n" if stacked else " "
    shown = f"{value}{separator}({limits})" if limits else value
    return [title(both, change), *own_texts(both, change), shown]
