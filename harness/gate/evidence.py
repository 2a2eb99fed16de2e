"""What a judge is given: the rows of a run, their answers, rounds and metrics, and the same of a reference."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.compare.fingerprint import WARN, differences, refusal, sample_difference
from harness.gate.policy import Rule
from harness.gate.reference.side_by_side import beside
from harness.metrics.discrepancy import discordant
from harness.records import CONTROL, Answer, Case, Change, Comparison, Standing

NO_REFERENCE = "there is no reference: give --reference RUN, or make one with `harness accept RUN`"
NOT_FINITE = "{} samples have scores that are not finite"
OF_FILES = ("size_bytes", "activation_bytes_upper_bound")  # read off the .tflite file, whatever became of its row
EMULATED = "{} is emulated: neither latency nor memory can be claimed for it"


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
        return discordant(self.right_before, self.right_after)

    def of(self, label: object) -> Pair:
        """The samples of one class."""
        own = self.labels == label
        return Pair(self.labels[own], self.before[own], self.after[own])


def control(case: Case) -> Case:
    return beside(case, CONTROL)


def stands_against_control(rule: Rule) -> bool:
    return CONTROL in (rule.against, rule.metric.removeprefix("speedup_vs_"))


def same(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    """Labels, or none in both."""
    return one is other or (one is not None and other is not None and np.array_equal(one, other))


def missing(reason: str) -> Answer:
    return Answer("missing", reason=reason)


def not_comparable(reason: str) -> Answer:
    return Answer("not_comparable", reason=reason)


@dataclass(frozen=True)
class Evidence:
    """reference: the stored run that rules stand against; sessions: further ones of its models; again: the run in which
    they were timed again, beside the comparison's."""

    comparison: Comparison
    reference: Comparison | None = None
    sessions: tuple[Comparison, ...] = ()
    again: Comparison | None = None

    def rows(self, rule: Rule) -> list[Standing]:
        """The rows that the rule selects, except unsupported ones. The control does not stand against itself."""
        itself = stands_against_control(rule)
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
        besides = " (float32 does not stand against itself)" if stands_against_control(rule) else ""
        return f"no row has {rule.selection or 'a variant'}{besides}; the run has {'; '.join(had)}"

    # --- values ---

    def value(self, case: Case, metric: str) -> Change | Answer:
        """The metric of a row, or that it is missing. NaN is as missing as nothing."""
        change = self.comparison.change(case, metric)
        if change is None:
            return missing(f"{case.variant} was not measured there")
        if change.value is None or not math.isfinite(change.value):
            return missing(change.method or "it is not a number")
        return change

    def control_of(self, rule: Rule, case: Case) -> Standing | None:
        """How the float32 that a rule stands against ended; None where it rests on none, or there is none."""
        rests = stands_against_control(rule) and rule.metric not in OF_FILES
        return self.comparison.standing(control(case)) if rests else None

    def emulated(self, case: Case) -> bool:
        return self.comparison.run.target(case.target).emulated

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
        if labels is None:  # only flips are counted then
            labels = np.full(len(own), -1)
        if rule.against == CONTROL:
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
        if reason := self.no_paired_past(case):
            return reason
        assert self.past
        found = self.past.answers(case)
        return not_comparable(f"in the reference, {found.reason}") if isinstance(found, Answer) else found

    # --- the reference ---

    def no_past(self, case: Case) -> Answer | None:
        """Why the reference says nothing of this row; None where it does."""
        if self.reference is None:
            return missing(NO_REFERENCE)
        standing = self.reference.standing(case)
        if standing is None:
            return not_comparable(f"the reference {self.reference.run.run_id} has no such row")
        if not standing.ended_well:
            return not_comparable(f"in the reference the row is {standing.status}: {standing.reason}")
        return None

    def no_paired_past(self, case: Case) -> Answer | None:
        """Why the row's samples cannot be paired with the reference's; None where they can."""
        if reason := self.no_past(case):
            return reason
        assert self.reference
        past, run = self.reference.run, self.comparison.run
        if apart := sample_difference(past, run, case):
            return not_comparable(str(apart))
        return None if same(past.labels, run.labels) else not_comparable("the labels of the test set differ")

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
