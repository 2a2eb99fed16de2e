"""Sentences on why a variant is not faster: what the delegate took of its file, beside what it took of float32's."""

from __future__ import annotations

from dataclasses import replace

from harness.compare.rows import Row
from harness.records import CONTROL
from harness.report.words.phrases import place
from harness.support.format import listed


def why_not_faster(shown: tuple[Row, ...]) -> list[str]:
    """Name each row that is not shown to be faster than float32, where a smaller share of its ops
    ran in the delegate. It is told as what was seen: that it is the reason was not measured.
    """
    by_case = {row.case: row for row in shown}
    pairs = [(row, by_case.get(replace(row.case, variant=CONTROL))) for row in shown if not_faster(row)]
    return [sentence(row, control) for row, control in pairs if control and share(row) < share(control)]


def not_faster(row: Row) -> bool:
    limits = row.interval("speedup_vs_float32")
    return row.claims_latency and row.case.variant != CONTROL and limits is not None and limits[0] <= 1


def share(row: Row) -> float:
    """The share of ops that the delegate took; NaN, which is under nothing, where the engine does not tell."""
    return row.ran.delegated / row.ran.ops if row.ran and row.ran.ops else float("nan")


def sentence(row: Row, control: Row) -> str:
    assert row.ran and control.ran
    where, names = place(row, threads=True), listed(list(dict.fromkeys(row.ran.outside)))
    return (
        f"With {where}, {row.case.variant} is not shown to be faster than float32. The delegate took "
        f"{row.ran.delegated} of its {row.ran.ops} ops, and {control.ran.delegated} of float32's {control.ran.ops}: "
        f"{names} ran in the library's own kernels, which may be why."
    )
