"""Rules on what processes cost: latency, cold start, memory, and the speed-up. The replicate is a round, one process.

The interval is made again at the rule's confidence from each round's own value (metrics/typical.py).
"""

from __future__ import annotations

from dataclasses import replace

from harness.gate.evidence import EMULATED, Evidence, control, restated
from harness.gate.judge.series import SPEEDUP, by_round
from harness.gate.judge.spread import Spread, paired
from harness.gate.policy import Rule
from harness.gate.reference import remeasured, stored
from harness.metrics.two_stage import first_of
from harness.records import Absent, Answer, Case
from harness.support.format import significant

SCOPE = "of this session, on this board"  # another session may differ by more than rounds show
SELECTED = "with the first attempts at unsteady rounds, which were measured again, it is {}, outside this interval"


def by_rounds(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges the value for max and min;
    for max_increase and max_decrease, its move from float32 in the same rounds, or from a reference.
    """
    if evidence.emulated(case):
        raise Absent(EMULATED.format(case.target), "invalid")
    evidence.value(case, rule.metric)  # raises Absent where it has none
    if rule.against == "reference":
        move = (remeasured if evidence.again else stored).judge_move
        return beside_first(move(rule, case, evidence), move(rule, case, evidence, True))
    judge = itself if rule.limit.absolute else beside
    answer = judge(rule, case, evidence, False)
    answer = replace(answer, method=f"{answer.method}; {SCOPE}")
    rows = (case,) if rule.limit.absolute and rule.metric != SPEEDUP else (case, control(case))
    if any(evidence.comparison.run.first_attempts(row) for row in rows):
        return beside_first(answer, judge(rule, case, evidence, True))
    return answer


def beside_first(answer: Answer, first: Answer) -> Answer:
    """Says where the first attempts at unsteady rounds give another value: to measure those again is a selection, and
    what passes by it alone does not pass.
    """
    if None in (answer.low, answer.high, first.value) or answer.low <= first.value <= answer.high:  # type: ignore[operator]
        return answer
    reason = "; ".join(filter(None, (answer.reason, SELECTED.format(value_text(first)))))
    alone = answer.outcome == "pass" and first.outcome != "pass"
    return replace(answer, outcome="inconclusive" if alone else answer.outcome, reason=reason)


def value_text(answer: Answer) -> str:
    return f"{significant(answer.value, 3)} {answer.unit}".strip()


def itself(rule: Rule, case: Case, evidence: Evidence, first_attempts: bool) -> Answer:
    values = by_round(rule.metric, case, evidence, first_attempts)
    first = first_of(evidence.comparison.run.plan.first_stage, values)
    spread = Spread.of_values(list(values.values()), rule, first)
    return spread.judge_value(rule.limit.value, evidence.metric(rule).unit, less_is_better=rule.limit.kind == "max")


def beside(rule: Rule, case: Case, evidence: Evidence, first_attempts: bool) -> Answer:
    """Judges how far the value moved from float32's, paired by round."""
    with restated("float32 beside it: ", "missing"):
        evidence.value(control(case), rule.metric)
    before, after = (by_round(rule.metric, c, evidence, first_attempts) for c in (control(case), case))
    return paired(before, after, rule, evidence.metric(rule).unit, evidence.comparison.run.plan.first_stage)
