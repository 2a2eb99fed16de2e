"""What a policy can decide on a test set, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table

from harness.cli.tables.narrow import RuleBlock, ToFit, widest
from harness.cli.tables.run_tables import add_row, plain_table
from harness.gate.known import Foresight
from harness.support.format import decimals, whole

COLUMNS = ("Rule", "Fewest samples", "Changed, %", "Harmless passes, %", "At the limit, %", "N for 80 %", "N for 90 %")


def foresight_table(found: Sequence[Foresight]) -> ToFit:
    return ToFit(wide_table(found), Group(*map(rule_block, found)))


def wide_table(found: Sequence[Foresight]) -> Table:
    """Makes a line a rule and flip rate; a rule of which nothing is known has its reason."""
    table = plain_table()
    for name in COLUMNS:
        table.add_column(name, justify="left" if name == "Rule" else "right", no_wrap=name != "Rule")
    for each in found:
        words, fewest = f"{each.rule} {each.words}", whole(each.fewest) if each.fewest else "–"
        if each.why:
            add_row(table, f"{words}: {each.why}", fewest, *[""] * (len(COLUMNS) - 2))
        for n, line in enumerate(lines_of(each)):
            first = (words, fewest) if n == 0 and not each.why else ("", "")
            add_row(table, *first, *line)
    return table


def lines_of(each: Foresight) -> list[tuple[str, ...]]:
    """Makes a line a flip rate: its shares, and how many samples are needed."""
    shares = [[told(share) for share in (of.changed, of.harmless, of.at_limit)] for of in each.chances]
    needed = [map(whole, of.needed) if of.needed else ("never", "never") for of in each.chances]
    return [(*some, *others) for some, others in zip(shares, needed, strict=True)]


def rule_block(each: Foresight) -> RuleBlock:
    fewest = (f"at least {whole(each.fewest)} samples",) if each.fewest else ()
    notes, lines = (*([each.why] if each.why else []), *fewest), tuple(lines_of(each))
    return RuleBlock(f"{each.rule} {each.words}", lines, notes, COLUMNS[2:] if lines else (), widest(lines))


def told(share: float | None) -> str:
    return "–" if share is None else decimals(100 * share, 1)
