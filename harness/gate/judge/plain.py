"""Rules on a metric by its value: file sizes exactly, distances between outputs as this test set shows them."""

from __future__ import annotations

import math

from harness.gate.evidence import OF_FILES, Answer, Evidence, control, missing, not_comparable
from harness.gate.policy import Rule
from harness.metrics import METRICS
from harness.records import CONTROL, Case, Change
from harness.records.terms import Outcome


def by_value(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """max, min: the value; max_increase, max_decrease: how far it moved."""
    change = evidence.value(case, rule.metric)
    if isinstance(change, Answer):
        return change
    assert change.value is not None
    if not rule.limit.absolute:
        return moved(rule, case, change, evidence)
    return compared(rule, change.unit, change.value, rule.limit.value, change.method)


def sqnr(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Outputs equal to Keras' have no noise: their ratio is infinite, and keeps every limit."""
    if noiseless(evidence, case):
        return Answer("pass", METRICS[rule.metric].unit, limit=rule.limit.value, method="outputs are equal: no noise")
    said = by_value(rule, case, evidence)
    if said.outcome == "missing" and rule.against == CONTROL and noiseless(evidence, control(case)):
        return not_comparable("float32 has no noise at all, so no decrease from it has a size; give min")
    return said


def noiseless(evidence: Evidence, case: Case) -> bool:
    apart = evidence.value(case, "max_abs_diff")
    return isinstance(apart, Change) and apart.value == 0


def compared(rule: Rule, unit: str, value: float, limit: float, method: str) -> Answer:
    """A value equal to the limit passes, also where it is equal but for rounding of the last digits."""
    upward = rule.limit.kind == "min"
    kept = value >= limit if upward else value <= limit
    outcome: Outcome = "pass" if kept or math.isclose(value, limit, rel_tol=1e-9) else "fail"
    return Answer(outcome, unit, value, limit=limit, method=method)


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
        return not_comparable(f"{rule.against} has {before:g}, so a percentage of it is undefined")
    return compared(rule, "%", 100 * worse / before, 100 * rule.limit.value, method)


def baseline(rule: Rule, case: Case, change: Change, evidence: Evidence) -> float | Answer:
    """The same metric of what the rule stands against."""
    if rule.against == "reference":
        return of_reference(rule, case, evidence)
    if rule.against == METRICS[rule.metric].against:
        if change.baseline is None or not math.isfinite(change.baseline):
            return missing(f"{rule.against} has no {rule.metric} beside it")
        return change.baseline
    found = evidence.value(control(case), rule.metric)
    return found if isinstance(found, Answer) else float(found.value or 0)


def of_reference(rule: Rule, case: Case, evidence: Evidence) -> float | Answer:
    no_past = evidence.no_past if rule.metric in OF_FILES else evidence.no_paired_past
    if reason := no_past(case):
        return reason
    assert evidence.past
    found = evidence.past.value(case, rule.metric)
    if isinstance(found, Answer):
        return not_comparable(f"in the reference: {found.reason}")
    return float(found.value or 0)
