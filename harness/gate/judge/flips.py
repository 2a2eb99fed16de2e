"""Rules on flips: a count of answers that differ from Keras' is judged as the share of the samples that it is.

Another test set as large would have another count: of a true rate at the limit, half of all counts keep it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.gate.evidence import Evidence, Pair, answers_in, control, not_comparable, restated
from harness.gate.judge.loss import DROP, Loss
from harness.gate.judge.rates import rate
from harness.gate.policy import Rule
from harness.records import CONTROL, KERAS, Absent, Answer, Case

NONE_HERE = "none among these {:,} samples, which is all that a limit of 0 asks; a rate of up to {:.2g} % is compatible"


def flip_rate(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges the share of answers that differ, right or wrong."""
    pair = evidence.pair(rule, case)
    return rate(int((pair.before != pair.after).sum()), pair.samples, rule.limit.value, rule)


def flips(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges a count for max; for max_increase, how many more differ than of what the rule stands against."""
    after = flipped(case, evidence)
    if rule.limit.absolute:
        return at_most(rule, int(after.sum()), len(after))
    pair = Pair(np.ones(len(after), bool), ~flipped_before(rule, case, evidence), ~after)
    if rule.limit.relative:
        if pair.right_before.all():
            raise not_comparable(f"{rule.against} has no flips, so a percentage of them is undefined: give a count")
        return Loss.of_wrong(pair, rule.limit.value, rule).answered
    n = len(after)
    counted = replace(DROP, unit="count", scale=n, shown=lambda share: n * share)
    return Loss.of_all(pair, rule.limit.value / n, rule, counted).answered


def at_most(rule: Rule, count: int, n: int) -> Answer:
    """Judges a count of n samples. A limit of 0 is of these samples alone: no rate can be shown to be 0."""
    limit = rule.limit.value
    if limit >= n:
        raise Absent(f"{n:,} samples cannot have over {rule.limit.text} flips: give a lower limit", "not_comparable")
    said = in_counts(rate(count, n, limit / n, rule), n)
    if limit > 0:
        return said
    if count:
        return replace(said, outcome="fail", p=None, reason="")
    return replace(said, outcome="pass", p=None, reason=NONE_HERE.format(n, 100 * (said.high or 0) / n))


def in_counts(said: Answer, n: int) -> Answer:
    """Returns the answer on a share, as one on a count of n."""
    value, low, high, limit = (None if x is None else n * x for x in (said.value, said.low, said.high, said.limit))
    return replace(said, unit="count", value=value, low=low, high=high, limit=limit)


def flipped_before(rule: Rule, case: Case, evidence: Evidence) -> np.ndarray:
    """Returns the flips of what the rule stands against, (samples,). Raises Absent."""
    if rule.against == KERAS:
        return np.zeros(len(flipped(case, evidence)), bool)
    if rule.against == CONTROL:
        return flipped(control(case), evidence)
    past = evidence.paired_past(case)
    with restated("in the reference, ", "not_comparable"):
        return flipped(case, past)


def flipped(case: Case, evidence: Evidence) -> np.ndarray:
    """Returns which answers differ from Keras', (samples,). Raises Absent where some are not finite."""
    evidence.answers(case)
    samples = evidence.samples(case)
    assert samples is not None
    evidence.finite_answers(answers_in(samples, "baseline_prediction"), KERAS)
    return np.asarray(samples["flip"])
