"""Rules on metrics of labels and outputs: F1, AUC, MAE, RMSE, a user's own. What did not move is bounded by what could.

The limits are made again at the rule's confidence, of the value or of how far it moved. What moved is paired: the same
samples, answered twice. How limits are made is the metric's own: by likelihood where scores are bounded
(metrics/bounded.py), else by the bootstrap-t (metrics/bootstrap.py). Where the samples say too little, the rule is
inconclusive and says why.
"""

from __future__ import annotations

import math
from dataclasses import replace

from harness.gate.evidence import Evidence, control, not_comparable, restated
from harness.gate.policy import Rule
from harness.metrics import Metric
from harness.metrics.bootstrap import FEW, FEWEST_SAMPLES, RARE, Statistic, WithLimits
from harness.metrics.bounded import Effects, Unseen
from harness.metrics.of_sample import STATISTICS
from harness.metrics.scoring import difference_of, growth_of, limits_of, resampling
from harness.records import CONTROL, Absent, Answer, Case
from harness.records.terms import Outcome

INSIDE = "the limit is inside the interval; more samples narrow it"
HIDDEN = "{} {} samples; none got worse, which up to {:.2g} % may; {:,} are needed"
EDGE = "no number of samples shows that it keeps a limit at which it stands"


def by_samples(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges the value for max and min; for max_increase and max_decrease, how far it moved."""
    return judge_metric(rule, evidence.metric(rule), case, evidence)


def of_sample(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges ECE, JS and SQNR, which the tables show as they are in this test set, with limits of their own."""
    metric = replace(evidence.metric(rule), statistic=STATISTICS[rule.metric])
    return judge_metric(rule, metric, case, evidence)


def noise(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges SQNR. Outputs that are equal to Keras' have no noise; so many equal ones keep every limit."""
    if noiseless(evidence, case):
        return equal(rule, evidence.metric(rule).unit, len(evidence.output(case)))
    if not rule.limit.absolute and rule.against == CONTROL and noiseless(evidence, control(case)):
        raise not_comparable("float32 has no noise at all, so no decrease from it has a size; give min")
    return of_sample(rule, case, evidence)


def equal(rule: Rule, unit: str, samples: int) -> Answer:
    method, p = f"outputs of {samples:,} samples are equal: no noise", (1 - RARE) ** samples
    few = samples < FEWEST_SAMPLES or p >= rule.alpha
    reason = FEW.format(samples) if samples < FEWEST_SAMPLES else INSIDE if few else ""
    return Answer("inconclusive" if few else "pass", unit, limit=rule.limit.value, p=p, method=method, reason=reason)


def noiseless(evidence: Evidence, case: Case) -> bool:
    try:
        return evidence.value(case, "max_abs_diff") == 0
    except Absent:
        return False


def judge_metric(rule: Rule, metric: Metric, case: Case, evidence: Evidence) -> Answer:
    statistic = evidence.statistic(metric, case)
    names = evidence.comparison.run.class_names
    if not rule.limit.absolute:
        return judge_move(rule, metric, statistic, statistic_before(rule, metric, case, evidence), names)
    sign = 1 if rule.limit.kind == "max" else -1
    return judge_limits(rule, statistic, rule.limit.value, metric.unit, sign, names=names)


def judge_move(rule: Rule, metric: Metric, after: Statistic, before: Statistic, names: tuple[str, ...] = ()) -> Answer:
    """Judges how far the value moved the wrong way; a move the right way is under zero, and never fails."""
    sign = 1 if rule.limit.kind == "max_increase" else -1
    limit = sign * rule.limit.value
    if not rule.limit.relative:
        return judge_limits(rule, difference_of(after, before), limit, metric.unit, sign, sign, names)
    if before.value <= 0:
        raise not_comparable(f"{rule.against} has {before.value:g}, so a percentage of it is undefined")
    return judge_limits(rule, growth_of(after, before), limit, "%", sign, 100 * sign, names)


def judge_limits(
    rule: Rule,
    moved: WithLimits,
    limit: float,
    unit: str,
    sign: int,
    shown: float = 1.0,
    names: tuple[str, ...] = (),
) -> Answer:
    """Judges by the limits of a value or a move. limit: on the same. sign: 1 where less is better, −1 where more is.
    shown: a factor for the numbers that are reported. names: of the classes.
    """
    value, at = shown * moved.value + 0.0, shown * limit + 0.0  # no −0
    try:
        limits = limits_of(moved, rule.two_sided)
        with resampling():
            p, outcome = moved.p(limit, sign), outcome_by(moved, limit, sign, rule.alpha)
    except Absent as absent:
        return Answer("inconclusive", unit, value, limit=at, reason=absent.reason)
    reason = moved.doubt or why_inconclusive(rule, moved, limit, sign, names) if outcome == "inconclusive" else ""
    low, high = sorted((shown * limits.low + 0.0, shown * limits.high + 0.0))
    return Answer(outcome, unit, value, low, high, at, p, moved.words(rule.two_sided), reason)


def outcome_by(moved: WithLimits, limit: float, sign: int, alpha: float) -> Outcome:
    """Returns the outcome by the p-values of both sides; inconclusive where there is a doubt."""
    if moved.doubt:
        return "inconclusive"
    if sign * moved.value < sign * limit:
        return "pass" if moved.p(limit, sign) <= alpha else "inconclusive"
    return "fail" if moved.p(limit, -sign) <= alpha else "inconclusive"


def why_inconclusive(rule: Rule, moved: WithLimits, limit: float, sign: int, names: tuple[str, ...]) -> str:
    """Says which class has too few samples, where what they could hide is beyond the limit by itself."""
    if math.isclose(moved.value, limit, abs_tol=1e-12):
        return EDGE
    unseen = moved.unseen(limit, sign, rule.alpha) if isinstance(moved, Effects) else None
    return hidden(unseen, names) if unseen else INSIDE


def hidden(unseen: Unseen, names: tuple[str, ...]) -> str:
    label = unseen.label
    whose = "the test set has" if label is None else f"class {names[label] if label < len(names) else label} has"
    return HIDDEN.format(whose, f"{unseen.samples:,}", 100 * unseen.share, unseen.needed)


def statistic_before(rule: Rule, metric: Metric, case: Case, evidence: Evidence) -> Statistic:
    """Returns the metric of what the rule stands against. Raises Absent."""
    if rule.against == "reference":
        past = evidence.paired_past(case)
        with restated("in the reference: ", "not_comparable"):
            return past.statistic(metric, case)
    with restated(f"{rule.against}: "):
        if rule.against == CONTROL:
            return evidence.statistic(metric, control(case))
        return evidence.scorer.baseline_statistic(metric)
