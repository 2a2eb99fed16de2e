"""Rules on metrics of labels and outputs: MAE, RMSE, F1, AUC, a user's own by BCa; shares of samples as accuracy is.

The limits are made again at the rule's confidence. What moved is paired: the same samples, answered twice. What differs
from the baseline by the same for every sample has no limits and is inconclusive, unless that is exactly nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.gate.evidence import NOT_FINITE, Answer, Evidence, Pair, control, missing, not_comparable
from harness.gate.judge.drops import decided, dropped
from harness.gate.judge.rates import at_least
from harness.gate.policy import Rule
from harness.metrics.bootstrap import Statistic, bca_p, growth, is_zero
from harness.metrics.discrepancy import top1
from harness.metrics.fitting import score_named
from harness.metrics.scores import TOP_K, Score, hits
from harness.metrics.scoring import Scorer, difference_of, limits_of, resampled, statistic_of
from harness.metrics.stats import Interval
from harness.metrics.task import LABELLED, finite, row_by_row
from harness.records import CONTROL, Case, Comparison
from harness.records.terms import Outcome

FEWEST_SAMPLES = 50  # of 10 normal ones the 95 % limits miss the truth 8 % of the time on a side, of skewed ones 11 %
FEW = "{} samples: what their resamples say is too narrow to decide by; take {} or more"


def by_samples(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """max, min on the value; max_increase, max_decrease on how far it moved."""
    run = evidence.comparison.run
    score = score_named(rule.metric, run.scoring, run.task)
    if score is None:
        return missing(f"{rule.metric} says nothing of a run whose task is {run.task}")
    if found := TOP_K.fullmatch(rule.metric):
        classes = evidence.comparison.baseline.shape[1]
        always = f"the label is always among the {found[1]} highest of {classes} scores"
        return top_k(rule, case, evidence, int(found[1])) if int(found[1]) < classes else missing(always)
    own = statistic_of(score, evidence.comparison, case)
    if isinstance(own, str):
        return missing(own)
    if rule.limit.absolute and without_an_error(own, score):
        assert run.labels is not None
        return perfect(rule, int(np.unique(run.labels, return_counts=True)[1].min()))
    if rule.limit.absolute:
        return judged(rule, own, rule.limit.value, score.unit, 1 if rule.limit.kind == "max" else -1)
    before = statistic_before(rule, score, case, evidence)
    return before if isinstance(before, Answer) else moved(rule, score, own, before)


def without_an_error(statistic: Statistic, score: Score) -> bool:
    """Of scores of classes that are 1 at best: no resample of samples that are all right has another value."""
    return statistic.value == 1 and score.tasks == LABELLED and bool((statistic.replicates == 1).all())


def perfect(rule: Rule, fewest: int) -> Answer:
    """No error among the `fewest` samples of the rarest class: no more of them are wrong than α^(1/n) leaves.

    The one-sided limit of Clopper and Pearson (Biometrika 26, 1934, 404–413) for 0 of n, the least that recall, and all
    that is made of it, can be of any class.
    """
    low, limit = (1 - rule.confidence) ** (1 / fewest), rule.limit.value
    outcome: Outcome = "pass" if low > limit else "inconclusive"
    reason = "" if outcome == "pass" else "without an error, only more samples of the rarest class can show it"
    method = f"no error, at least {fewest} samples a class; Clopper–Pearson"
    return Answer(outcome, "fraction", 1.0, low, 1.0, limit, limit**fewest, method, reason)


def moved(rule: Rule, score: Score, own: Statistic, before: Statistic) -> Answer:
    """How far it moved the wrong way; the other way is under zero, and never fails."""
    sign = 1 if rule.limit.kind == "max_increase" else -1
    apart = difference_of(own, before)
    if isinstance(apart, str):
        return missing(apart)
    if not rule.limit.relative:
        return judged(rule, apart, sign * rule.limit.value, score.unit, sign, sign)
    if before.value <= 0 or (before.replicates <= 0).any():
        told = f"{rule.against} has {before.value:g}, or may have 0 or less, so a percentage of it is undefined"
        return not_comparable(told)
    return judged(rule, growth(own, before), sign * rule.limit.value, "%", sign, 100 * sign)


def judged(rule: Rule, statistic: Statistic, limit: float, unit: str, sign: int, shown: float = 1.0) -> Answer:
    """sign: 1 where less is better, −1 where more is. limit: on the statistic. shown: a factor for reported numbers."""
    limits = limits_of(statistic, rule.two_sided)
    value, at = shown * statistic.value + 0.0, shown * limit + 0.0  # no −0
    if isinstance(limits, str):
        return Answer("inconclusive", unit, value, limit=at, method="BCa", reason=limits)
    ends = Interval(*sorted((sign * limits.low, sign * limits.high)))
    outcome = "pass" if ends == Interval(0.0, 0.0) and sign * limit == 0 else decided(ends, sign * limit)
    reason = "the limit is inside the interval; more samples narrow it" if outcome == "inconclusive" else ""
    if len(statistic.left_out) < FEWEST_SAMPLES and not is_zero(statistic):
        outcome, reason = "inconclusive", FEW.format(len(statistic.left_out), FEWEST_SAMPLES)
    low, high = sorted((shown * limits.low + 0.0, shown * limits.high + 0.0))
    p = bca_p(statistic, limit, sign)
    return Answer(outcome, unit, value, low, high, at, p, resampled(statistic, rule.two_sided), reason)


def statistic_before(rule: Rule, score: Score, case: Case, evidence: Evidence) -> Statistic | Answer:
    """Of what the rule stands against."""
    if rule.against == "reference":
        if reason := evidence.no_paired_past(case):
            return reason
        assert evidence.reference
        found = statistic_of(score, evidence.reference, case)
        return not_comparable(f"in the reference: {found}") if isinstance(found, str) else found
    if rule.against == CONTROL:
        found = statistic_of(score, evidence.comparison, control(case))
    else:
        scorer = Scorer(evidence.comparison.run)
        found = scorer.statistic(score, scorer.raw)
    return missing(f"{rule.against}: {found}") if isinstance(found, str) else found


# --- shares of samples ---------------------------------------------------------------------------------------------

Share = Callable[[Comparison, np.ndarray], np.ndarray]  # whether each sample counts, by the row's scores of classes


def agreement(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Answers that are the baseline's: min by Clopper–Pearson; how far their share moved by Tango."""

    def same(comparison: Comparison, scores: np.ndarray) -> np.ndarray:
        return np.asarray(row_by_row(top1, scores) == row_by_row(top1, comparison.baseline))

    return by_share(rule, case, evidence, same)


