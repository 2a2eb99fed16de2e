"""Comparison + Policy (+ reference) → Verdict. A failed gate is a verdict, never an exception.

    each_output.py the outputs that a rule is judged for; head_verdicts.py what that comes to for each
    evidence.py   what a run, and its reference, say of a row
    drops.py      what is lost from sample to sample; loss.py decides each by an exact test
    rates.py      how often something happens over the test set, by Clopper–Pearson
    flips.py      how many answers differ, as the rate that it is
    rounds.py     the processes: latency, cold start, memory; series.py says what each round says of them
    stored.py     the same against stored sessions of a reference
    remeasured.py the same against a reference that was timed again beside the candidate
    spread.py     a value and its interval, under a limit
    resampled.py  metrics of labels and outputs, a user's own among them: by likelihood, or by the bootstrap-t
    grouped.py    the same rules on answers, where samples come in groups
    plain.py      everything else, by its value
    at_limit.py   how often a model at the limit would pass
    over_chance.py what is at chance passes no rule
    shares.py     agreement and top-k, as accuracy is
    watched.py    the accuracy drop of a run that asks until it is decided
    ship.py       which variants ship, after Holm where that is a list of claims

To gate a metric in a way of its own, add a line to JUDGES.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace

from harness.gate.at_limit import Explain, explained
from harness.gate.each_output import each_output, judged_outputs, worst_answer
from harness.gate.evidence import Evidence, not_comparable
from harness.gate.head_verdicts import head_verdicts
from harness.gate.judge import drops, flips, grouped, plain, rates, resampled, rounds, shares, watched
from harness.gate.over_chance import unless_at_chance
from harness.gate.policy import Policy, Rule
from harness.gate.reference.remeasured import to_remeasure
from harness.gate.ship import any_may_ship, shipping, worst
from harness.metrics import METRICS
from harness.records import KERAS, Absent, Answer, Case, Comparison, Finding, Standing, Verdict
from harness.records.terms import Judged, Outcome
from harness.support.format import listed

__all__ = ["judge", "metrics_of", "to_remeasure"]

Judge = Callable[[Rule, Case, Evidence], Answer]
JUDGES: dict[Judged, Judge] = {
    "accuracy": rates.accuracy,
    "drop": drops.drop,
    "class_drop": drops.class_drop,
    "flips": flips.flips,
    "flip_rate": flips.flip_rate,
    "share": shares.by_share,
    "noise": resampled.noise,
    "of_sample": resampled.of_sample,
    "samples": resampled.by_samples,
    "rounds": rounds.by_rounds,
    "value": plain.by_value,
}
NO_ANSWERS: tuple[Judged, ...] = ("rounds", "value")  # decided alike whether samples come in groups or not
GROUPED: dict[Judged, Judge] = {  # all that decide in the place of JUDGES where they do
    "accuracy": grouped.accuracy,
    "drop": grouped.drop,
    "class_drop": grouped.class_drop,
    "flips": grouped.flips,
    "flip_rate": grouped.flip_rate,
    "share": grouped.by_share,
    "samples": grouped.by_samples,
}


def judge(
    comparison: Comparison,
    policy: Policy,
    reference: Comparison | None = None,
    sessions: Sequence[Comparison] = (),
    again: Comparison | None = None,
    explain: Explain = "",
    before: Sequence[Finding] = (),
) -> Verdict:
    """Judges every rule for every row that it names.

    reference: the stored run that `against = "reference"` means. sessions: further runs of the same models. again: the
    run in which they were timed again, beside the candidate's: rules on what processes cost then stand against it.
    explain: how far to go to say how often a model at the limit, and a harmless one, would pass; it may take seconds.
    before: findings that stand before those of the policy, and count as they do.
    """
    evidence = Evidence(comparison, reference, tuple(sessions), again)
    judged = (finding for rule in policy.rules for finding in findings_of(rule, evidence, policy, explain))
    findings = (*before, *judged)
    if policy.mode == "any":
        findings = any_may_ship(findings, policy)
    ships = shipping(findings, policy)
    lost = [f for f in findings if not f.holds and (f.case is None or policy.mode == "all" or not ships)]
    outcome = worst(lost) if lost else "pass"
    against = tuple(e.comparison.run.run_id for e in evidence.stored)
    beside = again.run.run_id if again else ""
    heads = head_verdicts(findings, evidence, policy)
    about = (comparison.run.run_id, policy.source, policy.mode, outcome)
    return Verdict(*about, findings, ships, next(iter(against), ""), against[1:], beside, heads)


def metrics_of(policy: Policy) -> frozenset[str]:
    """Returns the metrics that judging by this policy needs: a comparison may leave out the others."""
    named = [METRICS[rule.metric] for rule in policy.rules if rule.metric in METRICS]
    names = {name for metric in named for name in (metric.name, *metric.beside)}
    return frozenset(name for name in names if METRICS[name].estimate)


def findings_of(rule: Rule, evidence: Evidence, policy: Policy, explain: Explain = "") -> Iterator[Finding]:
    """Yields a finding for each row; one for the rule where it names no row, which must never let anything pass."""
    rows = evidence.rows(rule)
    if not rows:
        yield finding(rule, None, Answer("missing", reason=evidence.why_no_row(rule)))
    for standing in rows:
        control, own = evidence.control_of(rule, standing.case), evidence.so_far(standing.case, rule)
        said = unless_barred(answer(rule, standing, own), rule, standing, control, evidence)
        said = unless_unjudged(said, rule, standing, evidence, policy)
        said = explained(said, rule, standing.case, evidence, explain)
        doubts = (doubtful(standing, control), oddity(standing, rule, evidence))
        yield finding(rule, standing, said, "; ".join(filter(None, doubts)))


def answer(rule: Rule, standing: Standing, evidence: Evidence) -> Answer:
    """Returns what the rule's judge says of the row, of its worst output; where a value is absent, the reason."""
    try:
        check_judged(rule, standing, evidence)
        found = each_output(rule, evidence)
    except Absent as absent:
        return Answer(absent.outcome, reason=absent.reason)
    return worst_answer(rule, {name: of_output(rule, name, standing, e) for name, e in found.items()}, evidence)


