"""Sentences about how many rounds a precision took, how near it came, and how far processes of one file lie apart."""

from __future__ import annotations

import math

import numpy as np

from harness.compare.rows import Row
from harness.metrics.latency import percent
from harness.metrics.registry import medians_ns
from harness.metrics.two_stage import rounds_of_target, rounds_wanted
from harness.records import CONTROL, Comparison
from harness.report.words.phrases import place
from harness.support.format import listed, plural, significant, whole

APART_PERCENT = 2.0  # an sd of round medians that is told: ten rounds leave ± 1.4 %
FAR_APART = (
    "Processes of one file lie far apart (the sd of their medians), by their own luck or other work on the device"
)
LATER = " Where the further ones lie clearly farther apart than the first, the interval is by the sd of all."
ROUNDING = 1 + 1e-9
RATIO = "speedup_vs_float32"


def precision(comparison: Comparison, shown: tuple[Row, ...]) -> list[str]:
    """Say of each target what a plan's precision took, and which rows a single process says little of."""
    names = dict.fromkeys(row.case.target for row in shown if row.rounds and not row.emulated)
    asked = names if comparison.run.plan.precision else ()
    return [*(stages(comparison, name, shown) for name in asked), *far_apart(comparison, shown)]


def stages(comparison: Comparison, target: str, shown: tuple[Row, ...]) -> str:
    run, own = comparison.run, [row for row in shown if row.case.target == target]
    assert run.plan.precision is not None
    taken = rounds_of_target(run, target)
    wanted = rounds_wanted(run.plan, (r for r in run.rounds if r.case.target == target))
    what = "ratio" if any(row.interval(RATIO) for row in own) else "p50"
    begin = f"By the spread of the first {plural(run.plan.rounds, 'round')} on {target}, "
    aim = f"bring every {what} within ± {significant(100 * run.plan.precision, 3)} %"
    if wanted > taken:
        return f"{begin}{whole(wanted)} {aim}; the most are {taken}, which left {widest(own)}."
    number = taken if taken > run.plan.rounds else "they"
    told = f"{begin}{number} were to {aim}, and left {widest(own)}."
    wide = any((half_percent(row) or 0) > 100 * run.plan.precision * ROUNDING for row in own)
    return told + LATER * wide


def widest(shown: list[Row]) -> str:
    """Name the row that is known least."""
    halves = [(half, row) for row in shown if (half := half_percent(row)) is not None]
    if not halves:
        return "no interval"
    half, row = max(halves, key=lambda pair: pair[0])
    return f"± {significant(half, 2)} % at most ({row.case.variant} with {place(row, threads=True)})"


def half_percent(row: Row) -> float | None:
    """Return the half-width of the row's ratio to float32, in % of it, or of its p50 where it stands alone."""
    variants = {case.variant for case in row.run.cases}
    alone = CONTROL not in variants or len(variants) == 1
    limits = row.interval(RATIO) or (row.interval("latency_p50") if alone else None)
    return percent(math.log(limits[1] / limits[0]) / 2) if limits else None


def far_apart(comparison: Comparison, shown: tuple[Row, ...]) -> list[str]:
    """Name the rows whose processes lie far apart: what one of them says is luck."""
    apart = [(row, sd) for row in shown if row.claims_latency and (sd := sd_percent(comparison, row)) >= APART_PERCENT]
    if not apart:
        return []
    each = [f"{row.case.variant} with {place(row, threads=True)} by {significant(sd, 2)} %" for row, sd in apart]
    more = "" if comparison.run.plan.precision else "; --precision takes as many as an interval needs"
    return [f"{FAR_APART}: {listed(each)}. What one process says of them is partly luck{more}."]


def sd_percent(comparison: Comparison, row: Row) -> float:
    medians = medians_ns(r for r in comparison.run.rounds if r.case == row.case)
    return percent(float(np.log(list(medians.values())).std(ddof=1)))
