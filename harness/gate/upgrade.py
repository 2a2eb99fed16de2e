"""A run that measured two engines + a policy → its verdict: may the one take the other's place?

Rules against a reference stand against the present engine's rows: the same file, the same samples, the same rounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace

from harness.device.engines import is_simulated
from harness.gate.decide import judge
from harness.gate.policy import Policy, upgrade_policy
from harness.gate.reference.two_engines import Engines, two_engines
from harness.records import Answer, Comparison, Finding, Run, Standing, Verdict

LOADS = "loads"
RULE = 0  # it stands before the rules of every policy, and cannot be left out


def judge_upgrade(measured: Comparison, engines: Engines, policy: Policy) -> Verdict:
    """Judges the candidate's rows: first whether each loads where the present engine's does, then by the policy.

    Raises ConfigError where the run did not measure both engines.
    """
    sides = two_engines(measured, engines)
    loads = tuple(loading(sides.reference, sides.candidate, engines))
    verdict = judge(sides.candidate, policy, sides.reference, again=sides.beside, before=loads)
    return replace(verdict, reference=engines.present, again="")


def default_rules(run: Run, engines: Engines) -> Policy:
    """Returns the policy for who gives none. Of time it has a rule for each device whose times may be claimed.

    Raises ConfigError where the task has no default rule.
    """
    cases = [case for case in run.cases if case.runtime == engines.present and not is_simulated(engines.candidate)]
    timed = (c.target for c in cases if run.usable_rounds(c) and not run.target(c.target).emulated)
    return upgrade_policy(run.tasks, tuple(dict.fromkeys(timed)))


def loading(reference: Comparison, candidate: Comparison, engines: Engines) -> Iterator[Finding]:
    """Yields for each row whether it still answers; nothing for one that neither engine was to have."""
    words = f"{LOADS} on {engines.candidate} as on {engines.present}"
    for before in reference.standings:
        after = candidate.standing(before.case)
        assert after  # a run measures every variant on each of its engines
        if before.status == after.status == "unsupported":
            continue
        answer = still_answers(before, after, engines)
        own = asdict(answer) | {"holds": answer.outcome == "pass"}
        yield Finding(**own, rule=RULE, words=words, case=before.case, metric=LOADS)


def still_answers(before: Standing, after: Standing, engines: Engines) -> Answer:
    """A row that is not known to load is neither a pass nor a fail. Of one that loads, the reason has both releases."""
    now, then = told(before, engines.present), told(after, engines.candidate)
    if after.ended_well and before.ended_well:
        return Answer("pass", reason=f"{before.runtime_version} → {after.runtime_version}")
    if after.ended_well:
        return Answer("pass", reason=f"but {now}")
    if not before.ended_well:
        return Answer("not_comparable", reason=f"{now}; {then}")
    if after.status == "invalid":
        return Answer("inconclusive", reason=then)
    not_installed = after.status == "failed" and after.runtime_version is None
    return Answer("missing" if not_installed else "fail", reason=then)


def told(standing: Standing, engine: str) -> str:
    return f"on {engine} it is {standing.status}: {standing.reason}"
