"""One paired comparison under a limit: how much is lost, decided by an exact test, shown with an interval by the score.

Non-inferiority: a limit is kept where a model at the limit has so good an outcome in under 5 % (1 less the rule's
confidence), and is violated where a model within it has so bad an outcome in under 5 %. Otherwise it is inconclusive:
a lucky point estimate never ships a model. The interval is of another test, the score's, and where the two part the
reason says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.gate.evidence import Pair, not_comparable
from harness.gate.policy import Rule
from harness.records import Answer
from harness.records.terms import Outcome
from harness.statistics.exact import MOST_SAMPLES, exact_p, fewest_to_pass
from harness.statistics.paired_limit import PairedLimit
from harness.statistics.stats import Interval, ratio_limits, tango

POWERS = (0.8, 0.9)
NO_ERRORS = "{} makes no error, so there is no growth to speak of: limit accuracy_drop, or give an absolute limit"
NOTHING_RIGHT = "{} gets nothing right: give an absolute limit, in pp"
AT_LIMIT = "the value is at the limit: no number of {} would settle it"
ONLY_BETTER = "only an improvement can pass {}"


@dataclass(frozen=True)
class Measure:
    """What a loss is measured by. Its functions take lost, won and the samples that count, or one true loss."""

    unit: str
    scale: float  # of a limit's fraction, in the unit
    counts: str  # which samples count, where not all do
    interval: str  # the name of its method
    limit: Callable[[float], PairedLimit]  # of a limit as a policy holds it, a fraction
    value: Callable[[int, int, int], float]
    limits: Callable[[int, int, int, float], Interval]  # in the measure of `value`
    shown: Callable[[float], float]  # of a value, in the unit


def ratio(b: int, c: int, n: int) -> float:
    return (n - c) / (n - b) if n > b else math.inf


DROP = Measure(
    "pp", 100, "", "Tango", PairedLimit.of_difference, lambda b, c, n: (b - c) / n, tango, lambda value: 100 * value
)
GROWTH = Measure(
    "%", 100, "wrong before or after", "score of the ratio", lambda share: PairedLimit.of_ratio(1 + share),
    ratio, ratio_limits, lambda value: 100 * (value - 1),
)  # fmt: skip
DECLINE = Measure(
    "%", 100, "right before or after", "score of the ratio", lambda share: PairedLimit.of_ratio(1 / (1 - share)),
    ratio, ratio_limits, lambda value: 100 * (1 - 1 / value),
)  # fmt: skip


@dataclass(frozen=True)
class Loss:
    """One paired comparison under a limit."""

    b: int  # samples lost: right before and wrong after
    c: int  # samples won: the reverse
    n: int  # samples that count
    samples: int  # samples in all
    measure: Measure
    allowed: float  # as the rule has it, a fraction
    rule: Rule

    @classmethod
    def of_all(cls, pair: Pair, allowed: float, rule: Rule, measure: Measure = DROP) -> Loss:
        """Counts all samples: how much larger the share of those lost may be than that of those won."""
        return cls(*pair.lost_and_won, pair.samples, pair.samples, measure, allowed, rule)

    @classmethod
    def of_wrong(cls, pair: Pair, allowed: float, rule: Rule) -> Loss:
        """Counts the wrong answers: how far they may grow. Raises Absent where there is none before."""
        check_base(~pair.right_before, NO_ERRORS, rule)
        counting = int((~pair.right_before | ~pair.right_after).sum())
        return cls(*pair.lost_and_won, counting, pair.samples, GROWTH, allowed, rule)

    @classmethod
    def of_right(cls, pair: Pair, allowed: float, rule: Rule) -> Loss:
        """Counts the right answers: how far they may shrink. Raises Absent where there is none before."""
        check_base(pair.right_before, NOTHING_RIGHT, rule)
        counting = int((pair.right_before | pair.right_after).sum())
        return cls(*pair.lost_and_won, counting, pair.samples, DECLINE, allowed, rule)

    @cached_property
    def limit(self) -> PairedLimit:
        return self.measure.limit(self.allowed)

    @cached_property
    def limits(self) -> Interval:
        """The score's limits, in the unit."""
        ends = self.measure.limits(self.b, self.c, self.n, self.rule.two_sided)
        return Interval(self.measure.shown(ends.low), self.measure.shown(ends.high))

    @cached_property
    def at(self) -> float:
        """The limit, in the unit."""
        return self.measure.scale * self.allowed

    @cached_property
    def score(self) -> float:
        """Under 0 where less is lost than the limit allows."""
        return float(self.limit.score(self.b, self.c, self.n))

    @cached_property
    def p(self) -> float:
        """Returns the p-value of H0: a model at the limit or over it."""
        return exact_p(self.limit, self.b, self.c, self.n)

    @cached_property
    def p_over(self) -> float:
        """Returns the p-value of H0: a model within the limit. 1 where less is lost than it allows: no need to look."""
        return exact_p(self.limit.mirrored, self.c, self.b, self.n) if self.score > 0 else 1.0

    @cached_property
    def outcome(self) -> Outcome:
        return "pass" if self.p < self.rule.alpha else "fail" if self.p_over < self.rule.alpha else "inconclusive"

    @property
    def counts(self) -> str:
        of = f" {self.measure.counts}, of {self.samples}" if self.measure.counts else ""
        return f"b={self.b} c={self.c} n={self.n}{of}"

    @property
    def reason(self) -> str:
        """Why it is inconclusive, and where its interval says otherwise than the exact test; "" for neither."""
        return "; ".join(filter(None, (self.dissent, self.why_undecided if self.outcome == "inconclusive" else "")))

    @property
    def dissent(self) -> str:
        by_interval = outcome_of(self.limits, self.at)
        if by_interval == self.outcome:
            return ""
        where = {"pass": "lies under the limit", "fail": "lies over the limit", "inconclusive": "reaches the limit"}
        decides = {"pass": "passes it", "fail": "fails it", "inconclusive": "does not decide"}
        p = self.p_over if "fail" in (self.outcome, by_interval) else self.p
        return (
            f"the interval ({self.measure.interval}) {where[by_interval]}, but the exact test, which counts, "
            f"{decides[self.outcome]} (p = {p:.4f})"
        )

    @property
    def why_undecided(self) -> str:
        """What would settle it."""
        fewest = fewest_to_pass(self.limit, self.rule.alpha)
        if fewest is None:
            return ONLY_BETTER.format(self.rule.limit.text)
        if self.n < fewest:
            counted = f" that are {self.measure.counts}" if self.measure.counts else ""
            return (
                f"without an improvement {self.rule.limit.text} takes {fewest:,} samples{counted}; there are {self.n:,}"
            )
        return why_inconclusive(self.samples, self.needed, self.score < 0)

    @property
    def needed(self) -> tuple[int, ...]:
        """How many samples in all decide with a power of 80 and 90 %, if the true shares are those that are seen.
        (): so many that it is never.
        """
        shares = self.b / self.n, self.c / self.n
        needed = [self.limit.samples_for_power(*shares, self.rule.alpha, power) for power in POWERS]
        in_all = [n * self.samples / self.n for n in needed]
        return tuple(math.ceil(n) for n in in_all) if in_all[-1] <= MOST_SAMPLES else ()

    @property
    def answered(self) -> Answer:
        return self.answer(self.outcome, self.reason, self.counts)

    def answer(self, outcome: Outcome, reason: str, shown: str) -> Answer:
        value = self.measure.shown(self.measure.value(self.b, self.c, self.n))
        method = f"exact test, {shown}; interval: {self.measure.interval}"
        unit, bounds = self.measure.unit, self.limits
        return Answer(outcome, unit, value, bounds.low, bounds.high, self.at, self.p, method, reason)


def check_base(counted: np.ndarray, otherwise: str, rule: Rule) -> None:
    """Raises Absent where none counts."""
    if not counted.any():
        raise not_comparable(otherwise.format(rule.against))


def outcome_of(limits: Interval, limit: float) -> Outcome:
    """Returns the outcome of a limit on an interval. Less is better."""
    return "pass" if limits.high < limit else "fail" if limits.low > limit else "inconclusive"


def why_inconclusive(
    n: int, needed: tuple[int, ...], better: bool, counted: str = "samples", shown: str = "the true shares"
) -> str:
    """Says why a rule is inconclusive. needed: how many samples settle it with each of POWERS, () for never. counted:
    what they are. shown: what these are taken to show.
    """
    if not needed:
        return AT_LIMIT.format(counted)
    four, nine = needed
    way = "pass" if better else "fail"
    return (
        f"too few {counted} to decide: if these {n:,} show {shown}, {four:,} would {way} four times in five, "
        f"{nine:,} nine times in ten"
    )
