"""A value and its interval over so many replicates, made at the rule's confidence, under a limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtr, stdtrit

from harness.gate.evidence import not_comparable
from harness.gate.judge.loss import outcome_of
from harness.gate.policy import Rule
from harness.metrics import stats
from harness.metrics.stats import CLAIM_ROUNDS, Interval
from harness.metrics.two_stage import first_of, stage_words
from harness.records import Answer
from harness.records.terms import Outcome

SAME = 1e-9  # relative: what logarithms and back may differ by
NEVER = 1e-9  # a ratio so small that nothing falls to it: what a decrease by all of it leaves
UNLIKE = "some rounds are so unlike the others that the value is on one side of the limit, and their mean on the other"
NOT_POSITIVE = "some rounds are at or under zero: give an absolute limit"


@dataclass(frozen=True)
class Spread:
    """A value and its one-sided limits at `confidence`, by Student's t."""

    value: float | None
    limits: Interval | None
    rounds: int  # of the row itself
    logarithmic: bool  # the interval is symmetric on that scale; where it is a move, the value is a ratio
    what: str  # how it was made, in words
    freedom: int  # degrees of freedom
    confidence: float
    narrows: str = "rounds"  # more of what makes the interval narrower

    @classmethod
    def of_values(cls, value: float, each: Sequence[float], rule: Rule, first: int | None = None) -> Spread:
        """first: here and below, as in stats.half_width."""
        positive = bool(each) and min(each) > 0
        interval = stats.rounds_interval if positive else t_interval
        limits = interval(each, rule.two_sided, first) if len(each) > 1 else None
        what = f"t on {'log of ' if positive else ''}{len(each)} rounds{stage_words(len(each), first)}"
        return cls(value, limits, len(each), positive, what, len(each[:first]) - 1, rule.confidence)

    @classmethod
    def of_differences(
        cls, before: Sequence[float], after: Sequence[float], rule: Rule, first: int | None = None
    ) -> Spread:
        each = [b - a for a, b in zip(before, after, strict=True)]
        limits = t_interval(each, rule.two_sided, first) if len(each) > 1 else None
        value = float(np.mean(each)) if each else None
        what = f"t on differences of {len(each)} paired rounds{stage_words(len(each), first)}"
        return cls(value, limits, len(each), False, what, len(each[:first]) - 1, rule.confidence)

    @classmethod
    def of_ratios(cls, before: Sequence[float], after: Sequence[float], rule: Rule, first: int | None = None) -> Spread:
        count = len(before)
        ratio, limits = stats.ratio_interval(before, after, rule.two_sided, first) if count > 1 else (None, None)
        what = f"t on log ratios of {count} paired rounds{stage_words(count, first)}"
        return cls(ratio, limits, count, True, what, len(before[:first]) - 1, rule.confidence)

    @classmethod
    def of_sessions(cls, stored: Sequence[Sequence[float]], own: Sequence[float], rule: Rule) -> Spread:
        """Spreads how far one more session is from the mean of S stored ones. stored, own: values by round.

        d ± t_{S−1}·s·√(1 + 1/S), the prediction interval for one more of the same draws (Hahn & Meeker, Statistical
        Intervals, 2nd ed., chapter 4): s is the sd of the sessions' means, which holds the variance between rounds too.
        On the logarithm, as a ratio, where the limit is relative.
        """
        relative, count = rule.limit.relative, len(stored)
        scaled = np.log if relative else np.asarray
        means = np.array([scaled(values).mean() for values in stored])
        move = float(scaled(own).mean() - means.mean())
        half = float(stdtrit(count - 1, rule.confidence) * means.std(ddof=1)) * math.sqrt(1 + 1 / count)
        ends = (move, move - half, move + half)
        value, low, high = map(math.exp, ends) if relative else ends
        what = f"t on {'log of ' if relative else ''}{count} stored sessions, one more predicted"
        limits, freedom = Interval(low, high), count - 1
        return cls(value, limits, len(own), relative, what, freedom, rule.confidence, narrows="stored sessions")

    def judge_move(self, rule: Rule, unit: str) -> Answer:
        """Judges a move from before to after, a ratio or a difference in `unit`, by how far it went the wrong way."""
        rising = rule.limit.kind == "max_increase"
        most = rule.limit.value if rising else -rule.limit.value
        if rule.limit.relative:
            return as_loss(self.judge_value(max(1 + most, NEVER), "%", rising), rising)
        return as_loss(self.judge_value(most, unit, rising), rising)

    def judge_value(self, limit: float, unit: str, less_is_better: bool = True) -> Answer:
        """Judges the value by a limit. unit "%": the value is a ratio, reported as the percentage over 1."""
        outcome, reason = self.outcome(limit, less_is_better)
        low, high = (self.limits.low, self.limits.high) if self.limits else (None, None)
        value, low, high, at = (in_unit(x, unit) for x in (self.value, low, high, limit))
        return Answer(outcome, unit, value, low, high, at, self.p(limit, less_is_better), self.what, reason)

    def outcome(self, limit: float, less_is_better: bool) -> tuple[Outcome, str]:
        """Returns (outcome, reason). The reason says why it is inconclusive."""
        if self.limits is None or self.value is None:
            return "inconclusive", f"{self.rounds} usable round{'' if self.rounds == 1 else 's'}: that has no interval"
        if self.rounds >= CLAIM_ROUNDS and self.alike(self.limits):
            sign = 1 if less_is_better else -1
            kept = sign * self.value <= sign * limit or math.isclose(self.value, limit, rel_tol=SAME)
            return "pass" if kept else "fail", ""
        if self.rounds < CLAIM_ROUNDS and (self.near(self.limits, limit) or self.alike(self.limits)):
            rule = "decide only a limit at least twice as far away as the interval"
            return "inconclusive", f"{self.rounds} rounds {rule}; take {CLAIM_ROUNDS} or more"
        sign = 1 if less_is_better else -1
        ends = sorted((sign * self.limits.low, sign * self.limits.high))
        outcome = outcome_of(Interval(*ends), sign * limit)
        at_value = Interval(sign * self.value, sign * self.value)
        if outcome != "inconclusive" and outcome_of(at_value, sign * limit) != outcome:
            return "inconclusive", UNLIKE
        undecided = f"the limit is inside the interval; more {self.narrows} narrow it"
        return outcome, undecided if outcome == "inconclusive" else ""

    @staticmethod
    def alike(limits: Interval) -> bool:
        """Returns whether every round says the same, as memory may.
        The value is exact then, and passes at the limit.
        """
        return math.isclose(limits.low, limits.high, rel_tol=SAME)

    def near(self, limits: Interval, limit: float) -> bool:
        """Returns whether the limit is under two half-widths away: so few rounds may not be normal enough for t."""
        middle, half, at = self.scaled(limits, limit)
        return abs(at - middle) < 2 * half

    def p(self, limit: float, less_is_better: bool) -> float | None:
        """Returns the one-sided p-value of H0: true value = limit. Its t is the distance of the limit in half-widths,
        times the t of one half-width. None where there is no interval, or every round says the same: that is exact.
        """
        if self.limits is None or self.alike(self.limits):
            return None
        middle, half, at = self.scaled(self.limits, limit)
        over = middle - at if less_is_better else at - middle
        return float(stdtr(self.freedom, over / half * stdtrit(self.freedom, self.confidence)))

    def scaled(self, limits: Interval, limit: float) -> tuple[float, float, float]:
        """Returns the interval's middle and half-width, and the limit, where the interval is symmetric."""
        low, high, at = (math.log(x) if self.logarithmic else x for x in (limits.low, limits.high, limit))
        return (low + high) / 2, (high - low) / 2, at