def of_output(rule: Rule, name: str, standing: Standing, evidence: Evidence) -> Answer:
    """Returns what the judge says of one output, where its answers can be judged. evidence: as if it were the scored
    one.
    """
    own = standing.outputs.get(name, standing)
    said = unless_at_chance(said_of(rule, standing.case, evidence), rule, own, evidence)
    if own is standing:
        return said
    control = evidence.control_of(rule, standing.case)
    return unless_barred(said, rule, own, control and control.outputs.get(name, control), evidence)


def said_of(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    run = evidence.comparison.run
    try:
        if run.plan.until_decided and watched.is_watched(rule):
            return watched.watched_drop(rule, case, evidence)
        watched.check_whole(run)
        return judge_of(evidence.metric(rule).judged, evidence)(rule, case, evidence)
    except Absent as absent:
        return Answer(absent.outcome, reason=absent.reason)


def judge_of(judged: Judged, evidence: Evidence) -> Judge:
    if evidence.comparison.run.groups is None or judged in NO_ANSWERS:
        return JUDGES[judged]
    return GROUPED.get(judged, grouped.undecided)


def check_judged(rule: Rule, standing: Standing, evidence: Evidence) -> None:
    """Raises Absent where the row, or the float32 that it stands against, cannot be judged by the rule."""
    if standing.status in ("failed", "invalid"):
        raise Absent(f"the row is {standing.status}: {standing.reason}", "invalid")
    if rule.against == KERAS and standing.case.variant == evidence.comparison.run.provenance.baseline:
        raise Absent("the row is the baseline itself, and a comparison with itself says nothing: name other variants")
    control = evidence.control_of(rule, standing.case)
    if control and not control.ended_well:
        raise not_comparable(f"float32 beside it is {control.status}: {control.reason}")


def unless_barred(said: Answer, rule: Rule, standing: Standing, control: Standing | None, evidence: Evidence) -> Answer:
    """What the judge says, but of a row whose answers no rule may rest on, or that stands against such: invalid."""
    barred = standing.bars or (control and control.bars)
    if not barred or said.outcome not in ("pass", "inconclusive") or not on_answers(rule, evidence):
        return said
    each: dict[str, Outcome] = {
        name: "invalid" if own in ("pass", "inconclusive") else own for name, own in said.each.items()
    }
    return replace(said, outcome="invalid", p=None, each=each)


def unless_unjudged(said: Answer, rule: Rule, standing: Standing, evidence: Evidence, policy: Policy) -> Answer:
    """Returns the answer, but invalid where it would pass while another labelled output of the row is suspect, and no
    rule of the policy judges that: nobody would see that it is lost.
    """
    lost = [name for name, own in standing.outputs.items() if own.status == "suspect"]
    if not lost or said.outcome not in ("pass", "inconclusive") or not on_answers(rule, evidence):
        return said
    judged = {
        name for other in policy.rules if other.matches(standing.case) for name in judged_outputs(other, evidence)
    }
    if unjudged := [name for name in lost if name not in judged]:
        told = f"no rule judges output {listed(unjudged)}, which {'is' if len(unjudged) == 1 else 'are'} suspect"
        return replace(said, outcome="invalid", p=None, reason="; ".join(filter(None, (said.reason, told))))
    return said


def on_answers(rule: Rule, evidence: Evidence) -> bool:
    """Whether the rule's metric is of answers; False where the run has no such metric."""
    try:
        return evidence.metric(rule).about == "answers"
    except Absent:
        return False


def oddity(standing: Standing, rule: Rule, evidence: Evidence) -> str:
    """What is odd about the answers of a row that is ok, where the rule is on answers; "" for nothing."""
    return standing.reason if standing.status == "ok" and on_answers(rule, evidence) else ""


def doubtful(standing: Standing, control: Standing | None) -> str:
    """Says that the row, or the float32 it stands against, is suspect; "" where neither is."""
    named = (("", standing), ("float32 beside it is ", control))
    return "; ".join(f"{whose}suspect: {s.reason}" for whose, s in named if s and s.status == "suspect")


def finding(rule: Rule, standing: Standing | None, result: Answer, doubts: str = "") -> Finding:
    holds = result.outcome == "pass" or (result.outcome == "inconclusive" and rule.on_inconclusive == "warn")
    reason = "; ".join(filter(None, (result.reason, doubts)))
    case = standing.case if standing else None
    row = asdict(replace(result, reason=reason))
    return Finding(**row, rule=rule.number, words=rule.words, case=case, metric=rule.metric, holds=holds)
