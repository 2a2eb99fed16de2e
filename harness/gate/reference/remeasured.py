"""Rules on what processes cost, against a reference whose models were timed again, in the candidate's rounds."""

from __future__ import annotations

from dataclasses import replace

from harness.compare.fingerprint import REFUSE, differences
from harness.gate.evidence import Evidence, not_comparable, restated
from harness.gate.judge.series import SPEEDUP, by_round, rests_on
from harness.gate.judge.spread import paired
from harness.gate.policy import Policy, Rule
from harness.gate.reference.side_by_side import CANDIDATE, REFERENCE, SIDES, on_side
from harness.records import Absent, Answer, Case, Comparison

SAME_FILE = "the reference has the same .tflite file as {}: it was measured beside itself"


def to_remeasure(comparison: Comparison, policy: Policy) -> tuple[Case, ...]:
    """Returns the rows that rules against a reference judge by their rounds, and the rows that those rest on."""
    evidence = Evidence(comparison)
    rules = [rule for rule in policy.rules if rule.against == "reference" and evidence.metric(rule).judged == "rounds"]
    named = [
        (rule, standing.case)
        for rule in rules
        for standing in evidence.rows(rule)
        if standing.ended_well and not evidence.emulated(standing.case)
    ]
    return tuple(dict.fromkeys(each for rule, case in named for each in rests_on(rule.metric, case)))


def judge_move(rule: Rule, case: Case, evidence: Evidence, first_attempts: bool = False) -> Answer:
    """Judges how far the candidate's rounds are from the reference's beside
    them, in the direction that the rule limits.
    """
    again = evidence.remeasured
    assert again
    rows, run_id = rests_on(rule.metric, case), again.comparison.run.run_id
    with restated(f"in run {run_id}, "):
        for each in (on_side(row, side) for row in rows for side in SIDES):
            check_measured(each, rule, again)
    then = () if evidence.in_one_run else rows
    if refused := "; ".join(filter(None, (device_changes(row, evidence) for row in then))):
        raise not_comparable(refused)
    before, after = (
        by_round(rule.metric, on_side(case, side), again, first_attempts) for side in (REFERENCE, CANDIDATE)
    )
    answer = paired(before, after, rule, evidence.metric(rule).unit, again.comparison.run.plan.first_stage)
    same = " and ".join(row.variant for row in then if same_file(row, again))
    reasons = (answer.reason, SAME_FILE.format(same) if same else "")
    return replace(answer, method=f"{answer.method}, in run {run_id}", reason="; ".join(filter(None, reasons)))


def check_measured(case: Case, rule: Rule, again: Evidence) -> None:
    """Raises Absent where the run says nothing of one of its rows."""
    standing = again.comparison.standing(case)
    if standing is None:
        raise not_comparable(f"there is no {case.variant}: the reference has no model that fits it")
    if not standing.ended_well:
        raise Absent(f"{case.variant} is {standing.status}: {standing.reason}", "invalid")
    again.value(case, "latency_p50" if rule.metric == SPEEDUP else rule.metric)


def device_changes(case: Case, evidence: Evidence) -> str:
    """Says where the device is no longer what it was when the candidate was measured: this is another row then."""
    assert evidence.again
    now = on_side(case, CANDIDATE)
    diffs = differences(evidence.comparison.run, evidence.again.run, case, same_model=True, there=now)
    refused = [d for d in diffs if d.level == REFUSE]
    changes = (f"{d.field}: {d.reference or 'unknown'} then, {d.candidate or 'unknown'} now" for d in refused)
    return "; ".join(changes)


def same_file(row: Case, again: Evidence) -> bool:
    return len({again.comparison.run.variant(on_side(row, side).variant).sha256 for side in SIDES}) == 1
