"""What one more session would show: an interval of rounds is of this session, on this board."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.rows import Row
from harness.metrics import METRICS
from harness.records import CONTROL
from harness.report.material import Material
from harness.report.words.phrases import place
from harness.runs.sessions import Ahead, ahead_of
from harness.statistics.stats import Interval
from harness.support.format import Write, decimals, listed, plural, time_scale, with_limits

P50 = METRICS["latency_p50"]
UNKNOWN = (
    "Intervals of times are of this session, on this board; where one more session would lie is not known for {}: {}."
)
KNOWN = "One more session of {} would lie, with 95 %: {}."


def next_sessions(material: Material) -> list[str]:
    """Say where the next session of each row would lie, or why that is not known; nothing where nobody looked."""
    if material.sessions is None:
        return []
    rows = [row for row in material.rows if row.claims_latency]
    found = [(row, ahead_of(row.run, material.sessions, row.case, P50)) for row in rows]
    told = [KNOWN.format(name(row), in_words(row, ahead, material)) for row, ahead in found if ahead.limits]
    reasons = dict.fromkeys(ahead.why for _, ahead in found if ahead.why)
    return [*told, *(UNKNOWN.format(names([r for r, a in found if a.why == why], rows), why) for why in reasons)]


def names(rows: Sequence[Row], among: Sequence[Row]) -> str:
    return listed([name(row) for row in rows]) if len(rows) < len(among) else "any row"


def name(row: Row) -> str:
    return f"{row.case.variant} with {place(row, threads=True)}"


def in_words(row: Row, ahead: Ahead, material: Material) -> str:
    assert material.sessions and ahead.limits
    scale = time_scale([ahead.limits.low])
    low, high = ends_of(scale.text, ahead.limits)
    texts = [f"p50 {low} to {high} {scale.name}, by {plural(ahead.sessions, 'session')} of as many boots and days"]
    if row.case.variant != CONTROL:
        ratio = ahead_of(row.run, material.sessions, row.case).limits
        texts += ["{} to {}× as fast as float32".format(*ends_of(two_decimals, ratio))] if ratio else []
    return "; ".join(texts)


def ends_of(write: Write, limits: Interval) -> tuple[str, ...]:
    return with_limits(write, None, limits.low, limits.high)[1:]


def two_decimals(value: float | None, more: int = 0) -> str:
    return decimals(value, 2 + more)
