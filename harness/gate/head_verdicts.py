"""What the rules of a policy come to for each of several outputs with labels: a verdict a head, beside that of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.gate.each_output import judged_outputs
from harness.gate.evidence import Evidence
from harness.gate.policy import Policy
from harness.gate.ship import WORST_FIRST
from harness.records import Finding, HeadVerdict
from harness.records.terms import Outcome


def head_verdicts(findings: Sequence[Finding], evidence: Evidence, policy: Policy) -> tuple[HeadVerdict, ...]:
    """Returns the verdict of each labelled output, the worst first; () where labels are of one output alone."""
    run = evidence.comparison.run
    if not run.heads:
        return ()
    judged = {rule.number: judged_outputs(rule, evidence) for rule in policy.rules}
    warns = {rule.number for rule in policy.rules if rule.on_inconclusive == "warn"}
    found = (of_output(name, judged, findings, warns) for name in run.labelled_outputs)
    return tuple(sorted(found, key=badness))


def of_output(
    name: str, judged: Mapping[int, Sequence[str]], findings: Sequence[Finding], warns: set[int]
) -> HeadVerdict:
    """judged: by the number of a rule, the outputs that it judges. warns: the numbers of the rules that only warn where
    they are inconclusive.
    """
    lost: list[tuple[str, Outcome]] = []
    for finding in findings:
        of_row = finding.outcome if not finding.each and name in judged.get(finding.rule, ()) else None  # refused whole
        outcome = finding.each.get(name, of_row)
        if outcome and outcome != "pass" and not (outcome == "inconclusive" and finding.rule in warns):
            lost.append((finding.case.variant if finding.case else "", outcome))
    failing = tuple(dict.fromkeys(variant for variant, _ in lost if variant))
    if not lost:
        return HeadVerdict(name, "pass" if any(name in names for names in judged.values()) else "")
    return HeadVerdict(name, min((outcome for _, outcome in lost), key=WORST_FIRST.index), failing)


def badness(head: HeadVerdict) -> int:
    """Orders heads: the worst outcome first, then what no rule judges, then those that pass."""
    outcome = head.outcome
    return (
        len(WORST_FIRST) if outcome == "" else len(WORST_FIRST) + 1 if outcome == "pass" else WORST_FIRST.index(outcome)
    )
