"""Reasons in the timings themselves to doubt them: still warming up, correlated, several invokes in one."""

from __future__ import annotations

import math
from dataclasses import replace

from harness.compare.rows import Row
from harness.metrics.typical import CORRELATED, SKEWED
from harness.records import CONTROL, Case, Comparison
from harness.report.words.phrases import by_variant, names, place, span
from harness.support.format import decimals, listed, whole, with_limits

DRIFT_PERCENT = 2.0  # a first tenth this much slower or faster is reported, if its interval excludes 0
ESS_SHARE = 0.5
VISIBLE = 0.25  # of an interval's half-width: how far a speed-up lies from the ratio of the two p50 before it is told
PAIRED = (
    "A speed-up is made of pairs of one round, a p50 of all rounds of its row. Skewed rounds, or rounds that only one "
    "row has, make the speed-up differ from the ratio of the two p50: {}."
)
ODD = {
    SKEWED: "The rounds of {} look skewed, or of two kinds: their value is that of the median round, their limits are "
    "order statistics, and what the slowest rounds cost is not in them.",
    CORRELATED: "Each round looks like the one before it for {}: intervals are three times as wide, and may still be "
    "too narrow.",
}


def cautions(comparison: Comparison, shown: tuple[Row, ...]) -> list[str]:
    """Give one sentence for each kind of doubt; empty where there is none."""
    return [
        *drifting(shown),
        *odd_rounds(shown),
        *unlike_table(shown),
        *selected(shown),
        *correlated_rows(shown),
        *shared_timings(comparison, shown),
    ]


def drifting(shown: tuple[Row, ...]) -> list[str]:
    slower = [r for r in shown if drift(r) > 0]
    faster = [r for r in shown if drift(r) < 0]
    texts = [f"Still warming up: the first tenth of the timed invokes is {drifts_text(slower)}."] if slower else []
    return [
        *texts,
        *([f"Slowing down: the first tenth of the timed invokes is {drifts_text(faster)}."] if faster else []),
    ]


def drift(row: Row) -> float:
    """Return the row's warm-up drift in %, 0 where it is small or its interval includes 0."""
    value, limits = row.value("warmup_drift"), row.interval("warmup_drift")
    if value is None or limits is None or limits[0] <= 0 <= limits[1] or abs(value) <= DRIFT_PERCENT:
        return 0.0
    return value


def drifts_text(rows: list[Row]) -> str:
    return listed([drift_text(row) for row in rows])


def drift_text(row: Row) -> str:
    low, high = sorted(abs(limit) for limit in row.interval("warmup_drift") or (0.0, 0.0))
    far, *ends = with_limits(one_decimal, abs(drift(row)), low, high)
    size = f"{far} % {'slower' if drift(row) > 0 else 'faster'} than the rest"
    who = f"with {row.case.variant} ({place(row, threads=True)})"
    return f"{size} {who}, 95 % interval {ends[0]} to {ends[1]}"


def one_decimal(value: float | None, more: int = 0) -> str:
    return decimals(value, 1 + more)


def odd_rounds(shown: tuple[Row, ...]) -> list[str]:
    """Name the rows whose rounds look odd, and say what their intervals are then."""
    return [text.format(listed(rows)) for sign, text in ODD.items() if (rows := rows_with(sign, shown))]


def unlike_table(shown: tuple[Row, ...]) -> list[str]:
    """Name the speed-ups that a reader would not find by dividing the two p50 of the table."""
    p50 = {row.case: value for row in shown if (value := row.value("latency_p50"))}
    found = [
        f"{decimals(row.value('speedup_vs_float32'), 2)}× and {decimals(divided, 2)}× with {row.case.variant} "
        f"({place(row, threads=True)})"
        for row in shown
        if row.case in p50
        and (beside := p50.get(replace(row.case, variant=CONTROL)))
        and visible(row, divided := beside / p50[row.case])
    ]
    return [PAIRED.format(listed(found))] if found else []


def visible(row: Row, divided: float) -> bool:
    value, limits = row.value("speedup_vs_float32"), row.interval("speedup_vs_float32")
    if not (value and limits) or decimals(value, 2) == decimals(divided, 2):
        return False
    return abs(math.log(divided / value)) > VISIBLE * math.log(limits[1] / limits[0]) / 2


def selected(shown: tuple[Row, ...]) -> list[str]:
    """Name the speed-ups that measuring unsteady rounds again has moved out of their own interval."""
    found = [
        f"{decimals(first, 2)}× with {row.case.variant} ({place(row, threads=True)})"
        for row in shown
        if (first := row.value("speedup_first_attempts")) is not None and moved(first, row)
    ]
    if not found:
        return []
    return [f"With the first attempts at unsteady rounds the speed-up is outside its interval: {listed(found)}."]


def moved(first: float, row: Row) -> bool:
    limits = row.interval("speedup_vs_float32")
    return limits is not None and not limits[0] <= first <= limits[1]


def rows_with(sign: str, shown: tuple[Row, ...]) -> list[str]:
    """Return the rows whose p50 was made in that way."""
    found = [row for row in shown if "latency_p50" in row.changes and sign in row.changes["latency_p50"].method]
    return [f"{row.case.variant} ({place(row, threads=True)})" for row in found]


def correlated_rows(shown: tuple[Row, ...]) -> list[str]:
    rows = [r for r in shown if (share := r.value("ess_share")) is not None and share < ESS_SHARE]
    if not rows:
        return []
    worth = [100 * (row.value("ess_share") or 0.0) for row in rows]
    measured = [r for r in shown if r.value("ess_share") is not None]
    text = (
        f"Invokes within one process are correlated for {names(rows, measured)}: 100 of them are worth "
        f"{span('{}', worth, whole)} independent ones. Intervals are computed from rounds alone, here as everywhere."
    )
    return [text]


def shared_timings(comparison: Comparison, shown: tuple[Row, ...]) -> list[str]:
    counts = invokes_a_timing(comparison)
    rows = [r for r in shown if counts.get(r.case, 1) > 1]
    if not rows:
        return []
    variants = [f"{name} ({span('{}', [counts[r.case] for r in g], whole)})" for name, g in by_variant(rows).items()]
    return [f"The clock is too coarse to time one invoke of {listed(variants)}: that many share one timing."]


def invokes_a_timing(comparison: Comparison) -> dict[Case, int]:
    """Return for each case the most invokes that share one timing, of those that were timed."""
    counts: dict[Case, int] = {}
    for piece in comparison.run.rounds:
        timed = piece.timed
        if timed is not None and len(timed):
            counts[piece.case] = max(counts.get(piece.case, 1), int(timed.count.max()))
    return counts
