"""What a policy can decide on a test set, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from harness.cli.tables.run_tables import add_row, plain_table
from harness.gate.known import Foresight
from harness.support.format import decimals, whole

COLUMNS = ("Rule", "Fewest samples", "Changed, %", "Harmless passes, %", "At the limit, %", "N for 80 %", "N for 90 %")


def foresight_table(found: Sequence[Foresight]) -> Table:
    """Makes a line a rule and flip rate; a rule of which nothing is known has its reason."""
    table = plain_table()
    for name in COLUMNS:
        table.add_column(name, justify="left" if name == "Rule" else "right", no_wrap=name != "Rule")
    for each in found:
        words, fewest = f"{each.rule} {each.words}", whole(each.fewest) if each.fewest else "–"
        if each.why:
            add_row(table, f"{words}: {each.why}", fewest, *[""] * (len(COLUMNS) - 2))
        for n, of in enumerate(each.chances):
            shares = (told(share) for share in (of.changed, of.harmless, of.at_limit))
            first = (words, fewest) if n == 0 and not each.why else ("", "")
            add_row(table, *first, *shares, *(map(whole, of.needed) if of.needed else ("never", "never")))
    return table


def told(share: float | None) -> str:
    return "–" if share is None else decimals(100 * share, 1)
