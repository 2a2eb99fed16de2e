"""Rules on shares of samples, agreement and top-k accuracy: min by Clopper–Pearson, how far a share moved as a drop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.gate.evidence import NOT_FINITE, Evidence, Pair, control, restated
from harness.gate.judge.drops import judge_pair
from harness.gate.judge.rates import at_least
from harness.gate.policy import Rule
from harness.metrics import Metric
from harness.metrics.registry import Answers
from harness.metrics.scores import TOP_K
from harness.metrics.task import finite, row_by_row
from harness.records import CONTROL, Absent, Answer, Case


def by_share(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges how many samples count, as accuracy is judged by those that are right."""
    pair = pair_of_shares(rule, case, evidence)
    return at_least(rule, pair) if rule.limit.absolute else judge_pair(rule, pair, evidence.metric(rule))


def pair_of_shares(rule: Rule, case: Case, evidence: Evidence) -> Pair:
    """Returns whether each sample counts, before and after; before is not looked at where the limit is absolute."""
    metric, groups = evidence.metric(rule), evidence.comparison.run.groups
    check_k(metric, evidence)
    hits_of(
        metric, evidence, evidence.scorer.run.baseline, "keras"
    )  # a baseline that is not finite has nothing to agree with
    after = hits_of(metric, evidence, evidence.outputs(case), case.variant)
    before = after if rule.limit.absolute else hits_before(rule, metric, case, evidence)
    return Pair(np.ones(len(after), bool), before, after, groups)


def check_k(metric: Metric, evidence: Evidence) -> None:
    """Raises Absent for top-k of k classes."""
    classes = evidence.comparison.baseline.shape[1]
    if (match := TOP_K.fullmatch(metric.name)) and int(match[1]) >= classes:
        raise Absent(f"the label is always among the {match[1]} highest of {classes} scores")


def hits_before(rule: Rule, metric: Metric, case: Case, evidence: Evidence) -> np.ndarray:
    if rule.against == "keras":
        return hits_of(metric, evidence, evidence.scorer.run.baseline, "keras")
    if rule.against == CONTROL:
        return hits_of(metric, evidence, evidence.outputs(control(case)), CONTROL)
    past = evidence.paired_past(case)
    with restated("in the reference, ", "not_comparable"):
        return hits_of(metric, past, past.outputs(case), case.variant)


def hits_of(metric: Metric, evidence: Evidence, every: Sequence[np.ndarray], whose: str) -> np.ndarray:
    """Returns whether each sample counts, (samples,). every: all outputs of a model. Raises Absent where a score is not
    finite: NaN never passes.
    """
    answers: Answers = evidence.scorer.answers(every[evidence.scorer.index], every=every)
    if bad := int((~row_by_row(finite, answers.outputs)).sum()):
        raise Absent(f"{whose}: {NOT_FINITE.format(bad)}")
    assert metric.of_sample
    return metric.of_sample(answers)
