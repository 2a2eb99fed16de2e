"""What the policy says of a file on one half of the test set."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from harness.errors import ConfigError
from harness.gate.decide import judge
from harness.gate.hopeless import hopeless
from harness.gate.known import Known
from harness.gate.policy import Policy
from harness.gate.ship import worst
from harness.metrics import METRICS
from harness.metrics.registry import is_of_answers
from harness.records import Case, Comparison, Run
from harness.records.terms import Outcome, Task

IN_A_RUN = "rule {}, {}, is not judged here: {}; a run with the recipe file judges it"


@dataclass(frozen=True)
class Judged:
    """What the policy says of one file on some samples. lost, gained, changed: answers that only the baseline has
    right, only the file, and that differ; None where the task has no such thing. reason: of the finding that does not
    hold.
    """

    outcome: Outcome
    samples: int
    changed: int | None = None
    lost: int | None = None
    gained: int | None = None
    reason: str = ""

    @property
    def passes(self) -> bool:
        return self.outcome == "pass"


def rules_for(policy: Policy, case: Case) -> tuple[Policy, tuple[str, ...]]:
    """Returns the rules that answers and files of one row are judged by, and a sentence for each that is left to a run.
    Raises ConfigError where none is left.
    """
    named = [rule for rule in policy.rules if rule.matches(case)]
    reasons = {rule.number: why_not_here(rule.metric, rule.against) for rule in named}
    left = tuple(rule for rule in named if not reasons[rule.number])
    if not left:
        told = f"{policy.source} has no rule on the answers or the size of {case.variant}"
        raise ConfigError(told, "give a policy with a rule that a cure can be found for, such as accuracy_drop")
    notes = (IN_A_RUN.format(r.number, r.words, reasons[r.number]) for r in named if reasons[r.number])
    return Policy(left, "all", policy.source), tuple(notes)


def strict(policy: Policy) -> Policy:
    """The same policy where nothing passes that is inconclusive: it would make a cure of too few samples."""
    return replace(policy, rules=tuple(replace(rule, on_inconclusive="fail") for rule in policy.rules))


def why_not_here(metric: str, against: str) -> str:
    if against == "reference":
        return "it stands against a stored run"
    if is_of_answers(metric) or METRICS[metric].of_file:
        return ""
    return "nothing is timed"


def judged(comparison: Comparison, case: Case, policy: Policy) -> Judged:
    verdict = judge(comparison, policy)
    findings = [finding for finding in verdict.findings if finding.case in (case, None)]
    lost = [finding for finding in findings if not finding.holds]
    outcome: Outcome = worst(lost) if lost else "pass"
    reason = next((f"{f.words}: {f.reason or f.outcome}" for f in lost if f.outcome == outcome), "")
    return replace(counted(comparison, case), outcome=outcome, reason=reason)


def counted(comparison: Comparison, case: Case) -> Judged:
    rows = comparison.samples.get(case)
    if rows is None:
        return Judged("invalid", comparison.run.test_count)
    names = set(rows.dtype.names or ())
    changed = int(np.sum(rows["flip"])) if "flip" in names else None
    lost = gained = None
    if {"baseline_correct", "correct"} <= names:
        before, after = rows["baseline_correct"].astype(bool), rows["correct"].astype(bool)
        lost, gained = int(np.sum(before & ~after)), int(np.sum(after & ~before))
    return Judged("invalid", len(rows), changed, lost, gained)


def too_few(part: Run, policy: Policy) -> tuple[str, ...]:
    """Returns a sentence for each rule that these samples are too few to pass."""
    return hopeless(policy, known_of(part), part.plan)


def known_of(run: Run) -> Known:
    tasks: dict[str, Task] = {run.scored_output: run.task} | {name: head.task for name, head in run.heads.items()}
    return Known(
        run.test_count, run.labels, run.groups, run.scored_output, run.head_labels, tasks, run.queries, run.pairs
    )
