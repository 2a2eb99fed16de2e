"""Pieces of sentences about rows: which ones, where they ran, from what to what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from harness.compare.rows import Row
from harness.support.format import listed, plural


def trusted(shown: Iterable[Row]) -> list[Row]:
    """Find the rows whose answers are worth a sentence: measured, not suspect; only the lowest thread count of each."""
    first: dict[tuple[str, str, str], Row] = {}
    for row in shown:
        if row.standing.status in ("ok", "invalid") and row.samples is not None:
            first.setdefault((row.case.variant, row.case.target, row.case.runtime), row)
    return list(first.values())


def aside(shown: Sequence[Row]) -> str:
    """Name the rows that were measured and are suspect, of which a sentence about the others does not speak."""
    left = [r for r in shown if r.standing.status == "suspect" and r.samples is not None]
    return f" (not counting {names(left, shown)}, which {'is' if len(left) == 1 else 'are'} suspect)" if left else ""


def place(row: Row, threads: bool = False) -> str:
    """Say where a row was measured; the target and the threads only where the run has several."""
    where = row.case.runtime
    if len(row.run.targets) > 1:
        where += f" on {row.case.target}"
    if threads and len({c.threads for c in row.run.cases}) > 1:
        where += f", {plural(row.case.threads, 'thread')}"
    return where


def span(template: str, values: Sequence[float], text: Callable[[float], str]) -> str:
    """Fill the template with "a to b", or with "a" where both read the same; empty without values."""
    if not values:
        return ""
    low, high = text(min(values)), text(max(values))
    return template.format(low if low == high else f"{low} to {high}")


def by_variant(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Group the rows by variant, in order."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.case.variant, []).append(row)
    return groups


def names(rows: Iterable[Row], among: Iterable[Row]) -> str:
    """Name the variants of these rows, with their places where not all rows of the variant are meant."""
    whole_groups = by_variant(among)
    return listed(
        [
            name if len(group) == len(whole_groups[name]) else f"{name} ({listed([place(r) for r in group])})"
            for name, group in by_variant(rows).items()
        ]
    )
