"""Rules on what is lost from sample to sample, by Tango's score test: accuracy drop, growth of errors, drop of a class.

Non-inferiority: a limit holds when the whole interval is under it and is violated when the whole interval is over it,
so a lucky point estimate never ships a model (measurement.md, section 3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import ndtr, ndtri

from harness.gate.evidence import Evidence, Pair, not_comparable
from harness.gate.policy import Rule
from harness.metrics import Metric
from harness.metrics.stats import Interval, smallest_n_to_pass, tango, tango_score
from harness.records import Answer, Case
from harness.records.terms import Outcome

MOST_SAMPLES = 10**9  # more is never
NEARLY_ALL = 1 - 1e-9  # a margin of every sample is not a limit; the score test is defined under it
NAMED = 10  # classes in one reason


def drop(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges accuracy_drop in pp, error_rate_growth in % of the errors made before, which are held fixed."""
    return judge_pair(rule, evidence.pair(rule, case), evidence.metric(rule))


def judge_pair(rule: Rule, pair: Pair, metric: Metric) -> Answer:
    loss = Loss.of(pair, rule, metric)
    if loss.margin <= 0:
        raise not_comparable(without_base(rule, metric))
    errors = 1 - float(pair.right_before.mean())
    unit, scale = ("%", 100 / errors) if metric.unit == "%" else ("pp", 100.0)
    reason = loss.why_undecided if loss.outcome == "inconclusive" else ""
    return loss.answer(loss.outcome, reason, loss.counts, unit, scale)


