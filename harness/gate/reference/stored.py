"""Rules on what processes cost, against stored sessions: the reference, and further runs of the same models.

A session is the replicate, one a boot and day. Sessions differ by more than their rounds show, and under five do not
tell by how much: the move is shown then, and never decided (measurement.md, section 1).
"""

from __future__ import annotations

from dataclasses import replace

from harness.compare.fingerprint import REFUSE, differences
from harness.gate.evidence import Evidence, not_comparable
from harness.gate.judge.series import by_round, rests_on
from harness.gate.judge.spread import NOT_POSITIVE, Spread
from harness.gate.policy import Rule
from harness.metrics.two_stage import rounds_of_target
from harness.records import Absent, Answer, Case
from harness.runs.occasions import SESSIONS, Session, counted, once_an_occasion

FEW = (
    "{} stored session{}, and under {} do not show how much sessions differ ({}): measure the same model on further "
    "days, each time after a restart, and add it with `harness accept --add RUN`, or let --remeasure-reference time it "
    "again beside the candidate"
)

TOO_FEW_ROUNDS = (
    "{} rounds vary more than the {} of each stored session: measure the candidate again with as many, --rounds {}"
)


def judge_move(rule: Rule, case: Case, evidence: Evidence, first_attempts: bool = False) -> Answer:
    """Judges how far the candidate's session is from the stored ones, in the direction that the rule limits."""
    evidence.past_of(case)
    refused, warned = evidence.timing_differences(case)
    if refused:
        raise not_comparable(refused)
    reasons = once_an_occasion([(s.comparison.run, why_not(s, rule, case, evidence)) for s in evidence.stored], case)
    notes = omitted_sessions(reasons), warned
    try:
        answer = judge_sessions(rule, case, evidence, reasons, first_attempts)
    except Absent as absent:
        raise Absent("; ".join(filter(None, (absent.reason, *notes))), absent.outcome) from absent
    return replace(answer, reason="; ".join(filter(None, (answer.reason, *notes))))


def omitted_sessions(reasons: list[Session]) -> str:
    """Says which sessions were left out, those of one reason together; "" for none."""
    groups: dict[str, list[str]] = {}
    for run, reason in reasons:
        groups.setdefault(reason, []).append(run.run_id)
    parts = [f"{', '.join(run_ids)} ({reason})" for reason, run_ids in groups.items() if reason]
    return f"left out: {', '.join(parts)}" if parts else ""


def judge_sessions(rule: Rule, case: Case, evidence: Evidence, reasons: list[Session], first_attempts: bool) -> Answer:
    """reasons: each session, and why it does not count."""
    count = [each for each, (_, reason) in zip(evidence.stored, reasons, strict=True) if not reason]
    sides = (by_round(rule.metric, case, side, first_attempts) for side in (evidence, *count))
    own, *sessions = (list(side.values()) for side in sides)
    if len(sessions) < SESSIONS:
        few = len(sessions), "" if len(sessions) == 1 else "s", SESSIONS, counted(reasons, case)
        return without_interval(rule, case, evidence, FEW.format(*few))
    fewest = min(map(len, sessions))
    if len(own) < fewest:
        run = evidence.comparison.run
        left_out = max(0, rounds_of_target(run, case.target) - len(own))  # that could not be used, and may not again
        told = TOO_FEW_ROUNDS.format(len(own), fewest, fewest + left_out)
        return without_interval(rule, case, evidence, told)
    if rule.limit.relative and min(map(min, (own, *sessions))) <= 0:
        raise not_comparable(NOT_POSITIVE)
    return Spread.of_sessions(sessions, own, rule).judge_move(rule, evidence.metric(rule).unit)


def without_interval(rule: Rule, case: Case, evidence: Evidence, reason: str) -> Answer:
    """Returns an inconclusive answer that shows the move from the reference alone, without an interval."""
    assert evidence.past
    try:
        before, after = (side.value(case, rule.metric) for side in (evidence.past, evidence))
    except Absent as absent:
        raise Absent(f"the reference has no {rule.metric} there") from absent
    numbers = move_numbers(rule, evidence.metric(rule).unit, before, after)
    return Answer("inconclusive", *numbers, method=f"{before:.4g} before, {after:.4g} now", reason=reason)


def why_not(session: Evidence, rule: Rule, case: Case, evidence: Evidence) -> str:
    """Returns why a stored session says nothing of this row; "" where it counts."""
    run, candidate = session.comparison.run, evidence.comparison.run
    if run.run_id == candidate.run_id:
        return "the candidate itself"
    if not run.finished:
        return "not finished"
    if run.experiment != candidate.experiment:
        return f"of the experiment {run.experiment}"
    reasons = (why_not_this_row(session, each, evidence) for each in rests_on(rule.metric, case))
    return next(filter(None, reasons), "") or why_no_value(session, case, rule.metric)


def why_no_value(session: Evidence, case: Case, metric: str) -> str:
    """Returns why the session has no value of the metric there; "" where it has one."""
    try:
        session.value(case, metric)
    except Absent as absent:
        return absent.reason
    return ""


def why_not_this_row(session: Evidence, case: Case, evidence: Evidence) -> str:
    """Returns why a session does not count for this row: it must have measured the reference's model, on the
    candidate's device and in the candidate's way. "" where it counts.
    """
    assert evidence.past
    standing = session.comparison.standing(case)
    if standing is None:
        return f"without {case.variant} there"
    if not standing.ended_well:
        return f"{case.variant} is {standing.status} there"
    if sha256_of(session, case) != sha256_of(evidence.past, case):
        return f"another model as {case.variant}"
    diffs = differences(evidence.comparison.run, session.comparison.run, case)
    refused = (d for d in diffs if d.level == REFUSE)
    return "; ".join(f"{d.field}: {d.candidate or 'unknown'}, not {d.reference or 'unknown'}" for d in refused)


def sha256_of(session: Evidence, case: Case) -> str:
    return session.comparison.run.variant(case.variant).sha256


def move_numbers(rule: Rule, unit: str, before: float, after: float) -> tuple[str, float | None, None, None, float]:
    """Returns unit, how far the value moved the wrong way, no interval, and the limit."""
    worse = after - before if rule.limit.kind == "max_increase" else before - after
    if rule.limit.relative:
        return "%", 100 * worse / before if before else None, None, None, 100 * rule.limit.value
    return unit, worse, None, None, rule.limit.value
