"""Rules on what processes cost: latency, cold start, memory. The replicate is a round, one process; never an invoke.

The interval is made again at the rule's confidence from each round's own value: t on logarithms, exponentiated.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import stdtrit

from harness import stats
from harness.gate.drops import decided
from harness.gate.evidence import Answer, Evidence, control, missing
from harness.metrics import METRICS
from harness.metrics.process import anonymous_growth
from harness.metrics.registry import invokes_ns
from harness.policy import Rule
from harness.records import Case, Round
from harness.stats import CLAIM_ROUNDS, Interval

SESSIONS = 5  # what a latency against the past needs: sessions differ by more than their rounds show
EMULATED = "{} is emulated: neither latency nor memory can be claimed for it"
ONE_SESSION = (
    f"the reference is one stored session, and under {SESSIONS} do not show how much sessions differ; "
    "measure the reference's model again, beside the candidate"
)
Series = Callable[[Round], float | None]


# --- what each round says, in the unit of its metric ---------------------------------------------------------------


def quantile(q: float, piece: Round) -> float:
    return float(np.quantile(invokes_ns(piece), q)) / 1e3


def mean(piece: Round) -> float:
    return float(invokes_ns(piece).mean()) / 1e3


def cold(phases: tuple[str, ...], piece: Round) -> float | None:
    if any(not len(piece.timings.get(phase, ())) for phase in phases):
        return None
    return sum(float(piece.timings[phase][:, 1].sum()) for phase in phases) / 1e6


def peak(piece: Round) -> float | None:
    return piece.memory_bytes.get("first", {}).get("VmHWM")


def series_median(phase: str, piece: Round) -> float | None:
    return float(np.median(piece.timings[phase][:, 1])) / 1e3 if len(piece.timings.get(phase, ())) else None


SERIES: dict[str, Series] = {
    "latency_p50": partial(quantile, 0.5),
    "latency_p90": partial(quantile, 0.9),
    "latency_p99": partial(quantile, 0.99),
    "latency_mean": mean,
    "load": partial(cold, ("load", "create", "allocate")),
    "first_invoke": partial(cold, ("first",)),
    "set_input": partial(series_median, "set_input"),
    "get_output": partial(series_median, "get_output"),
    "peak_rss": peak,
    "model_rss": anonymous_growth,
}


def by_round(metric: str, rounds: list[Round]) -> dict[int, float]:
    """Round → its value, of those that have one."""
    found = ((r.index, SERIES[metric](r)) for r in rounds)
    return {index: float(value) for index, value in found if value is not None}


# --- rules ---------------------------------------------------------------------------------------------------------


def by_rounds(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """max: the value itself; max_increase: against float32 in the same rounds, or against a stored run."""
    if evidence.emulated(case):
        return Answer("invalid", reason=EMULATED.format(case.target))
    change = evidence.value(case, rule.metric)
    if isinstance(change, Answer):
        return change
    if rule.against == "reference":
        return past(rule, case, evidence)
    own = by_round(rule.metric, evidence.rounds(case))
    if not rule.limit.absolute:
        return beside(rule, case, evidence, own)
    assert change.value is not None
    return Spread.of_values(change.value, list(own.values()), rule).judged(rule.limit.value, METRICS[rule.metric].unit)


def beside(rule: Rule, case: Case, evidence: Evidence, own: dict[int, float]) -> Answer:
    """How much more than float32, paired by round."""
    there = evidence.value(control(case), rule.metric)
    if isinstance(there, Answer):
        return missing(f"float32 beside it: {there.reason}")
    other = by_round(rule.metric, evidence.rounds(control(case)))
    shared = sorted(own.keys() & other.keys())
    before, after = ([side[index] for index in shared] for side in (other, own))
    if not rule.limit.relative:
        spread = Spread.of_differences(before, after, rule)
        return spread.judged(rule.limit.value, METRICS[rule.metric].unit)
    if shared and min(*before, *after) <= 0:
        return Answer("not_comparable", reason="some rounds are at or under zero: give an absolute limit")
    return Spread.of_ratios(before, after, rule).judged(1 + rule.limit.value, "%")


def speedup(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """min: float32 over the row by the medians of shared rounds; max_decrease: against a stored run."""
    if evidence.emulated(case):
        return Answer("invalid", reason=EMULATED.format(case.target))
    change = evidence.value(case, rule.metric)
    if isinstance(change, Answer):
        return change
    if not rule.limit.absolute:
        return past(rule, case, evidence)
    own, other = (by_round("latency_p50", evidence.rounds(c)) for c in (case, control(case)))
    shared = sorted(own.keys() & other.keys())
    spread = Spread.of_ratios([own[i] for i in shared], [other[i] for i in shared], rule)
    return spread.judged(rule.limit.value, "ratio", less_is_better=False)


def past(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Against one stored session: shown, never decided. measurement.md, section 1."""
    if unknown := evidence.no_past(case):
        return unknown
    refused, warned = evidence.apart(case)
    if refused:
        return Answer("not_comparable", reason=refused)
    assert evidence.past
    before, after = (side.value(case, rule.metric) for side in (evidence.past, evidence))
    if isinstance(before, Answer) or isinstance(after, Answer):
        return missing(f"the reference has no {rule.metric} there")
    moved = shown(rule, float(before.value or 0), float(after.value or 0))
    reason = "; ".join(filter(None, (ONE_SESSION, warned)))
    return Answer("inconclusive", *moved, method=f"{before.value:.4g} before, {after.value:.4g} now", reason=reason)


