"""Which rows of a run that is still measured need no further samples: those whose rules on answers are decided."""

from __future__ import annotations

from dataclasses import replace

from harness.compare.baseline import compare
from harness.gate.decide import judge, metrics_of
from harness.gate.judge.watched import why_whole
from harness.gate.policy import Policy
from harness.gate.ship import holding
from harness.metrics.registry import is_of_answers
from harness.records import Case, Run


def settled(run: Run, policy: Policy) -> frozenset[Case]:
    """Returns the cases of the run so far, whose answers pass or fail every rule that is on them.

    None of a policy that is decided of the whole test set alone. What no rule is on is decided at once. What passes
    alone, but does not ship among others (Holm), is not decided: more samples may show it.
    """
    if why_whole(policy):
        return frozenset()
    rules = replace(policy, rules=tuple(rule for rule in policy.rules if is_of_answers(rule.metric)))
    verdict = judge(compare(answers_alone(run), metrics_of(rules)), rules)
    undecided = {f.case for f in verdict.findings if f.outcome not in ("pass", "fail")}
    alone = set(holding(verdict.findings)) - set(verdict.ships)
    return frozenset(case for case in run.cases if case not in undecided and case.variant not in alone)


def answers_alone(run: Run) -> Run:
    """Returns the run as if it ended here, and had been to measure answers alone."""
    return replace(run, finished=True, plan=replace(run.plan, rounds=0), rounds=())
