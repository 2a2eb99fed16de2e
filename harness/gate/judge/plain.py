"""Rules on a metric by its value: file sizes exactly, the largest |Δ| as this test set shows it."""

from __future__ import annotations

import math

from harness.gate.evidence import Evidence, control, not_comparable, restated
from harness.gate.policy import Rule
from harness.records import Absent, Answer, Case, Change
from harness.records.terms import Outcome


def by_value(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges the value for max and min; for max_increase and max_decrease, how far it moved."""
    change = evidence.change(case, rule.metric)
    assert change.value is not None
    if not rule.limit.absolute:
        return judge_move(rule, case, change, change.value, evidence)
    return judge_number(rule, change.unit, change.value, rule.limit.value, change.method)


def judge_number(rule: Rule, unit: str, value: float, limit: float, method: str) -> Answer:
    """Judges a value by a limit. An equal one passes, also where it is equal but for rounding of the last digits."""
    upward = rule.limit.kind == "min"
    kept = value >= limit if upward else value <= limit
    outcome: Outcome = "pass" if kept or math.isclose(value, limit, rel_tol=1e-9) else "fail"
    return Answer(outcome, unit, value, limit=limit, method=method)


def judge_move(rule: Rule, case: Case, change: Change, value: float, evidence: Evidence) -> Answer:
    """Judges how far the value moved the wrong way; a move the right way is under zero, and never fails."""
    before = value_before(rule, case, change, evidence)
    worse = value - before if rule.limit.kind == "max_increase" else before - value
    method = f"{before:.6g} against {rule.against}, {value:.6g} here"
    if not rule.limit.relative:
        return judge_number(rule, change.unit, worse, rule.limit.value, method)
    if before <= 0:
        raise not_comparable(f"{rule.against} has {before:g}, so a percentage of it is undefined")
    return judge_number(rule, "%", 100 * worse / before, 100 * rule.limit.value, method)


def value_before(rule: Rule, case: Case, change: Change, evidence: Evidence) -> float:
    """Returns the same metric of what the rule stands against. Raises Absent."""
    metric = evidence.metric(rule)
    if rule.against == "reference":
        past = (evidence.past_of if metric.of_file else evidence.paired_past)(case)
        with restated("in the reference: ", "not_comparable"):
            return past.value(case, rule.metric)
    if rule.against == metric.against:
        if change.baseline is None or not math.isfinite(change.baseline):
            raise Absent(f"{rule.against} has no {rule.metric} beside it")
        return change.baseline
    return evidence.value(control(case), rule.metric)