def shown(rule: Rule, before: float, after: float) -> tuple[str, float | None, None, None, float]:
    """Unit, how far the value moved the wrong way, no interval, the limit."""
    worse = after - before if rule.limit.kind == "max_increase" else before - after
    if rule.limit.relative:
        return "%", 100 * worse / before if before else None, None, None, 100 * rule.limit.value
    return METRICS[rule.metric].unit, worse, None, None, rule.limit.value


# --- the interval over rounds --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spread:
    """A value and its one-sided limits over so many rounds. logarithmic: its interval is symmetric on that scale."""

    value: float | None
    limits: Interval | None
    rounds: int
    logarithmic: bool
    what: str

    @classmethod
    def of_values(cls, value: float, each: list[float], rule: Rule) -> Spread:
        positive = bool(each) and min(each) > 0
        interval = stats.rounds_interval if positive else t_interval
        limits = interval(each, rule.two_sided) if len(each) > 1 else None
        return cls(value, limits, len(each), positive, f"t on {'log of ' if positive else ''}{len(each)} rounds")

    @classmethod
    def of_differences(cls, before: list[float], after: list[float], rule: Rule) -> Spread:
        each = [b - a for a, b in zip(before, after, strict=True)]
        limits = t_interval(each, rule.two_sided) if len(each) > 1 else None
        value = float(np.mean(each)) if each else None
        return cls(value, limits, len(each), False, f"t on differences of {len(each)} paired rounds")

    @classmethod
    def of_ratios(cls, before: list[float], after: list[float], rule: Rule) -> Spread:
        what = f"t on log ratios of {len(before)} paired rounds"
        if len(before) < 2:
            return cls(None, None, len(before), True, what)
        ratio, limits = stats.ratio_interval(before, after, rule.two_sided)
        return cls(ratio, limits, len(before), True, what)

    def judged(self, limit: float, unit: str, less_is_better: bool = True) -> Answer:
        """unit "%": the value is a ratio, told as the percentage over 1."""
        outcome, reason = self.outcome(limit, less_is_better)
        low, high = (self.limits.low, self.limits.high) if self.limits else (None, None)
        value, low, high, at = (told(x, unit) for x in (self.value, low, high, limit))
        return Answer(outcome, unit, value, low, high, at, method=self.what, reason=reason)

    def outcome(self, limit: float, less_is_better: bool) -> tuple[str, str]:
        """And why it is inconclusive."""
        if self.limits is None:
            return "inconclusive", f"{self.rounds} usable round{'' if self.rounds == 1 else 's'}: that has no interval"
        if self.rounds < CLAIM_ROUNDS and self.near(self.limits, limit):
            rule = "decide only a limit at least twice as far away as the interval"
            return "inconclusive", f"{self.rounds} rounds {rule}; take {CLAIM_ROUNDS} or more"
        sign = 1 if less_is_better else -1
        ends = sorted((sign * self.limits.low, sign * self.limits.high))
        found = decided(Interval(*ends), sign * limit)
        return found, "the limit is inside the interval; more rounds narrow it" if found == "inconclusive" else ""

    def near(self, limits: Interval, limit: float) -> bool:
        """Whether the limit is under two half-widths away: t over so few rounds leans hard on their being normal."""
        low, high, at = (math.log(x) if self.logarithmic else x for x in (limits.low, limits.high, limit))
        return abs(at - (low + high) / 2) < high - low


def told(number: float | None, unit: str) -> float | None:
    return round(100 * (number - 1), 9) if number is not None and unit == "%" else number


def t_interval(values: list[float], confidence: float) -> Interval:
    """mean ± t_{R−1}·s/√R, for what may be under zero."""
    array = np.asarray(values, dtype=np.float64)
    half = float(stdtrit(len(array) - 1, (1 + confidence) / 2) * array.std(ddof=1)) / math.sqrt(len(array))
    return Interval(float(array.mean()) - half, float(array.mean()) + half)
