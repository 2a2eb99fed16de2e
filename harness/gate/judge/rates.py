"""Rules on how often something happens over the test set, by Clopper–Pearson: accuracy; flips are in flips.py."""

from __future__ import annotations

from scipy.special import bdtr

from harness.gate.evidence import Evidence, Pair
from harness.gate.judge.drops import drop
from harness.gate.judge.loss import POWERS, outcome_of, why_inconclusive
from harness.gate.policy import Rule
from harness.records import Answer, Case
from harness.statistics.power import samples_to_settle
from harness.statistics.stats import clopper_pearson


def accuracy(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges min by Clopper–Pearson on the errors, max_decrease as a drop."""
    if not rule.limit.absolute:
        return drop(rule, case, evidence)
    return at_least(rule, evidence.pair(rule, case))


def at_least(rule: Rule, pair: Pair) -> Answer:
    """Judges whether so large a share of the samples is right."""
    wrong = int((~pair.right_after).sum())
    errors = rate(wrong, pair.samples, 1 - rule.limit.value, rule)
    assert errors.value is not None and errors.low is not None and errors.high is not None
    method = f"Clopper–Pearson, {pair.samples - wrong} of {pair.samples} right"
    numbers = (1 - errors.value, 1 - errors.high, 1 - errors.low, rule.limit.value, errors.p)
    return Answer(errors.outcome, "fraction", *numbers, method, errors.reason)


def rate(count: int, n: int, limit: float, rule: Rule) -> Answer:
    """Judges a count of n, where less is better.
    p is the probability of so few or fewer if the true rate were the limit.
    """
    bounds = clopper_pearson(count, n, rule.two_sided)
    outcome = outcome_of(bounds, limit)
    reason = why_undecided(count, n, limit, rule) if outcome == "inconclusive" else ""
    numbers = (count / n, bounds.low, bounds.high, limit, float(bdtr(count, n, limit)))
    return Answer(outcome, "fraction", *numbers, f"Clopper–Pearson, {count} of {n}", reason)


def why_undecided(count: int, n: int, limit: float, rule: Rule) -> str:
    if clopper_pearson(0, n, rule.two_sided).high >= limit:
        return f"{n:,} samples can never pass {rule.limit.text}: not even if none of them counted against it"
    better = count < limit * n
    seen, edge = (count / n, limit) if better else (1 - count / n, 1 - limit)  # as a count that is small enough
    needed = [samples_to_settle(seen, edge, rule.alpha, power, n) for power in POWERS]
    return why_inconclusive(n, tuple(size for size in needed if size) if all(needed) else (), better)
