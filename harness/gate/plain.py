"""Rules on a metric by its value: file sizes exactly, distances between outputs as this test set shows them."""

from __future__ import annotations

import math

from harness.comparability import sample_difference
from harness.gate.evidence import EMULATED, Answer, Evidence, control
from harness.metrics import METRICS
from harness.policy import Rule
from harness.records import Case, Change

TIMES = ("us", "ms", "ns")
NEEDS_NO_TEST_SET = ("size_bytes", "activation_bytes_upper_bound")  # read off the file
ONE_SIDED = 0.975  # what the ends of a metric's own two-sided 95 % interval hold


def by_value(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """max, min: the value, or its interval where the metric has one; max_increase, max_decrease: how far it moved."""
    unit = METRICS[rule.metric].unit
    if unit in TIMES and evidence.emulated(case):
        return Answer("invalid", reason=EMULATED.format(case.target))
    change = evidence.value(case, rule.metric)
    if isinstance(change, Answer):
        return change
    assert change.value is not None
    if not rule.limit.absolute:
        return moved(rule, case, change, evidence)
    if change.low is not None and change.high is not None:
        return by_interval(rule, change)
    return compared(rule, unit, change.value, rule.limit.value, change.method)


def compared(rule: Rule, unit: str, value: float, limit: float, method: str) -> Answer:
    """A value at the limit keeps it. Rounding of the last digits never fails it."""
    upward = rule.limit.kind == "min"
    kept = value >= limit if upward else value <= limit
    outcome = "pass" if kept or math.isclose(value, limit, rel_tol=1e-9) else "fail"
    return Answer(outcome, unit, value, limit=limit, method=method)


def by_interval(rule: Rule, change: Change) -> Answer:
    """The metric's own 95 % interval; whoever asks for more confidence than it holds gets no answer."""
    assert change.low is not None and change.high is not None
    numbers = (change.unit, change.value, change.low, change.high, rule.limit.value, None, change.method)
    if rule.confidence > ONE_SIDED:
        return Answer("inconclusive", *numbers, f"its interval holds {100 * ONE_SIDED:g} % on each side and no more")
    good, bad = change.high < rule.limit.value, change.low > rule.limit.value
    if rule.limit.kind == "min":
        good, bad = bad, good
    if good or bad:
        return Answer("pass" if good else "fail", *numbers)
    return Answer("inconclusive", *numbers, "the limit is inside the interval")


def moved(rule: Rule, case: Case, change: Change, evidence: Evidence) -> Answer:
    """How far the value moved the wrong way; the other way is under zero, and never fails."""
    before = baseline(rule, case, change, evidence)
    if isinstance(before, Answer):
        return before
    assert change.value is not None
    worse = change.value - before if rule.limit.kind == "max_increase" else before - change.value
    method = f"{before:.6g} against {rule.against}, {change.value:.6g} here"
    if not rule.limit.relative:
        return compared(rule, change.unit, worse, rule.limit.value, method)
    if before <= 0:
        return Answer("not_comparable", reason=f"{rule.against} has {before:g}, of which there are no percents")
    return compared(rule, "%", 100 * worse / before, 100 * rule.limit.value, method)


def baseline(rule: Rule, case: Case, change: Change, evidence: Evidence) -> float | Answer:
    """The same metric of what the rule stands against."""
    if rule.against == "reference":
        return of_reference(rule, case, evidence)
    if rule.against == METRICS[rule.metric].against:
        if change.baseline is None or not math.isfinite(change.baseline):
            return Answer("missing", reason=f"{rule.against} has no {rule.metric} beside it")
        return change.baseline
    found = evidence.value(control(case), rule.metric)
    return found if isinstance(found, Answer) else float(found.value or 0)


def of_reference(rule: Rule, case: Case, evidence: Evidence) -> float | Answer:
    if reason := evidence.no_past(case):
        return reason
    assert evidence.reference and evidence.past
    if rule.metric not in NEEDS_NO_TEST_SET:
        apart = sample_difference(evidence.reference.run, evidence.comparison.run, case)
        if apart:
            return Answer("not_comparable", reason=str(apart))
    found = evidence.past.value(case, rule.metric)
    if isinstance(found, Answer):
        return Answer("not_comparable", reason=f"in the reference: {found.reason}")
    return float(found.value or 0)