def class_drop(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges the drop of each class on its own.

    It passes when every class does: that all are good needs no correction (intersection–union test, Berger,
    Technometrics 24, 1982, 295–300). It fails when one class is over the limit after Holm's correction (Scandinavian
    Journal of Statistics 6, 1979, 65–70), since among many classes one is over it by chance.
    """
    pair, metric = evidence.pair(rule, case), evidence.metric(rule)
    losses = {int(label): Loss.of(pair.of(label), rule, metric) for label in np.unique(pair.labels)}
    if empty := [label for label, loss in losses.items() if loss.margin <= 0]:
        raise not_comparable(f"{class_words(empty, evidence)}: {without_base(rule, metric)}")
    ratios = [float(ndtr(-loss.z)) / (1 - rule.confidence) for loss in losses.values()]
    over = [label for label, significant in zip(losses, holm(ratios), strict=True) if significant]
    unsure = [label for label, loss in losses.items() if loss.outcome != "pass"]
    outcome: Outcome = "pass"
    reason = ""
    if over:
        outcome, reason = "fail", f"over the limit after Holm: {class_words(over, evidence)}"
    elif unsure:
        outcome, reason = "inconclusive", undecided_classes(losses, unsure, evidence)
    worst = max(losses, key=lambda label: losses[label].z)
    shown = f"worst of {len(losses)} classes: {class_words([worst], evidence)}, {losses[worst].counts}"
    return losses[worst].answer(outcome, reason, shown)


def without_base(rule: Rule, metric: Metric) -> str:
    if metric.unit == "%":
        return f"{rule.against} makes no error, so there is no growth to speak of; limit accuracy_drop"
    return f"{rule.against} gets nothing right, or the limit is 0: give an absolute limit over 0, in pp"


def undecided_classes(losses: dict[int, Loss], unsure: list[int], evidence: Evidence) -> str:
    """Names the undecided classes, and says what would settle the worst of them."""
    last = max(unsure, key=lambda label: losses[label].z)
    classes, worst = class_words(unsure, evidence), class_words([last], evidence)
    if losses[last].outcome == "fail":
        return f"undecided: {classes}; {worst} is over the limit, not after Holm"
    return f"undecided: {classes}; {worst}: {losses[last].why_undecided}"


def class_words(labels: list[int], evidence: Evidence) -> str:
    names = evidence.comparison.run.class_names
    shown = [names[n] if 0 <= n < len(names) else str(n) for n in labels[:NAMED]]
    rest = f" and {len(labels) - NAMED} more" if len(labels) > NAMED else ""
    return f"class {', '.join(shown)}{rest}"


# --- one paired comparison under a margin --------------------------------------------------------------------------


@dataclass(frozen=True)
class Loss:
    """One paired comparison under a margin."""

    b: int  # samples lost: right before and wrong after
    c: int  # samples won: the reverse
    n: int  # samples in all
    margin: float  # the largest drop that the rule allows, a fraction of n
    rule: Rule

    @classmethod
    def of(cls, pair: Pair, rule: Rule, metric: Metric) -> Loss:
        margin = margin_of(rule, metric.unit, float(pair.right_before.mean()))
        return cls(*pair.lost_and_won, pair.samples, min(margin, NEARLY_ALL), rule)

    @cached_property
    def limits(self) -> Interval:
        return tango(self.b, self.c, self.n, self.rule.two_sided)

    @cached_property
    def z(self) -> float:
        """The score at the margin: under 0 where the drop is under it."""
        return tango_score(self.b, self.c, self.n, self.margin)

    @property
    def outcome(self) -> Outcome:
        return outcome_of(self.limits, self.margin)

    @property
    def counts(self) -> str:
        return f"b={self.b} c={self.c} n={self.n}"

    @property
    def why_undecided(self) -> str:
        """Why it is inconclusive, and what would settle it."""
        fewest = smallest_n_to_pass(self.margin, self.rule.two_sided)
        if self.n < fewest:
            return f"without an improvement {self.rule.limit.text} takes {fewest:,} samples; there are {self.n:,}"
        return why_inconclusive(self.n, self.needed, self.z < 0)

    @property
    def needed(self) -> int | None:
        """How many samples decide, the shares of b and c held fixed: the score grows with √n. None: never."""
        if self.z == 0:
            return None
        samples = math.floor(self.n * (float(ndtri(self.rule.confidence)) / self.z) ** 2) + 1
        return samples if samples <= MOST_SAMPLES else None

    def answer(self, outcome: Outcome, reason: str, shown: str, unit: str = "pp", scale: float = 100.0) -> Answer:
        bounds = (self.limits.low, self.limits.high, self.margin)
        value, low, high, limit = (scale * x for x in ((self.b - self.c) / self.n, *bounds))
        return Answer(outcome, unit, value, low, high, limit, float(ndtr(self.z)), f"Tango, {shown}", reason)


def margin_of(rule: Rule, unit: str, accuracy: float) -> float:
    """Returns the largest drop that the rule allows, as a fraction of the samples.

    unit: the metric's: % of the errors made before, pp, or a fraction. accuracy: of what the rule stands against, held
    fixed.
    """
    limit = rule.limit
    if unit == "%":
        return limit.value / 100 * (1 - accuracy)
    if limit.relative:
        return limit.value * accuracy
    return limit.value / 100 if unit == "pp" else limit.value


def outcome_of(limits: Interval, limit: float) -> Outcome:
    """Returns the outcome of a limit on an interval. Less is better."""
    return "pass" if limits.high < limit else "fail" if limits.low > limit else "inconclusive"


def why_inconclusive(n: int, needed: int | None, better: bool) -> str:
    """Says why a rule is inconclusive. needed: how many samples would settle it, None for never."""
    if needed is None:
        return "the value is at the limit: no number of samples would settle it"
    way = "pass" if better else "fail"
    return f"the limit is inside the interval; {needed:,} samples like these {n:,} would settle it ({way})"


def holm(ratios: list[float]) -> list[bool]:
    """Returns which p/α are significant by Holm:
    the smallest against 1/k, the next against 1/(k − 1), until one is over.
    """
    kept = [False] * len(ratios)
    for rank, index in enumerate(sorted(range(len(ratios)), key=lambda i: ratios[i])):
        if ratios[index] * (len(ratios) - rank) > 1:
            break
        kept[index] = True
    return kept