def paired(before: dict[int, float], after: dict[int, float], rule: Rule, unit: str, first_stage: int | None) -> Answer:
    """Judges how far the values, in `unit`, moved over the rounds that both have. first_stage: the plan's.

    Raises Absent.
    """
    shared = sorted(before.keys() & after.keys())
    one, other = ([side[index] for index in shared] for side in (before, after))
    first = first_of(first_stage, shared)
    if not rule.limit.relative:
        return Spread.of_differences(one, other, rule, first).judge_move(rule, unit)
    if shared and min(*one, *other) <= 0:
        raise not_comparable(NOT_POSITIVE)
    return Spread.of_ratios(one, other, rule, first).judge_move(rule, unit)


def as_loss(answer: Answer, rising: bool) -> Answer:
    """Returns the loss of a higher-is-better metric: the sign is flipped, the ends of the interval are swapped."""
    if rising:
        return answer
    value, low, high, limit = (
        None if x is None else 0.0 - x for x in (answer.value, answer.low, answer.high, answer.limit)
    )
    return replace(answer, value=value, low=high, high=low, limit=limit)


def in_unit(number: float | None, unit: str) -> float | None:
    return round(100 * (number - 1), 9) if number is not None and unit == "%" else number


def t_interval(values: Sequence[float], confidence: float, first: int | None = None) -> Interval:
    """Returns mean ± half-width, for values that may be under zero. first: as in stats.half_width."""
    middle, half = float(np.mean(values)), stats.half_width(values, confidence, first)
    return Interval(middle - half, middle + half)
