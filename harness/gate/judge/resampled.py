"""Rules on metrics of labels and outputs: MAE, RMSE, F1, AUC, a user's own by BCa; shares of samples as accuracy is.

The limits are made again at the rule's confidence. What moved is paired: the same samples, answered twice. What differs
from the baseline by the same for every sample has no limits and is inconclusive, unless that is exactly nothing.
"""

from __future__ import annotations

import numpy as np

from harness.gate.evidence import Evidence, control, not_comparable, restated
from harness.gate.judge.loss import outcome_of
from harness.gate.policy import Rule
from harness.metrics import Metric
from harness.metrics.bootstrap import Statistic, bca_p, growth, is_zero
from harness.metrics.scoring import difference_of, limits_of, resampling_words
from harness.metrics.stats import Interval
from harness.metrics.task import LABELLED
from harness.records import CONTROL, Absent, Answer, Case
from harness.records.terms import Outcome

FEWEST_SAMPLES = 50  # of 10 normal ones the 95 % limits miss the truth 8 % of the time on a side, of skewed ones 11 %
FEW = "{} samples: what their resamples say is too narrow to decide by; take {} or more"


def by_samples(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges the value for max and min; for max_increase and max_decrease, how far it moved."""
    metric, labels = evidence.metric(rule), evidence.comparison.run.labels
    statistic = evidence.statistic(metric, case)
    if not rule.limit.absolute:
        return judge_move(rule, metric, statistic, statistic_before(rule, metric, case, evidence))
    if labels is not None and without_an_error(statistic, metric):
        return perfect(rule, int(np.unique(labels, return_counts=True)[1].min()))
    return judge_statistic(rule, statistic, rule.limit.value, metric.unit, 1 if rule.limit.kind == "max" else -1)


def without_an_error(statistic: Statistic, metric: Metric) -> bool:
    """Returns whether all samples are right: scores of classes, 1 at best, are 1 in every resample, too."""
    return statistic.value == 1 and metric.tasks == LABELLED and bool((statistic.replicates == 1).all())


def perfect(rule: Rule, fewest: int) -> Answer:
    """Judges a value without an error among the `fewest` samples of the rarest class.

    The one-sided limit of Clopper and Pearson (Biometrika 26, 1934, 404–413) for 0 of n, the least that recall, and all
    that is made of it, can be of any class.
    """
    low, limit = (1 - rule.confidence) ** (1 / fewest), rule.limit.value
    outcome: Outcome = "pass" if low > limit else "inconclusive"
    reason = "" if outcome == "pass" else "without an error, only more samples of the rarest class can show it"
    method = f"no error, at least {fewest} samples a class; Clopper–Pearson"
    return Answer(outcome, "fraction", 1.0, low, 1.0, limit, limit**fewest, method, reason)


def judge_move(rule: Rule, metric: Metric, after: Statistic, before: Statistic) -> Answer:
    """Judges how far the value moved the wrong way; a move the right way is under zero, and never fails."""
    sign = 1 if rule.limit.kind == "max_increase" else -1
    change = difference_of(after, before)
    if not rule.limit.relative:
        return judge_statistic(rule, change, sign * rule.limit.value, metric.unit, sign, sign)
    if before.value <= 0 or (before.replicates <= 0).any():
        message = f"{rule.against} has {before.value:g}, or may have 0 or less, so a percentage of it is undefined"
        raise not_comparable(message)
    return judge_statistic(rule, growth(after, before), sign * rule.limit.value, "%", sign, 100 * sign)


def judge_statistic(rule: Rule, statistic: Statistic, limit: float, unit: str, sign: int, shown: float = 1.0) -> Answer:
    """Judges a statistic by its BCa limits. limit: on the statistic. sign: 1 where less is better, −1 where more is.
    shown: a factor for the numbers that are reported.
    """
    value, at = shown * statistic.value + 0.0, shown * limit + 0.0  # no −0
    try:
        limits = limits_of(statistic, rule.two_sided)
    except Absent as absent:
        return Answer("inconclusive", unit, value, limit=at, method="BCa", reason=absent.reason)
    ends = Interval(*sorted((sign * limits.low, sign * limits.high)))
    outcome = "pass" if ends == Interval(0.0, 0.0) and sign * limit == 0 else outcome_of(ends, sign * limit)
    reason = "the limit is inside the interval; more samples narrow it" if outcome == "inconclusive" else ""
    if len(statistic.jackknife) < FEWEST_SAMPLES and not is_zero(statistic):
        outcome, reason = "inconclusive", FEW.format(len(statistic.jackknife), FEWEST_SAMPLES)
    low, high = sorted((shown * limits.low + 0.0, shown * limits.high + 0.0))
    p = bca_p(statistic, limit, sign)
    return Answer(outcome, unit, value, low, high, at, p, resampling_words(statistic, rule.two_sided), reason)


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
