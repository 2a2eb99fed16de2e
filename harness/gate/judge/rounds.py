"""Rules on what processes cost: latency, cold start, memory, and the speed-up.

The interval is made again at the rule's confidence from each round's own value: t on logarithms, exponentiated.
"""

from __future__ import annotations

from harness.gate.evidence import EMULATED, Answer, Evidence, control, missing
from harness.gate.judge.series import by_round
from harness.gate.judge.spread import Spread, paired
from harness.gate.policy import Rule
from harness.gate.reference import remeasured, stored
from harness.metrics import METRICS
from harness.records import Case, Change


def by_rounds(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """max, min: the value itself. max_increase, max_decrease: against float32 in the same rounds, or a reference."""
    if evidence.emulated(case):
        return Answer("invalid", reason=EMULATED.format(case.target))
    change = evidence.value(case, rule.metric)
    if isinstance(change, Answer):
        return change
    if rule.against == "reference":
        return (remeasured if evidence.again else stored).moved(rule, case, evidence)
    if not rule.limit.absolute:
        return beside(rule, case, evidence)
    return itself(rule, case, evidence, change)


def itself(rule: Rule, case: Case, evidence: Evidence, change: Change) -> Answer:
    own = list(by_round(rule.metric, case, evidence).values())
    assert change.value is not None
    spread = Spread.of_values(change.value, own, rule)
    return spread.judged(rule.limit.value, METRICS[rule.metric].unit, less_is_better=rule.limit.kind == "max")


def beside(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """How much more than float32, paired by round."""
    there = evidence.value(control(case), rule.metric)
    if isinstance(there, Answer):
        return missing(f"float32 beside it: {there.reason}")
    before, after = (by_round(rule.metric, c, evidence) for c in (control(case), case))
    return paired(before, after, rule)
