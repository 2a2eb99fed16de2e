"""What a judge is given: the rows of a run, their answers, rounds and metrics, and the same of a reference."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from harness.compare.fingerprint import WARN, differences, refusal, sample_difference
from harness.gate.policy import Rule
from harness.gate.reference.side_by_side import beside
from harness.metrics import Metric
from harness.metrics.discrepancy import discordant, fields_of
from harness.metrics.registry import is_of_answers
from harness.metrics.scores import metric_named
from harness.metrics.scoring import Scorer
from harness.records import CONTROL, Absent, Case, Change, Comparison, Standing
from harness.records.terms import Outcome
from harness.statistics.bootstrap import Statistic

NO_REFERENCE = "there is no reference: give --reference RUN, or make one with `harness accept RUN`"
NOT_FINITE = "{} samples have scores that are not finite"
EMULATED = "{} is emulated: neither latency nor memory can be claimed for it"


@dataclass(frozen=True)
class Pair:
    """One test set answered twice: arrays of shape (samples,)."""

    labels: np.ndarray
    before: np.ndarray  # the answers of what a rule stands against
    after: np.ndarray  # the row's
    groups: np.ndarray | None = None  # the group of each sample; None where all are independent

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
        """(b, c): right before and wrong after; the reverse."""
        return discordant(self.right_before, self.right_after)

    def of(self, label: object) -> Pair:
        """Returns the samples of one class."""
        of_class = self.labels == label
        groups = None if self.groups is None else self.groups[of_class]
        return Pair(self.labels[of_class], self.before[of_class], self.after[of_class], groups)

    @property
    def in_groups(self) -> np.ndarray:
        assert self.groups is not None  # of the runs that judge/grouped.py is asked of
        return self.groups


def answers_in(samples: np.ndarray, column: str) -> np.ndarray:
    """Returns one answer a sample: its class; where it has none, 0 for the baseline's, and 1 for a flip from it. −1
    where it is not known.
    """
    if column in fields_of(samples):
        return np.asarray(samples[column])
    flips = samples["flip"] if column == "prediction" else np.zeros(len(samples), bool)
    return np.where(np.isfinite(samples["max_abs_diff"]), flips, -1)


def control(case: Case) -> Case:
    return beside(case, CONTROL)


def stands_against_control(rule: Rule) -> bool:
    return CONTROL in (rule.against, rule.metric.removeprefix("speedup_vs_"))


def same(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    """Returns whether both have the same labels, or both none."""
    return one is other or (one is not None and other is not None and np.array_equal(one, other, equal_nan=True))


def not_comparable(reason: str) -> Absent:
    return Absent(reason, "not_comparable")


@contextmanager
def restated(words: str, outcome: Outcome | None = None) -> Iterator[None]:
    """Puts `words` before the reason of an Absent: they say whose value it is."""
    try:
        yield
    except Absent as absent:
        raise Absent(f"{words}{absent.reason}", outcome or absent.outcome) from absent


@dataclass(frozen=True)
class Evidence:
    """A run, and what its rules stand against."""

    comparison: Comparison  # the candidate's
    reference: Comparison | None = None  # the stored run that rules stand against
    sessions: tuple[Comparison, ...] = ()  # further stored runs of its models
    again: Comparison | None = None  # the run in which its models were timed again, beside the candidate's

    def rows(self, rule: Rule) -> list[Standing]:
        """Returns the rows that the rule names, except unsupported ones. The control does not stand against itself."""
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

    def metric(self, rule: Rule) -> Metric:
        """Returns the metric that the rule is on: one of METRICS, or one of the run's own. Raises Absent."""
        metric = metric_named(rule.metric, self.comparison.run.every_scoring)
        if metric is None:
            raise Absent(f"{rule.metric} says nothing of a run whose task is {self.comparison.run.task}")
        return metric

    # --- values ---

    def value(self, case: Case, metric: str) -> float:
        """Returns a metric of a row. Raises Absent where it has none; NaN counts as none."""
        value = self.change(case, metric).value
        assert value is not None
        return value

    def change(self, case: Case, metric: str) -> Change:
        """Returns a metric of a row, with what it stands against. Raises Absent where it has no value."""
        change = self.comparison.change(case, metric)
        if change is None:
            raise Absent(f"{case.variant} was not measured there")
        if change.value is None or not math.isfinite(change.value):
            raise Absent(change.method or "it is not a number")
        return change

    @cached_property
    def scorer(self) -> Scorer:
        """What the run's answers are scored with, made once."""
        return Scorer(self.comparison.run)

    def of_output(self, name: str) -> Evidence:
        """Returns what is known of that output, as if it were the scored one."""
        if name == self.comparison.run.scored_output:
            return self
        if name not in self._of_output:
            past = self.reference and self.reference.by_output.get(name, self.reference)  # another's cannot be paired
            self._of_output[name] = Evidence(self.comparison.by_output[name], past)
        return self._of_output[name]

    @cached_property
    def _of_output(self) -> dict[str, Evidence]:
        return {}

    @cached_property
    def ungrouped(self) -> Evidence:
        """Returns the same as if every sample were independent: no rule may pass by groups that fails without."""
        apart = [
            replace(each, run=replace(each.run, groups=None)) if each else None
            for each in (self.comparison, self.reference)
        ]
        assert apart[0]
        return Evidence(apart[0], apart[1])

    def outputs(self, case: Case) -> tuple[np.ndarray, ...]:
        """Returns every output of a row, as the model gave it. Raises Absent."""
        outputs = self.comparison.outputs.get(self.comparison.run.accuracy_case(case))
        if outputs is None:
            raise Absent(f"{case.variant} has no answers there")
        return outputs

    def output(self, case: Case) -> np.ndarray:
        """Returns the scored output of a row, as the model gave it. Raises Absent."""
        return self.outputs(case)[self.scorer.index]

    def statistic(self, metric: Metric, case: Case) -> Statistic:
        """Returns the metric of a row's answers. Raises Absent."""
        return self.scorer.statistic(metric, self.output(case), self.outputs(case))

    def control_of(self, rule: Rule, case: Case) -> Standing | None:
        """Returns how the float32 ended that a rule stands against; None where it needs none, or there is none."""
        rests = stands_against_control(rule) and not self.metric(rule).of_file
        return self.comparison.standing(control(case)) if rests else None

    def so_far(self, case: Case, rule: Rule) -> Evidence:
        """Returns what is known of a row by the samples that it answered, where it was decided before their end and the
        rule is on answers; else the same.
        """
        part = self.comparison.early.get(case)
        return replace(self, comparison=part) if part and is_of_answers(rule.metric) else self

    def emulated(self, case: Case) -> bool:
        return self.comparison.run.target(case.target).emulated

    # --- answers to the test set ---

    def samples(self, case: Case) -> np.ndarray | None:
        """Returns the row's table of samples, in the order of the test set; thread counts share it."""
        return self.comparison.samples.get(self.comparison.run.accuracy_case(case))

    @cached_property
    def past(self) -> Evidence | None:
        return Evidence(self.reference) if self.reference else None

    @cached_property
    def remeasured(self) -> Evidence | None:
        return Evidence(self.again) if self.again else None

    @property
    def in_one_run(self) -> bool:
        """Whether both sides were measured in one run: on one device then, with the same files."""
        return self.again is not None and self.again.run.run_id == self.comparison.run.run_id

    @cached_property
    def stored(self) -> tuple[Evidence, ...]:
        """The reference and its further sessions, each once."""
        by_id = {e.comparison.run.run_id: e for e in (self.past, *map(Evidence, self.sessions)) if e}
        return tuple(by_id.values())

    def pair(self, rule: Rule, case: Case) -> Pair:
        """Returns the row's answers and those that the rule stands against. Raises Absent where there are none."""
        after = self.answers(case)
        labels = self.comparison.run.labels
        if labels is None or labels.ndim > 1:  # only flips are counted then
            labels = np.full(len(after), -1)
        if not self.scorer.of_classes and rule.against in (CONTROL, "reference"):
            before, after = np.zeros(len(after), bool), self.flips(rule, case)
        elif rule.against == CONTROL:
            before = self.answers(control(case))
        elif rule.against == "reference":
            before = self.past_answers(case)
        else:
            samples = self.samples(case)
            assert samples is not None
            before = self.finite_answers(answers_in(samples, "baseline_prediction"), "keras")
        return Pair(labels, before, after, self.comparison.run.groups)

    def flips(self, rule: Rule, case: Case) -> np.ndarray:
        """Returns which samples are flips from what the rule stands against, another row or a reference's: what is no
        class can be a flip from Keras' in two ways. Raises Absent.
        """
        if rule.against == CONTROL:
            self.answers(control(case))
            before = self.scored(control(case))
        else:
            self.past_answers(case)
            before = self.paired_past(case).scored(case)
        return self.scorer.flips(self.scored(case), before)

    def scored(self, case: Case) -> np.ndarray:
        """Returns what a row's scored output says, decoded, of a row that has answers."""
        return self.comparison.scores[self.comparison.run.accuracy_case(case)]

    def answers(self, case: Case) -> np.ndarray:
        """Returns the top-1 of every sample of a row, (samples,). Raises Absent."""
        samples = self.samples(case)
        if samples is None:
            raise Absent(f"{case.variant} has no answers there")
        if not len(samples):
            raise Absent("the test set is empty")
        return self.finite_answers(answers_in(samples, "prediction"), case.variant)

    @staticmethod
    def finite_answers(given: np.ndarray, whose: str) -> np.ndarray:
        """Returns the answers where all are finite.
        Raises Absent: −1 would count as wrong, on one side or the other.
        """
        if unknown := int((given < 0).sum()):
            raise Absent(f"{whose}: {NOT_FINITE.format(unknown)}")
        return given

    def past_answers(self, case: Case) -> np.ndarray:
        past = self.paired_past(case)
        with restated("in the reference, ", "not_comparable"):
            return past.answers(case)

    # --- the reference ---

    def past_of(self, case: Case) -> Evidence:
        """Returns the reference, where it has this row. Raises Absent."""
        if self.past is None:
            raise Absent(NO_REFERENCE)
        standing = self.past.comparison.standing(case)
        if standing is None:
            raise not_comparable(f"the reference {self.past.comparison.run.run_id} has no such row")
        if not standing.ended_well:
            raise not_comparable(f"in the reference the row is {standing.status}: {standing.reason}")
        return self.past

    def paired_past(self, case: Case) -> Evidence:
        """Returns the reference, where its samples are those of the row. Raises Absent where they cannot be paired."""
        evidence = self.past_of(case)
        past, run = evidence.comparison.run, self.comparison.run
        if difference := sample_difference(past, run, case):
            raise not_comparable(str(difference))
        if not same(past.labels, run.labels):
            raise not_comparable("the labels of the test set differ")
        return evidence

    def timing_differences(self, case: Case) -> tuple[str, str]:
        """Returns why the row's timing cannot be compared with the reference's, and what only warns; "" for nothing."""
        assert self.reference
        diffs = differences(self.reference.run, self.comparison.run, case)
        warned = [d for d in diffs if d.level == WARN]
        warnings = [str(d) for d in warned if d.reference != d.candidate]
        unknown = [d.field for d in warned if d.reference == d.candidate]
        if unknown:
            warnings.append(f"unknown in both: {', '.join(unknown)}")
        return refusal(diffs), "; ".join(warnings)
