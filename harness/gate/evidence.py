"""What a judge is given: the rows of a run, their answers, rounds and metrics, and the same of a reference."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.comparability import WARN, differences, refusal, sample_difference
from harness.compare import CONTROL
from harness.policy import Rule
from harness.records import Case, Change, Comparison, Round, Standing
from harness.remeasure import beside

NO_REFERENCE = "there is no reference: give --reference RUN, or make one with `harness accept RUN`"
NOT_FINITE = "{} samples have scores that are not finite"
EMULATED = "{} is emulated: neither latency nor memory can be claimed for it"


@dataclass(frozen=True)
class Answer:
    """What a judge says of one row; numbers in `unit`. The fields are those of a Finding."""

    outcome: str
    unit: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    p: float | None = None
    method: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Pair:
    """One test set answered twice, sample by sample: before by what a rule stands against, after by the row."""

    labels: np.ndarray
    before: np.ndarray
    after: np.ndarray

    @property
    def samples(self) -> int:
        return len(self.labels)

    @property
    def right_before(self) -> np.ndarray:
        return np.asarray(self.before == self.labels)

    @property
    def right_after(self) -> np.ndarray:
        return np.asarray(self.after == self.labels)

    @property
    def lost_and_won(self) -> tuple[int, int]:
        """b and c: right before and wrong after; the reverse."""
        before, after = self.right_before, self.right_after
        return int((before & ~after).sum()), int((~before & after).sum())

    def of(self, label: object) -> Pair:
        """The samples of one class."""
        own = self.labels == label
        return Pair(self.labels[own], self.before[own], self.after[own])


def control(case: Case) -> Case:
    return beside(case, CONTROL)


def same(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    """Labels, or none in both."""
    return one is other or (one is not None and other is not None and np.array_equal(one, other))


def missing(reason: str) -> Answer:
    return Answer("missing", reason=reason)


@dataclass(frozen=True)
class Evidence:
    """reference: the stored run that rules stand against; sessions: further ones of its models; again: the run in which
    they were timed again, beside the comparison's."""

    comparison: Comparison
    reference: Comparison | None = None
    sessions: tuple[Comparison, ...] = ()
    again: Comparison | None = None

    def rows(self, rule: Rule) -> list[Standing]:
        """The rows that the rule names, but those that cannot exist. The control does not stand against itself."""
        itself = "float32" in (rule.against, rule.metric.removeprefix("speedup_vs_"))
        return [
            s
            for s in self.comparison.standings
            if rule.matches(s.case) and s.status != "unsupported" and not (itself and s.case.variant == CONTROL)
        ]

    def why_no_row(self, rule: Rule) -> str:
        if any(rule.matches(s.case) and s.status == "unsupported" for s in self.comparison.standings):
            return "every row that it names is unsupported"
        cases = self.comparison.run.cases
        names = (("variants", "variant"), ("targets", "target"), ("runtimes", "runtime"))
        had = (f"{many} {', '.join(dict.fromkeys(getattr(c, one) for c in cases)) or 'none'}" for many, one in names)
        besides = " (float32 does not stand against itself)" if rule.against == CONTROL else ""
        return f"no row has {rule.selection or 'a variant'}{besides}; the run has {'; '.join(had)}"

    # --- values ---

    @cached_property
    def changes(self) -> dict[tuple[Case, str], Change]:
        return {(c.case, c.metric): c for c in self.comparison.changes}

    def value(self, case: Case, metric: str) -> Change | Answer:
        """The metric of a row, or that it is missing. NaN is as missing as nothing."""
        change = self.changes.get((case, metric))
        if change is None:
            return missing(f"{case.variant} was not measured there")
        if change.value is None or not math.isfinite(change.value):
            return missing(change.method or "it is no number")
        return change

    def rounds(self, case: Case) -> list[Round]:
        """Those that count, in order."""
        own = (r for r in self.comparison.run.rounds if r.case == case and r.counts)
        return sorted((r for r in own if len(r.timings.get("timed", ()))), key=lambda r: r.index)

    def standing(self, case: Case) -> Standing | None:
        return next((s for s in self.comparison.standings if s.case == case), None)

    def emulated(self, case: Case) -> bool:
        record = self.comparison.run.target(case.target)
        return record.target.emulated or bool(record.environment and record.environment.emulated)

    # --- answers to the test set ---

    def samples(self, case: Case) -> np.ndarray | None:
        """A row a sample, in the order of the test set; thread counts share them."""
        return self.comparison.samples.get(self.comparison.run.accuracy_case(case))

    @cached_property
    def past(self) -> Evidence | None:
        return Evidence(self.reference) if self.reference else None

    @cached_property
    def session(self) -> Evidence | None:
        return Evidence(self.again) if self.again else None

    @cached_property
    def stored(self) -> tuple[Evidence, ...]:
        """The reference and its further sessions, each once."""
        known = {e.comparison.run.run_id: e for e in (self.past, *map(Evidence, self.sessions)) if e}
        return tuple(known.values())

    def pair(self, rule: Rule, case: Case) -> Pair | Answer:
        """The row's answers beside those that the rule stands against, or why there is no such pair."""
        own = self.answers(case)
        if isinstance(own, Answer):
            return own
        labels = self.comparison.run.labels
        if labels is None:  # flips alone are told of them
            labels = np.full(len(own), -1)
        if rule.against == "float32":
            before = self.answers(control(case))
        elif rule.against == "reference":
            before = self.past_answers(case)
        else:
            samples = self.samples(case)
            assert samples is not None
            before = self.known(samples["baseline_prediction"], "keras")
        return before if isinstance(before, Answer) else Pair(labels, before, own)

    def answers(self, case: Case) -> np.ndarray | Answer:
        """Top-1 of every sample of a row."""
        samples = self.samples(case)
        if samples is None:
            return missing(f"{case.variant} has no answers there")
        if not len(samples):
            return missing("the test set is empty")
        return self.known(samples["prediction"], case.variant)

    @staticmethod
    def known(given: np.ndarray, whose: str) -> np.ndarray | Answer:
        """Top-1 answers, where every one is known: −1 would count as wrong, on one side or the other."""
        unknown = int((given < 0).sum())
        return missing(f"{whose}: {NOT_FINITE.format(unknown)}") if unknown else given

    def past_answers(self, case: Case) -> np.ndarray | Answer:
        if reason := self.no_past(case):
            return reason
        assert self.reference and self.past
        apart = sample_difference(self.reference.run, self.comparison.run, case)
        if apart:
            return Answer("not_comparable", reason=str(apart))
        if not same(self.reference.run.labels, self.comparison.run.labels):
            return Answer("not_comparable", reason="the labels of the test set are others than the reference's")
        found = self.past.answers(case)
        return (
            Answer("not_comparable", reason=f"in the reference, {found.reason}") if isinstance(found, Answer) else found
        )

    # --- the reference ---

    def no_past(self, case: Case) -> Answer | None:
        """Why the reference says nothing of this row; None where it does."""
        if self.reference is None:
            return missing(NO_REFERENCE)
        standing = Evidence(self.reference).standing(case)
        if standing is None:
            return Answer("not_comparable", reason=f"the reference {self.reference.run.run_id} has no such row")
        if not standing.ended_well:
            return Answer("not_comparable", reason=f"in the reference the row is {standing.status}: {standing.reason}")
        return None

    def apart(self, case: Case) -> tuple[str, str]:
        """What forbids to compare the row's timing with the reference's, and what only warns; "" for nothing."""
        assert self.reference
        found = differences(self.reference.run, self.comparison.run, case)
        warned = [d for d in found if d.level == WARN]
        told = [str(d) for d in warned if d.reference != d.candidate]
        unknown = [d.field for d in warned if d.reference == d.candidate]
        if unknown:
            told.append(f"unknown in both: {', '.join(unknown)}")
        return refusal(found), "; ".join(told)