def top_k(rule: Rule, case: Case, evidence: Evidence, k: int) -> Answer:
    """Labels among the k highest scores, judged as accuracy is."""

    def hit(comparison: Comparison, scores: np.ndarray) -> np.ndarray:
        assert comparison.run.labels is not None
        return hits(comparison.run.labels, scores, k)

    return by_share(rule, case, evidence, hit)


def by_share(rule: Rule, case: Case, evidence: Evidence, share: Share) -> Answer:
    if isinstance(keras := share_of(evidence.comparison, evidence.comparison.baseline, share, "keras"), Answer):
        return keras
    own = counted(evidence.comparison, case, share)
    if isinstance(own, Answer):
        return own
    if rule.limit.absolute:
        return at_least(rule, Pair(np.ones(len(own), bool), own, own))
    before = counted_before(rule, case, evidence, share)
    return before if isinstance(before, Answer) else dropped(rule, Pair(np.ones(len(own), bool), before, own))


def counted_before(rule: Rule, case: Case, evidence: Evidence, share: Share) -> np.ndarray | Answer:
    if rule.against == "keras":
        return share_of(evidence.comparison, evidence.comparison.baseline, share, "keras")
    if rule.against == CONTROL:
        return counted(evidence.comparison, control(case), share)
    if reason := evidence.no_paired_past(case):
        return reason
    assert evidence.reference
    found = counted(evidence.reference, case, share)
    return not_comparable(f"in the reference, {found.reason}") if isinstance(found, Answer) else found


def counted(comparison: Comparison, case: Case, share: Share) -> np.ndarray | Answer:
    scores = comparison.scores.get(comparison.run.accuracy_case(case))
    if scores is None:
        return missing(f"{case.variant} has no answers there")
    return share_of(comparison, scores, share, case.variant)


def share_of(comparison: Comparison, scores: np.ndarray, share: Share, whose: str) -> np.ndarray | Answer:
    """Whether each sample counts, of scores that are all finite: NaN never passes."""
    bad = int((~row_by_row(finite, scores)).sum())
    return missing(f"{whose}: {NOT_FINITE.format(bad)}") if bad else share(comparison, scores)
