"""A value and its interval over so many replicates, made at the rule's confidence, under a limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from harness.gate.evidence import not_comparable
from harness.gate.judge.loss import outcome_of
from harness.gate.policy import Rule
from harness.metrics.typical import OneMoreSession, Typical
from harness.records import Answer
from harness.records.terms import Outcome
from harness.statistics.stats import CLAIM_ROUNDS, Interval
from harness.support.format import plural

SAME = 1e-9  # relative: what logarithms and back may differ by
NEVER = 1e-9  # a ratio so small that nothing falls to it: what a decrease by all of it leaves
NOT_POSITIVE = "some rounds are at or under zero: give an absolute limit"


@dataclass(frozen=True)
class Spread:
    """What rounds or sessions estimate, with limits at a rule's confidence."""

    estimate: Typical | OneMoreSession
    rounds: int  # of the row itself
    rule: Rule
    narrows: str = "rounds"  # more of what makes the interval narrower

    @classmethod
    def of_values(cls, each: Sequence[float], rule: Rule, first: int | None = None) -> Spread:
        """first: as in stats.half_width."""
        return cls(Typical.of(each, first), len(each), rule)

    @classmethod
    def of_sessions(cls, stored: Sequence[Sequence[float]], own: Sequence[float], rule: Rule) -> Spread:
        """stored, own: values by round."""
        sessions = OneMoreSession.of(stored, own, rule.limit.relative)
        return cls(sessions, len(own), rule, narrows="stored sessions")

    @cached_property
    def limits(self) -> Interval | None:
        return self.estimate.limits(self.rule.two_sided)

    @property
    def value(self) -> float | None:
        return self.estimate.value if self.rounds else None

    @property
    def logarithmic(self) -> bool:
        return self.estimate.logarithmic

    @property
    def what(self) -> str:
        return self.estimate.words()

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
            odd = f" that are odd, {self.what}" if self.rounds > 1 else ""
            return "inconclusive", f"{plural(self.rounds, 'usable round')}{odd}: that has no interval"
        if self.rounds >= CLAIM_ROUNDS and self.exact:
            sign = 1 if less_is_better else -1
            kept = sign * self.value <= sign * limit or math.isclose(self.value, limit, rel_tol=SAME)
            return "pass" if kept else "fail", ""
        if self.rounds < CLAIM_ROUNDS and (self.near(self.limits, limit) or self.exact):
            rule = "decide only a limit at least twice as far away as the interval"
            return "inconclusive", f"{self.rounds} rounds {rule}; take {CLAIM_ROUNDS} or more"
        sign = 1 if less_is_better else -1
        ends = sorted((sign * self.limits.low, sign * self.limits.high))
        at_an_end = any(math.isclose(end, sign * limit, rel_tol=SAME) for end in ends)
        outcome = "inconclusive" if at_an_end else outcome_of(Interval(*ends), sign * limit)
        undecided = f"the limit is inside the interval; more {self.narrows} narrow it"
        return outcome, undecided if outcome == "inconclusive" else ""

    @property
    def exact(self) -> bool:
        """Whether every round says the same, as memory may: the value passes at the limit then. Order statistics may be
        the same though the rounds are not.
        """
        same = self.limits is not None and math.isclose(self.limits.low, self.limits.high, rel_tol=SAME)
        return same and self.estimate.alike

    def near(self, limits: Interval, limit: float) -> bool:
        """Returns whether the limit is under two half-widths away: so few rounds may not be normal enough for t."""
        middle, half, at = self.scaled(limits, limit)
        return abs(at - middle) < 2 * half

    def p(self, limit: float, less_is_better: bool) -> float | None:
        """Returns the one-sided p-value of H0: true value = limit. None where there is no interval, or every round says
        the same: that is exact.
        """
        if self.limits is None or self.exact:
            return None
        return self.estimate.p(limit, less_is_better)

    def scaled(self, limits: Interval, limit: float) -> tuple[float, float, float]:
        """Returns the interval's middle and half-width, and the limit, on the scale of the estimate."""
        low, high, at = (math.log(x) if self.logarithmic else x for x in (limits.low, limits.high, limit))
        return (low + high) / 2, (high - low) / 2, at


def paired(before: dict[int, float], after: dict[int, float], rule: Rule, unit: str, first_stage: int | None) -> Answer:
    """Judges how far the values, in `unit`, moved over the rounds that both have. first_stage: the plan's.

    Raises Absent.
    """
    if rule.limit.relative and min((*before.values(), *after.values()), default=1) <= 0:
        raise not_comparable(NOT_POSITIVE)
    pairs = Typical.of_pairs(before, after, rule.limit.relative, first_stage)
    return Spread(pairs, len(pairs), rule).judge_move(rule, unit)


def as_loss(answer: Answer, rising: bool) -> Answer:
    """Returns the loss of a higher-is-better metric: the sign is flipped, the ends of the interval are swapped."""
    if rising:
        return answer
    value, low, high, limit = (
        None if x is None else 0.0 - x for x in (answer.value, answer.low, answer.high, answer.limit)
    )
    return replace(answer, value=value, low=high, high=low, limit=limit)


def in_unit(number: float | None, unit: str) -> float | None:
    """Returns it without what a logarithm and back do to its last digits; a ratio as the percentage over 1."""
    if number is None:
        return None
    return round(100 * (number - 1), 9) if unit == "%" else float(f"{number:.12g}")
