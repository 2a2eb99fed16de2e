"""From findings to what ships."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from harness.gate.judge.drops import holm
from harness.gate.policy import Policy
from harness.records import Finding
from harness.records.terms import Outcome

WORST_FIRST: tuple[Outcome, ...] = ("fail", "invalid", "missing", "not_comparable", "inconclusive")
ALONE = "it passes alone, but not among {} candidates of which any may ship (Holm)"


def worst(findings: Iterable[Finding]) -> Outcome:
    return min((f.outcome for f in findings), key=WORST_FIRST.index)


def by_variant(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.case is not None:
            groups.setdefault(finding.case.variant, []).append(finding)
    return groups


def shipping(findings: tuple[Finding, ...]) -> tuple[str, ...]:
    """Returns the variants for which every rule that names them holds in every row."""
    return tuple(name for name, group in by_variant(findings).items() if all(f.holds for f in group))


def any_may_ship(findings: tuple[Finding, ...], policy: Policy) -> tuple[Finding, ...]:
    """Corrects p-values by Holm: to ship whichever variant passes is to test many hypotheses at once.

    A variant passes only if all its own do, so the largest p/α stands for it (intersection–union); what holds without a
    pass, by a rule that only warns, claims nothing. Of a single candidate nothing is corrected.
    """
    alpha = {rule.number: 1 - rule.confidence for rule in policy.rules}
    shares = {
        name: max(ratios)
        for name, group in by_variant(findings).items()
        if (ratios := [share(f, alpha[f.rule]) for f in group if claims(f)])
    }
    kept = dict(zip(shares, holm(list(shares.values())), strict=True))
    warns = {rule.number for rule in policy.rules if rule.on_inconclusive == "warn"}
    return tuple(
        withdraw(f, len(shares), f.rule in warns) if f.case and not kept.get(f.case.variant, True) else f
        for f in findings
    )


def claims(finding: Finding) -> bool:
    """Returns whether the finding's p-value counts: not where it is inconclusive and its rule only warns then."""
    return finding.p is not None and (finding.outcome == "pass" or not finding.holds)


def share(finding: Finding, alpha: float) -> float:
    """Returns p/α. For a pass at most 1: interval and p are made in different ways where they come from resampling."""
    assert finding.p is not None
    return min(finding.p / alpha, 1.0) if finding.outcome == "pass" else finding.p / alpha


def withdraw(finding: Finding, candidates: int, warns: bool) -> Finding:
    """Returns the finding, inconclusive where it was a pass: that does not stand among so many candidates."""
    if finding.outcome != "pass" or finding.p is None:
        return finding
    reason = "; ".join(filter(None, (finding.reason, ALONE.format(candidates))))
    return replace(finding, outcome="inconclusive", holds=warns, reason=reason)
