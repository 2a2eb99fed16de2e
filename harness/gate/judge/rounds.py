"""Rules on what processes cost: latency, cold start, memory, and the speed-up. The replicate is a round, one process.

The interval is made again at the rule's confidence from each round's own value: t on logarithms, exponentiated.
"""

from __future__ import annotations

from harness.gate.evidence import EMULATED, Evidence, control, restated
from harness.gate.judge.series import by_round
from harness.gate.judge.spread import Spread, paired
from harness.gate.policy import Rule
from harness.gate.reference import remeasured, stored
from harness.metrics.two_stage import first_of
from harness.records import Absent, Answer, Case


def by_rounds(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges the value for max and min;
    for max_increase and max_decrease, its move from float32 in the same rounds, or from a reference.
    """
    if evidence.emulated(case):
        raise Absent(EMULATED.format(case.target), "invalid")
    value = evidence.value(case, rule.metric)
    if rule.against == "reference":
        return (remeasured if evidence.again else stored).judge_move(rule, case, evidence)
    if not rule.limit.absolute:
        return beside(rule, case, evidence)
    return itself(rule, case, evidence, value)


def itself(rule: Rule, case: Case, evidence: Evidence, value: float) -> Answer:
    values = by_round(rule.metric, case, evidence)
    spread = Spread.of_values(
        value, list(values.values()), rule, first_of(evidence.comparison.run.plan.first_stage, values)
    )
    return spread.judge_value(rule.limit.value, evidence.metric(rule).unit, less_is_better=rule.limit.kind == "max")


def beside(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges how far the value moved from float32's, paired by round."""
    with restated("float32 beside it: ", "missing"):
        evidence.value(control(case), rule.metric)
    before, after = (by_round(rule.metric, c, evidence) for c in (control(case), case))
    return paired(before, after, rule, evidence.metric(rule).unit, evidence.comparison.run.plan.first_stage)
